"""The champions of many models, asked for together: the same as asked for one by one."""

import itertools

import pytest

from aiguard_dagster.adapters.mlflow import champions as module
from aiguard_dagster.adapters.mlflow.champions import champions
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.errors import ActionError
from aiguard_dagster.core.spec import Model


class Counting:
    """A client that counts what it is asked."""

    def __init__(self, client):
        self.client, self.pages, self.names = client, [], []

    def search_registered_models(self, **given):
        page = self.client.search_registered_models(**given)
        self.pages.append(len(page))
        return page

    def get_registered_model(self, name):
        self.names.append(name)
        return self.client.get_registered_model(name)


@pytest.fixture
def shelf(workshop, pointer):
    """Five models, of which the second has no champion."""
    models = [Model(name=workshop.model(versions=2), **pointer) for _ in range(5)]
    for number, model in enumerate(models):
        if number != 1:
            ModelRegistry(workshop.client, model).point_to("12"[number % 2])
    return models


def test_they_are_those_that_each_registry_tells(workshop, shelf, monkeypatch):
    told = {each.name: ModelRegistry(workshop.client, each).champion() for each in shelf}
    assert set(told.values()) == {"1", "2", None}
    for size, worth in itertools.product([2, 1_000], [0, 1, 1_000]):
        monkeypatch.setattr(module, "PAGE", size)
        monkeypatch.setattr(module, "WORTH", worth)
        assert champions(workshop.client, [*shelf, Model(name="nowhere")]) == told, (size, worth)


def test_none_are_asked_for_without_models(sqlite_workshop):
    counting = Counting(sqlite_workshop.client)
    assert champions(counting, []) == {}
    assert (counting.pages, counting.names) == ([], [])


def test_a_few_models_do_not_read_a_whole_registry(sqlite_workshop, monkeypatch):
    models = [Model(name=sqlite_workshop.model(versions=1, name=f"zz {n}")) for n in range(3)]
    for n in range(12):
        sqlite_workshop.model(versions=0, name=f"another {n}")
    monkeypatch.setattr(module, "WORTH", 2)
    counting = Counting(sqlite_workshop.client)
    assert champions(counting, models) == {model.name: None for model in models}
    assert counting.pages == [6], "two for each model that is wanted"
    assert sorted(counting.names) == sorted(model.name for model in models)


def test_many_models_are_read_by_the_page(sqlite_workshop, monkeypatch):
    models = [Model(name=sqlite_workshop.model(versions=1)) for _ in range(4)]
    monkeypatch.setattr(module, "WORTH", 1_000)
    counting = Counting(sqlite_workshop.client)
    assert len(champions(counting, models)) == 4
    assert counting.names == []


def test_an_answer_about_another_model_is_refused(sqlite_workshop, monkeypatch):
    name, other = sqlite_workshop.model(), sqlite_workshop.model()
    monkeypatch.setattr(module, "WORTH", 0)
    counting = Counting(sqlite_workshop.client)
    counting.get_registered_model = lambda _: sqlite_workshop.client.get_registered_model(other)
    with pytest.raises(ActionError, match="not MLflow's"):
        champions(counting, [Model(name=name)])

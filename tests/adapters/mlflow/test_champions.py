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


@pytest.mark.parametrize("worth", [0, 1_000])
def test_what_one_guard_names_wrongly_costs_the_others_nothing(workshop, worth, monkeypatch):
    name = workshop.model()
    ModelRegistry(workshop.client, Model(name=name)).point_to("3")
    monkeypatch.setattr(module, "WORTH", worth)
    odd = [Model(name=each) for each in ("no/such: name", name.upper())]
    assert champions(workshop.client, [*odd, Model(name=name)]) == {name: "3"}


def test_what_this_user_may_not_see_is_left_out(sqlite_workshop, monkeypatch):
    monkeypatch.setattr(module, "WORTH", 0)
    seen, hidden = sqlite_workshop.model(), sqlite_workshop.model()
    counting = Counting(sqlite_workshop.client)

    from mlflow.exceptions import RestException

    def refuse(name):
        if name == hidden:
            raise RestException({"error_code": "PERMISSION_DENIED", "message": "no"})
        return sqlite_workshop.client.get_registered_model(name)

    counting.get_registered_model = refuse
    assert champions(counting, [Model(name=seen), Model(name=hidden)]) == {seen: None}


@pytest.mark.parametrize("fault", ["500", "cut off", "empty"])
def test_an_mlflow_that_does_not_answer_is_told(sqlite_workshop, fault, monkeypatch):
    from mlflow.entities.model_registry import RegisteredModel
    from mlflow.exceptions import MlflowException

    monkeypatch.setattr(module, "WORTH", 0)
    counting = Counting(sqlite_workshop.client)

    def answer(_):
        if fault == "empty":
            return RegisteredModel("")
        raise ConnectionError(fault) if fault == "cut off" else MlflowException(fault)

    counting.get_registered_model = answer
    with pytest.raises(ActionError, match="bike: read the champion: "):
        champions(counting, [Model(name="bike")])


def test_so_many_that_are_missing_are_read_by_the_page(sqlite_workshop, monkeypatch):
    models = [Model(name=sqlite_workshop.model(versions=1, name=f"zz {n}")) for n in range(4)]
    monkeypatch.setattr(module, "WORTH", 1)
    monkeypatch.setattr(module, "MOST_LOOKED_UP", 3)
    counting = Counting(sqlite_workshop.client)
    assert len(champions(counting, models)) == 4
    assert sum(counting.pages) > 4
    assert len(counting.names) <= 3

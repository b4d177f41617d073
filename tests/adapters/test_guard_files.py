import os

import pytest

from aiguard_dagster.adapters.guard_files import load_guards, read_guards
from aiguard_dagster.core.errors import SpecError
from tests.core.specs import FRESH, MODEL, TABLES, written


def guard_text(name, **changes) -> str:
    rules = [{"name": "fresh", "signal": FRESH}]
    document = {"name": name, "owner": "team:ml", "tables": TABLES, "rules": rules}
    return written({**document, **changes})


def told(path) -> list[str]:
    with pytest.raises(SpecError) as raised:
        load_guards(path)
    return [str(problem).partition("\n")[0] for problem in raised.value.problems]


def test_a_folder_gives_its_guards_in_the_order_of_file_names(tmp_path):
    (tmp_path / "b.yml").write_text(guard_text("second"))
    (tmp_path / "a.yaml").write_text(guard_text("first"))
    (tmp_path / ".hidden.yaml").write_text("not: a guard")
    (tmp_path / "notes.txt").write_text("not a guard")
    (tmp_path / "inner.yaml").mkdir()
    (tmp_path / "inner.yaml" / "c.yaml").write_text("not: a guard")

    assert [guard.name for guard in load_guards(str(tmp_path))] == ["first", "second"]


def test_the_problems_of_all_files_and_between_them_come_at_once(tmp_path):
    (tmp_path / "a.yaml").write_text(guard_text("same", model=MODEL))
    (tmp_path / "b.yaml").write_text(guard_text("same", model=MODEL))
    (tmp_path / "c.yaml").write_text(guard_text("third", mode="enforced"))
    (tmp_path / "d.yaml").write_text("name: [")

    files = [line.removeprefix(f"{tmp_path}{os.sep}").split(":")[0:2] for line in told(tmp_path)]

    assert files == [
        ["c.yaml", " mode"],
        ["d.yaml", " not YAML, line 1, column 8"],
        ["b.yaml", " name"],
        ["b.yaml", " model.name"],
    ]


def test_a_path_to_nowhere_is_told(tmp_path):
    path = tmp_path / "no.yaml"

    assert told(path) == [f"{path}: there is no such file or folder"]


def test_a_folder_without_guards_is_told(tmp_path):
    assert told(tmp_path) == [f"{tmp_path}: the folder holds no guard"]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"name: caf\xe9", bytes(range(256))])
def test_bytes_that_are_no_utf8_are_told(tmp_path, content):
    path = tmp_path / "a.yaml"
    path.write_bytes(content)

    assert told(path) == [f"{path}: not text in UTF-8"]


def test_a_byte_order_mark_is_no_part_of_the_guard(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(guard_text("first"), encoding="utf-8-sig")

    assert load_guards(path)[0].name == "first"


def test_a_file_over_the_cap_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "a.yaml"
    with path.open("wb") as stream:
        stream.truncate(10_000_000_000)

    assert told(path) == [f"{path}: a guard has at most 1,000,000 characters, and this is longer"]


@pytest.mark.parametrize("open_", ["[", "{a: ", "- "])
@pytest.mark.parametrize(
    ("size", "what"),
    [
        (10_000_000, "a guard has at most 1,000,000 characters, and this is longer"),
        (2_000_000, "2,000,000 characters, and a guard has at most 1,000,000"),
        (900_000, "line 1: nested more than 40 levels deep"),
    ],
)
def test_a_file_of_nothing_but_nesting_is_told_of(open_, size, what, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text((open_ * size)[:size])

    assert told(path) == [f"{path}: {what}"]


def test_a_file_with_a_tag_that_would_run_code_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.yaml"
    path.write_text(guard_text("first").replace("2h", "!!python/object/apply:os.mkdir [ran]"))

    (line,) = told(path)

    assert "the tag '!!python/object/apply:os.mkdir' asks for more than plain values" in line
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_opened_is_told(tmp_path):
    path = tmp_path / "a.yaml"
    path.symlink_to(path)

    assert told(tmp_path)[0].startswith(f"{path}: cannot be read: ")
    assert told(path)[0].startswith(f"{path}: cannot be read: ")


def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "a.yaml"
    os.mkfifo(path)

    assert told(path) == [f"{path}: neither a file nor a folder"]


def test_a_file_named_twice_is_read_once(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(guard_text("first"))

    found = read_guards([tmp_path, path, tmp_path / "." / "a.yaml"])

    assert [guard.name for guard, _ in found.guards] == ["first"]
    assert found.problems == ()

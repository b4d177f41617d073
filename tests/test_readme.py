import re
from pathlib import Path

import pytest

from aiguard_dagster.core.spec.parse import parse_guard

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def test_the_guard_on_the_first_screen_is_a_guard_of_about_ten_lines():
    (text,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    assert parse_guard(text, file="README.md").name == "bike_demand"
    assert len(text.splitlines()) <= 14


PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "deploy" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_files_named_in_the_architecture_exist():
    text = (ROOT / "docs" / "architecture.md").read_text()
    for name in re.findall(r"`((?:core|stats|signals|adapters|orchestration)/[\w/]+\.py)`", text):
        assert (ROOT / "aiguard_dagster" / name).exists(), name


@pytest.mark.parametrize("file", ["requirements.lock", "requirements-spark.lock"])
def test_the_lock_file_pins_every_requirement_by_hash_and_holds_no_address(file):
    lock = (ROOT / file).read_text()
    assert "://" not in lock
    pinned = [line for line in lock.splitlines() if line and not line.startswith((" ", "#"))]
    assert all("==" in line for line in pinned)
    assert lock.count("--hash=sha256:") >= len(pinned)

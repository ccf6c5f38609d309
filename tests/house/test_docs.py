"""What the documents promise is there: commands, settings, files, exit codes."""

import re
from pathlib import Path

import pytest

from multiface.cli.internal_error import INTERNAL, STOPPED
from multiface.cli.main import app
from multiface.cli.settings import KINDS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def command_names() -> list[str]:
    names = [c.name or c.callback.__name__ for c in app.registered_commands if c.callback is not None]
    return names + [group.name for group in app.registered_groups if group.name]


@pytest.mark.parametrize("name", command_names())
def test_every_command_is_in_the_readme(name: str) -> None:
    assert re.search(rf"`[^`]*\b{name}\b", README), name


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_setting_is_in_the_readme(name: str) -> None:
    assert f"MULTIFACE_{name.upper()}" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_table_from_questions_to_files_names_files_that_exist() -> None:
    table = README.split("## From a question to its file")[1].split("\n## ")[0]
    files = re.findall(r"`([\w/.]+\.(?:py|md))`", table)
    assert len(files) > 15
    for file in files:
        assert (ROOT / "src" / "multiface" / file).is_file() or (ROOT / file).is_file(), file


def test_no_machine_paths_and_no_placeholders() -> None:
    for page in [*PAGES, ROOT / "CHANGELOG.md"]:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"/(root|home|tmp|work|Users)/", text), page
        assert not re.search(r"\b(TODO|TBD|NUMBERS|FIGURES|LFWROWS|FIXME)\b", text), page


def test_every_exit_code_is_in_the_readme() -> None:
    codes = {0, 1, 2, 3, 4, INTERNAL, STOPPED}
    told = README.split("and ends with 0 done")[1].split("Options win")[0]
    assert {0, *map(int, re.findall(r"(?<=, )\d+(?= )|(?<=\n)\d+(?= )", told))} == codes

"""The pages of the documentation: every example runs, and what it is shown to print is what it prints.

Blocks of bash and python are run in the order of the page, in a folder of its own with the pictures of
`docs/pictures.py`; a block of text right after one is its standard output. A line `...` stands for any lines, `...`
within a line for any words, and numbers may differ by 2 % or 0.02 (processors round in different orders). What cannot
be run has `<!-- not run: REASON -->` above it. No reference data is needed.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

import multiface
import multiface.errors
from tests.conftest import THREADS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
REASONS = {
    "a drawing",
    "shows what a gallery of yours may hold",
    "installs packages",
    "needs LFW",
    "needs a GPU",
    "needs a camera",
    "needs a data set of millions of pictures",
    "needs a network of your own",
    "needs a run that has learned",
    "needs pictures of 100 people",
    "needs several machines",
    "part of a recipe",
    "takes hours",
    "the tests of the service do it",
    "the tests of training do it",
    "the tests make these pictures before they run a page",
}
NEEDS = {"video.md": "av", "video-design.md": "av", "train.md": "torch"}
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>.*?) -->\n)?^```(?P<kind>\w*)\n(?P<body>.*?)^```$", re.M | re.S
)
NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e-?\d+)?")


@dataclass(frozen=True, slots=True)
class Example:
    """A program or a command of a page. shown: what it is said to print, None for nothing said."""

    kind: str
    body: str
    shown: str | None


def examples(text: str) -> list[Example]:
    """Those that run, in their order. Raises AssertionError for another language, and for a reason not in `REASONS`."""
    found: list[Example] = []
    end = 0
    for block in BLOCK.finditer(text):
        kind, body = block["kind"], block["body"]
        assert kind in ("bash", "python", "text"), f"a block of {kind or 'nothing'}: {body}"
        if block["reason"] is not None:
            assert block["reason"] in REASONS, block["reason"]
        elif kind != "text":
            found.append(Example(kind, body, None))
            end = block.end()
        else:
            assert found and text[end : block.start()].strip() == "", (
                f"this output belongs to nothing: {body}"
            )
            found[-1] = Example(found[-1].kind, found[-1].body, body)
    return found


def agrees(shown: str, printed: str) -> bool:
    """Whether the output is what is shown, numbers nearly."""
    wanted, got = shown.rstrip("\n").split("\n"), printed.rstrip("\n").split("\n")
    return _lines(wanted, got)


def _lines(wanted: list[str], got: list[str]) -> bool:
    if not wanted:
        return not got
    if wanted[0] == "...":
        return any(_lines(wanted[1:], got[k:]) for k in range(len(got) + 1))
    return bool(got) and _line(wanted[0], got[0]) and _lines(wanted[1:], got[1:])


def _line(wanted: str, got: str) -> bool:
    pattern = "(.*)".join(
        re.escape("\0".join(NUMBER.split(part))).replace("\0", f"({NUMBER.pattern})").replace("\\\x00", "")
        for part in wanted.split("...")
    )
    found = re.fullmatch(pattern, got)
    if found is None:
        return False
    numbers = [one for one in found.groups() if one is not None and NUMBER.fullmatch(one)]
    told = [one for part in wanted.split("...") for one in NUMBER.findall(part)]
    return "..." in wanted or all(_near(a, b) for a, b in zip(told, numbers, strict=True))


def _near(one: str, other: str) -> bool:
    a, b = (float(number.replace(",", "")) for number in (one, other))
    return abs(a - b) <= max(0.02 * abs(a), 0.02)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `docs/pictures.py` writes."""
    folder = tmp_path_factory.mktemp("pictures")
    subprocess.run([sys.executable, str(ROOT / "docs" / "pictures.py"), str(folder)], check=True, timeout=120)
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_prints_what_is_shown(page: Path, pictures: Path, tmp_path: Path) -> None:
    blocks = examples(page.read_text(encoding="utf-8"))
    if not blocks:
        return
    if page.name in NEEDS and find_spec(NEEDS[page.name]) is None:
        pytest.skip(f"needs {NEEDS[page.name]}")
    folder = tmp_path / "work"
    shutil.copytree(pictures, folder)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(pictures.parent / "home"),
        "LANG": "C.UTF-8",
        "PYTHONWARNINGS": "error::DeprecationWarning:__main__",
        **THREADS,
    }
    for example in blocks:
        command = ["bash", "-euo", "pipefail", "-c"] if example.kind == "bash" else [sys.executable, "-c"]
        done = subprocess.run(
            [*command, example.body], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{example.body}\n{done.stdout}{done.stderr}"
        assert example.shown is None or agrees(example.shown, done.stdout), (
            f"{example.body}\nis shown to print\n{example.shown}\nand prints\n{done.stdout}"
        )


def test_what_is_compared() -> None:
    """The comparison can fail."""
    assert agrees("Max 0.95\n...\nend\n", "Max 0.951\na\nb\nend\n")
    assert agrees("took ... ms, 1,000 people\n", "took 17.3 ms, 1,000 people\n")
    for shown, printed in (
        ("Max 0.95", "Max 0.99"),
        ("Max 0.95", "Eileen 0.95"),
        ("a\nb", "a"),
        ("a", "a\nb"),
        ("1,000 people", "10 people"),
        ("took ... ms", "took 17.3 s"),
    ):
        assert not agrees(shown, printed), (shown, printed)
    with pytest.raises(AssertionError):
        examples("<!-- not run: no wish to -->\n```bash\nmultiface\n```\n")
    with pytest.raises(AssertionError):
        examples("```console\nmultiface\n```\n")
    assert [one.shown for one in examples("```bash\na\n```\n\n```text\nb\n```\n```python\nc\n```\n")] == [
        "b\n",
        None,
    ]


def test_the_reference_has_every_public_name() -> None:
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    shown = {path.rpartition(".")[2] for path in re.findall(r"^::: (\S+)$", text, re.M)} | {"__version__"}
    errors = {name for name in multiface.__all__ if hasattr(multiface.errors, name)}
    assert set(multiface.__all__) - errors <= shown and "errors" in shown


def test_the_pages_of_the_site_are_the_pages_that_are_there() -> None:
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"^ +- [^:\n]+: (\S+\.md)$", site, re.M)
    assert sorted(listed) == [page.name for page in PAGES]


def test_the_site_builds_without_a_warning_and_without_outside_addresses(tmp_path: Path) -> None:
    """A reader's browser asks nobody else: no font, script, style or picture from elsewhere."""
    if find_spec("mkdocs") is None or find_spec("mkdocstrings") is None or find_spec("material") is None:
        pytest.skip("needs the extra [docs]")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mkdocs",
            "build",
            "--strict",
            "--quiet",
            "--site-dir",
            str(tmp_path / "site"),
        ],
        cwd=ROOT,
        env=dict(os.environ) | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert outside(tmp_path / "site") == []
    assert "recognise.html" in {path.name for path in (tmp_path / "site").iterdir()}
    reference = (tmp_path / "site" / "reference.html").read_text(encoding="utf-8")
    for name in ("Recognizer", "identify", "Verification", "Detector", "MultifaceError"):
        assert f">{name}<" in reference or f".{name}" in reference, name


def outside(site: Path) -> list[str]:
    """Addresses of other machines that a page of the site loads by itself; links to be followed are not among them."""
    found = []
    loading = r"<(?:script|link|img|iframe|source|video|audio|object)\b[^>]*>"
    for page in site.rglob("*.html"):
        for tag in re.findall(loading, page.read_text("utf-8")):
            found += re.findall(r"(?:src|href|data|srcset)=[\"']?((?:https?:)?//[^\s\"'>]+)", tag)
    for style in site.rglob("*.css"):
        found += re.findall(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^)\"']+)", style.read_text("utf-8"))
    return found


def test_what_is_outside_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<link href="https://fonts.example/a.css"><a href="https://fine.example">x</a>'
    )
    (tmp_path / "a.css").write_text(
        "@import 'https://b.example/b.css'; p { background: url(//c.example/c.png) }"
    )
    assert outside(tmp_path) == [
        "https://fonts.example/a.css",
        "https://b.example/b.css",
        "//c.example/c.png",
    ]


def test_the_tools_of_the_site_are_an_extra_that_users_do_not_install() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert any(line.startswith("mkdocs-material") for line in project["optional-dependencies"]["docs"])
    assert not any("mkdocs" in line for line in project["dependencies"])

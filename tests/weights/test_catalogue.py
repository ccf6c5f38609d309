"""The catalogue: every entry is usable or says why not, and the files at hand are the ones it names."""

import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from building import sources
from multiface.errors import UsageError, WeightsMissing
from multiface.recognition.recognizer import DETECTOR, WEIGHTS
from multiface.weights.catalogue import CATALOGUE, Entry, by_sha256, checked_name, find

ROOT = Path(__file__).resolve().parents[2]
PLACEHOLDERS = {"mine", "run", "out", "runs/small", "mine.onnx"}
"""What stands for the user's own weights in examples."""

ALL = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)


def test_the_names_that_are_promised() -> None:
    names = [entry.name for entry in CATALOGUE]
    assert len(set(names)) == len(names)
    promised = "mtcnn yunet yunet_onet yunet_zoo sface sface_zoo "
    promised += "scrfd_500m scrfd_2.5g mobilefacenet_128_ms1m edgeface_xxs edgeface_xs "
    promised += "edgeface_s auraface buffalo_l buffalo_m buffalo_s buffalo_sc antelopev2"
    assert set(promised.split()) <= set(names)


@ALL
def test_entry_is_complete(entry: Entry) -> None:
    assert checked_name(entry.name) == entry.name
    assert (entry.spec is not None) == (entry.kind == "embedder") == (entry.family is None)
    assert entry.packed or len(entry.files) == 1, "what is pulled is one file"
    assert entry.licence and entry.origin and entry.published and entry.notes
    for file in entry.files:
        assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.size is None or file.size > 20_000
        assert all(url.startswith("https://") for url in file.urls)
        assert Path(file.filename).name == file.filename and file.filename.endswith((".onnx", ".lz4"))
        if file.sha256 is None:
            assert "sha256 not known" in entry.notes


@ALL
def test_commercial_use_agrees_with_the_licence(entry: Entry) -> None:
    forbids = "non-commercial" in entry.licence or "-NC" in entry.licence
    assert entry.commercial == (not forbids)


def test_defaults_may_be_used_by_a_company_and_need_no_download() -> None:
    for name in (DETECTOR, WEIGHTS, "mtcnn", "yunet"):
        assert find(name).commercial and find(name).packed


def test_what_is_packed_was_examined_when_the_wheel_was_built() -> None:
    """The catalogue and the build name the same published files."""
    packed = {file.sha256 for entry in CATALOGUE if entry.packed for file in entry.files}
    assert packed == {source.sha256 for source in sources.SOURCES}


@ALL
def test_what_is_not_packed_can_be_pulled(entry: Entry) -> None:
    """Whatever a message or a page recommends, `weights pull NAME` reaches it."""
    assert entry.packed or all(file.urls for file in entry.files)


def test_whatever_is_recommended_can_be_had() -> None:
    """Every name behind `weights pull`, `--weights` or `--detector` in a page, a message or an example."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.py")]
    pages += (ROOT / "src").rglob("*.py")
    words = re.compile(r"(?:weights pull|--weights|--detector)[ =]`?([a-z][a-z0-9_.]*[a-z0-9])")
    named = {(name, page.name) for page in pages for name in words.findall(page.read_text(encoding="utf-8"))}
    names = {entry.name for entry in CATALOGUE if entry.packed or all(file.urls for file in entry.files)}
    assert {(name, page) for name, page in named if name not in names | PLACEHOLDERS} == set()


def test_equal_files_have_equal_facts() -> None:
    seen: dict[str, tuple[object, ...]] = {}
    for entry in CATALOGUE:
        for file in entry.files:
            facts = (file.size, entry.kind, entry.licence, entry.spec, entry.published)
            if file.sha256:
                assert seen.setdefault(file.sha256, facts) == facts


@pytest.mark.parametrize("name", ["mobilefacenet_128_ms1m", "scrfd_2.5g", "scrfd_500m", "yunet_n"])
def test_files_at_hand(shared: Path, name: str) -> None:
    entry = find(name)
    (file,) = entry.files
    content = (shared / "data" / "weights" / file.filename).read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (file.size, file.sha256)
    assert by_sha256(str(file.sha256)) == entry


def test_network_at_hand_fits_its_spec(shared: Path) -> None:
    import onnx

    entry = find("mobilefacenet_128_ms1m")
    assert entry.spec is not None
    graph = onnx.load(shared / "data" / "weights" / entry.files[0].filename).graph
    sizes = [dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim]
    assert sizes == [1, 3, entry.spec.height, entry.spec.width]
    assert graph.output[0].type.tensor_type.shape.dim[1].dim_value == entry.spec.dimension


def test_by_sha256_of_nothing() -> None:
    assert by_sha256("0" * 64) is None


def test_unknown_name_gets_a_hint() -> None:
    with pytest.raises(WeightsMissing, match=r"Did you mean 'buffalo_l'\?") as error:
        find("bufalo_l")
    assert "auraface, buffalo_l" in str(error.value)
    with pytest.raises(WeightsMissing) as error:
        find("qqqq")
    assert "Did you mean" not in str(error.value) and "sface" in str(error.value)


BAD_NAMES = [
    "",
    ".",
    "..",
    "a/b",
    "a\\b",
    "../a",
    "a..b",
    ".a",
    "a.",
    "-a",
    "_a",
    "a b",
    "a\n",
    "a\0",
    "é",
    "a:b",
]
LIKE_FILES_OR_DEVICES = ["a" * 65, "a.onnx", "A.ONNX", "x.json", "con", "NUL", "com1.x", "a*"]


@pytest.mark.parametrize("name", [*BAD_NAMES, *LIKE_FILES_OR_DEVICES])
def test_bad_names(name: str) -> None:
    with pytest.raises(UsageError):
        checked_name(name)
    with pytest.raises(UsageError):
        find(name)


@pytest.mark.parametrize("name", ["a", "scrfd_2.5g", "A-1", "7", "a" * 64, "console", "com"])
def test_good_names(name: str) -> None:
    assert checked_name(name) == name


@given(st.text(max_size=20))
@example("a" * 64 + ".")
def test_a_name_is_one_visible_folder(name: str) -> None:
    """Whatever is let through is one path component that stays itself, and no hidden one."""
    try:
        checked_name(name)
    except UsageError:
        return
    assert Path("x", name).parts == ("x", name) and name[0] not in ".-" and name.isascii()
    assert name == name.strip() and name.isprintable()

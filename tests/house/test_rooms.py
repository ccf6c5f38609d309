"""The rooms of the house and the one direction of their imports.

Each file under `src/multiface` is read (not imported) and every import of ours in it, wherever it stands,
must lead to a room that comes before its own and is named for it here. `arrays`, `atomic_write`, `errors`,
`file_lock`, `file_name`, `html_page`, `json_text`, `plain_number`, `progress`, `regular_file`, `version` and
`visible` are open to all.
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "multiface"

ROOMS: dict[str, set[str]] = {
    "images": set(),
    "net": set(),
    "weights": {"net"},
    "metrics": set(),
    "faces": {"images", "weights"},
    "decision": {"metrics"},
    "gallery": {"images"},
    "recognition": {"images", "weights", "metrics", "faces", "decision", "gallery"},
    "datasets": {"images"},
    "evaluate": {"images", "weights", "metrics", "faces", "datasets"},
    "bulk": {"images", "weights", "faces", "datasets", "evaluate"},
    "train": {"images", "weights", "metrics", "datasets", "evaluate"},
    "video": {"images", "net", "weights", "faces", "decision", "gallery", "recognition"},
    "album": {"images", "net", "weights", "faces", "decision", "gallery", "recognition", "video"},
    "serve": {"images", "net", "weights", "faces", "decision", "gallery", "recognition", "video", "album"},
    "client": {"images", "net", "faces", "decision", "gallery", "recognition", "album"},
}
ROOMS["cli"] = set(ROOMS)
VIDEO: dict[str, set[str]] = {
    "sources": set(),
    "results": {"sources"},
    "window": set(),
    "tracks": {"results"},
    "names": {"results", "tracks"},
    "engine": {"sources", "results", "tracks", "names"},
    "copy": {"sources", "results"},
    "events": {"results"},
    "capture": {"sources", "tracks", "window"},
}
"""Inside the room of video."""
OPEN = {
    "arrays",
    "atomic_write",
    "errors",
    "file_lock",
    "file_name",
    "html_page",
    "json_text",
    "plain_number",
    "progress",
    "regular_file",
    "version",
    "visible",
}
TRAINING_LIBRARIES = {"torch", "safetensors", "simplejpeg", "tensorboard"}

FILES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Dotted names that a file imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def imported_at_the_top(path: Path) -> set[str]:
    """Dotted names that are imported as soon as a file is."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module))
    return names


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def upward(path: Path) -> set[str]:
    """Rooms that a file imports and may not."""
    allowed = ROOMS[room_of(path)] | OPEN | {room_of(path)}
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("multiface.")}
    return ours - allowed


@pytest.mark.parametrize(
    "path", [f for f in FILES if f.parent != PACKAGE], ids=lambda f: str(f.relative_to(PACKAGE))
)
def test_imports_lead_to_earlier_rooms_only(path: Path) -> None:
    assert upward(path) == set()


@pytest.mark.parametrize("rooms", [ROOMS, VIDEO], ids=["house", "video"])
def test_rooms_are_listed_in_their_order(rooms: dict[str, set[str]]) -> None:
    """A room's list holds only rooms that stand above it, so the whole can have no ring."""
    seen: set[str] = set()
    for room, allowed in rooms.items():
        assert allowed <= seen, room
        seen.add(room)


def test_the_parts_of_video_import_earlier_parts_only() -> None:
    folder = PACKAGE / "video"
    parts = {
        path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert parts - {"__init__"} == set(VIDEO)
    for path in folder.rglob("*.py"):
        part = path.relative_to(folder).parts[0].removesuffix(".py")
        ours = {name.split(".")[2] for name in imported(path) if name.startswith("multiface.video.")}
        assert ours <= VIDEO.get(part, set()) | {part}, path


def test_every_folder_is_a_listed_room() -> None:
    folders = {p.name for p in PACKAGE.iterdir() if p.is_dir() and (p / "__init__.py").is_file()}
    assert folders <= set(ROOMS)


def test_training_libraries_are_loaded_by_the_training_room_and_by_commands_that_run() -> None:
    for path in FILES:
        if room_of(path) == "train":
            continue
        top = {n.split(".")[0] for n in imported_at_the_top(path)}
        anywhere = {n.split(".")[0] for n in imported(path)}
        assert not (top if room_of(path) == "cli" else anywhere) & TRAINING_LIBRARIES, path


def test_train_is_imported_only_inside_functions_of_cli() -> None:
    for path in FILES:
        if room_of(path) == "train":
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "multiface.train" not in ast.unparse(node), path


def rings(graph: dict[str, set[str]]) -> set[str]:
    """Nodes that lead back to themselves."""
    found = set()
    for start in graph:
        seen, ahead = set[str](), [start]
        while ahead:
            fresh = graph.get(ahead.pop(), set()) - seen
            seen |= fresh
            ahead += fresh
        if start in seen:
            found.add(start)
    return found


def test_no_ring_of_files() -> None:
    """Imports inside functions count too; those for types alone do not run, and do not."""
    files = {".".join(("multiface", *f.relative_to(PACKAGE).with_suffix("").parts)): f for f in FILES}
    graph = {}
    for name, path in files.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = []
        froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        names = {str(node.module) for node in froms}
        names |= {f"{node.module}.{alias.name}" for node in froms for alias in node.names}
        graph[name] = (names & files.keys()) - {name}
    assert "multiface.cli.console" in graph["multiface.cli.paths"]
    assert rings(graph) == set()
    assert rings({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == {"b", "c"}


def test_a_wrong_import_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check itself can fail: a file of `metrics` that reaches up to `gallery`, inside a function."""
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    (tmp_path / "metrics").mkdir()
    file = tmp_path / "metrics" / "reaching.py"
    file.write_text("def f():\n    from multiface.gallery.search import top_two\n    return top_two\n")
    assert upward(file) == {"gallery"}


def test_no_file_is_named_for_nothing() -> None:
    assert [f for f in FILES if f.stem in {"utils", "util", "helpers", "common", "misc"}] == []


@pytest.mark.parametrize("path", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_a_file_opens_with_what_it_holds(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))

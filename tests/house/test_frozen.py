"""Data flows through frozen dataclasses: the few that change while something is worked on are named here."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "multiface"
CHANGE = {
    "album/names_import.py: Found",
    "album/scanning.py: _Counts",
    "album/xmp/tree.py: Attribute",
    "album/xmp/tree.py: Document",
    "album/xmp/tree.py: Element",
    "datasets/bin_pickle.py: PickledArray",
    "datasets/tar_identities.py: _Sample",
    "datasets/unpack.py: _Count",
    "gallery/folder_import.py: _Enrolled",
    "gallery/folder_import.py: _Picture",
    "gallery/folder_import.py: _Run",
    "gallery/reembedding.py: _Run",
    "serve/cameras/supervisor.py: _Kept",
    "train/buckets.py: _Bucket",
    "train/follow.py: _Log",
    "train/loss_scale.py: LossScale",
    "train/step.py: Learner",
    "video/sources/frame.py: Frame",
    "video/tracks/live_track.py: LiveTrack",
    "video/tracks/tracker.py: _Changes",
    "weights/fetch.py: _Download",
}


def changing(tree: ast.AST) -> set[str]:
    """The dataclasses that are not frozen."""
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for made in map(ast.unparse, node.decorator_list)
        if made.startswith("dataclass") and "frozen=True" not in made
    }


def test_dataclasses_are_frozen_but_for_these() -> None:
    found = {
        f"{path.relative_to(PACKAGE).as_posix()}: {name}"
        for path in PACKAGE.rglob("*.py")
        for name in changing(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == CHANGE


def test_one_that_is_not_frozen_is_seen() -> None:
    made = "@dataclass(frozen=False, slots=True)\nclass A:\n    b: int\n@dataclass\nclass B:\n    b: int\n"
    assert changing(ast.parse(made)) == {"A", "B"}
    assert changing(ast.parse("@dataclass(frozen=True)\nclass A:\n    b: int\n")) == set()

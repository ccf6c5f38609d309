"""A dataclass that holds arrays has no `==` made from its fields: comparing arrays raises, and so does hashing them."""

import ast
import functools
from pathlib import Path

import numpy as np

from multiface import Faces

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "multiface"
TREES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in PACKAGE.rglob("*.py")
}


def names_in(node: ast.AST) -> set[str]:
    """Names in an annotation, also where it is a text; those of what a function takes and gives are not held."""
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Callable":
        return set()
    found = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    found |= {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
    for text in (n.value for n in ast.walk(node) if isinstance(n, ast.Constant)):
        if isinstance(text, str) and text.isprintable():
            try:
                found |= names_in(ast.parse(text, mode="eval"))
            except SyntaxError:
                continue
    return found


@functools.cache
def kinds_of_arrays() -> set[str]:
    """`NDArray`, `Tensor` and every name that the package gives to a kind of them."""
    known = {"NDArray", "ndarray", "Tensor"}
    aliases = {
        node.targets[0].id: names_in(node.value)
        for tree in TREES.values()
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if isinstance(node.value, ast.Subscript | ast.BinOp | ast.Attribute)
    }
    while more := {name for name, inside in aliases.items() if inside & known} - known:
        known |= more
    return known


def with_arrays(tree: ast.Module) -> list[ast.ClassDef]:
    """The dataclasses in a file that hold arrays and would compare them."""
    kinds, found = kinds_of_arrays(), []
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        made = [text for text in map(ast.unparse, node.decorator_list) if text.startswith("dataclass")]
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
        own = any(isinstance(part, ast.FunctionDef) and part.name == "__eq__" for part in node.body)
        holds = any(names_in(part.annotation) & kinds for part in fields)
        if made and holds and not own and "eq=False" not in made[0]:
            found.append(node)
    return found


def test_arrays_are_not_compared() -> None:
    assert [(file, node.name) for file, tree in TREES.items() for node in with_arrays(tree)] == []


def test_it_would_be_noticed() -> None:
    assert {"Floats", "Image", "Pixels", "Tensor"} <= kinds_of_arrays()
    head = "@dataclass(frozen=True)\nclass A:\n    "
    for field in ("x: Floats | None", "x: tuple[bytes | Image, ...]", "x: 'npt.NDArray[np.uint8]'"):
        assert with_arrays(ast.parse(head + field))
    assert not with_arrays(ast.parse(head + "x: int"))
    assert not with_arrays(ast.parse(head.replace("=True", "=True, eq=False") + "x: Floats"))


def test_faces_can_be_compared_and_hashed() -> None:
    def faces() -> Faces:
        return Faces(np.zeros((2, 4), np.float32), np.zeros(2, np.float32), np.zeros((2, 5, 2), np.float32))

    one = faces()
    assert one == one and one != faces() and len({one, faces()}) == 2

"""One tree of errors, drawn in its docstring; each error says what it is about in fields, too."""

import copy
import inspect
import io
import re
from pathlib import Path

import pytest

from multiface import errors, load_picture
from multiface.errors import MultifaceError, PictureError, UndecodablePicture, WeightsError, about
from multiface.weights.onnx_metadata import onnx_metadata


def test_the_tree_is_drawn_as_it_is() -> None:
    assert errors.__doc__ is not None
    drawn: list[tuple[int, str]] = []
    for line in errors.__doc__.splitlines():
        found = re.fullmatch(r"((?:[│ ]   )*)(?:[├└]── )?(\w+)(?:  +\w.*)?", line)
        if found and hasattr(errors, found[2]):
            drawn.append((len(found[1]) // 4 + ("──" in line), found[2]))
    above: list[str] = []
    parents = {}
    for depth, name in drawn:
        above[depth:] = [name]
        parents[name] = above[depth - 1] if depth else "Exception"
    kinds = {n: c for n, c in vars(errors).items() if inspect.isclass(c) and issubclass(c, MultifaceError)}
    assert parents == {name: kind.__bases__[0].__name__ for name, kind in kinds.items()}


def test_an_error_has_its_fields_and_keeps_them() -> None:
    plain = MultifaceError("a")
    assert (str(plain), plain.path, plain.picture, plain.name, plain.hint) == ("a", None, None, None, None)
    full = WeightsError("no", path="x.onnx", picture="p", name="mine", hint="do it")
    for one in (full, copy.copy(full)):
        assert type(one) is WeightsError and str(one) == "no; do it"
        assert (one.path, one.picture, one.name, one.hint) == (Path("x.onnx"), "p", "mine", "do it")


def test_every_error_can_be_copied_and_so_pickled() -> None:
    """As worker processes hand it on."""
    for kind in vars(errors).values():
        if inspect.isclass(kind) and issubclass(kind, MultifaceError):
            error = kind("no")
            error.name, error.path = "mine", Path("x")
            copied = copy.copy(error)
            assert (type(copied), str(copied), copied.name, copied.path) == (kind, "no", "mine", Path("x"))


def test_what_is_known_inside_is_not_replaced() -> None:
    with pytest.raises(MultifaceError) as caught, about("outer", "picture", "name"):
        raise MultifaceError("x", path="inner")
    error = caught.value
    assert (error.path, error.picture, error.name) == (Path("inner"), "picture", "name")
    with pytest.raises(ValueError), about("outer"):
        raise ValueError


def test_pictures_say_which(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    for source, path, picture in (
        (tmp_path / "a.jpg", tmp_path / "a.jpg", str(tmp_path / "a.jpg")),
        (str(tmp_path / "none.jpg"), tmp_path / "none.jpg", str(tmp_path / "none.jpg")),
        (b"text", None, "the picture"),
        (io.BytesIO(b""), None, "the picture"),
    ):
        with pytest.raises(PictureError) as caught:
            load_picture(source)
        assert (caught.value.path, caught.value.picture) == (path, picture)
    with pytest.raises(UndecodablePicture) as caught:
        load_picture(tmp_path / "a.jpg")
    with pytest.raises(PictureError) as folder:
        load_picture(tmp_path)
    assert folder.value.hint == "name a picture in it" and str(folder.value).endswith(
        "; name a picture in it"
    )


def test_weights_say_which_file(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"\xff" * 40)
    with pytest.raises(WeightsError) as caught:
        onnx_metadata(tmp_path / "a.onnx")
    assert caught.value.path == tmp_path / "a.onnx"

"""Bad input ends with a sentence and an exit code, never with a traceback (`call` raises one)."""

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)


@pytest.fixture
def place(tmp_path: Path, portrait: Path, broken: Path, empty_wall: Path) -> Path:
    """A working folder with everything that can be wrong."""
    assert broken.parent == empty_wall.parent == tmp_path
    (tmp_path / "face.jpg").write_bytes(portrait.read_bytes())
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "photo.heic").write_bytes(HEIC)
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("x")
    (tmp_path / "nobody" / "wall").mkdir(parents=True)
    (tmp_path / "nobody" / "wall" / "wall.png").write_bytes(empty_wall.read_bytes())
    (tmp_path / "no_database").write_text("hello" * 300)
    return tmp_path


NO_SERVER = (4, "PostgreSQL") if find_spec("psycopg") is None else (3, "the server cannot be reached")
"""Exit code and words, without the extra and with it."""

CASES = [
    # pictures
    ("detect missing.jpg", 3, "missing.jpg: there is no such file"),
    ("detect empty", 3, "no picture was found in empty"),
    ("detect texts", 3, "no picture was found in texts"),
    ("detect text.jpg", 3, "text.jpg: is not a picture"),
    ("detect empty.jpg", 3, "empty.jpg: is empty"),
    ("detect broken.jpg", 3, "broken.jpg: cannot be decoded"),
    ("identify missing.jpg --people nobody", 3, "missing.jpg"),
    ("align broken.jpg --out crops", 3, "broken.jpg"),
    ("embed text.jpg --out v.npz", 3, "text.jpg"),
    ("verify missing.jpg face.jpg", 3, "missing.jpg"),
    ("verify face.jpg empty", 3, "empty: is a folder"),
    ("verify face.jpg broken.jpg", 3, "broken.jpg"),
    ("verify face.jpg wall.png", 3, "no face was found"),
    ("enroll x missing.jpg --gallery g.sqlite", 3, "missing.jpg"),
    ("enroll x wall.png --gallery g.sqlite", 3, "no face was found"),
    ("enroll x broken.jpg --gallery g.sqlite", 3, "broken.jpg"),
    # people and galleries
    ("identify face.jpg", 3, "multiface facebank FOLDER"),
    ("identify face.jpg --people missing", 3, "missing: does not exist"),
    ("identify face.jpg --people face.jpg", 3, "face.jpg: is a file"),
    ("identify face.jpg --people empty", 3, "no picture of a person could be used"),
    ("identify face.jpg --people nobody", 3, "no face was found"),
    ("identify face.jpg --people nobody --gallery g.sqlite", 2, "--people or --gallery"),
    ("identify face.jpg --gallery missing.sqlite", 3, "missing.sqlite: there is no such file"),
    ("identify face.jpg --gallery no_database", 3, "not a gallery"),
    ("identify face.jpg --gallery empty", 3, "it is a folder"),
    ("identify face.jpg --gallery postgresql://127.0.0.1:1/name", *NO_SERVER),
    ("identify face.jpg --gallery mysql://host/name", 2, "mysql:// is not known"),
    ("facebank missing --gallery g.sqlite", 3, "missing: does not exist"),
    ("facebank face.jpg --gallery g.sqlite", 3, "face.jpg: is a file"),
    ("facebank empty --gallery g.sqlite", 3, "no picture of a person could be used"),
    ("facebank nobody --gallery nowhere/g.sqlite", 3, "there is no folder"),
    ("facebank nobody --gallery no_database", 3, "not a gallery"),
    ("people list --gallery missing.sqlite", 3, "there is no such file"),
    ("people list --gallery no_database", 3, "not a gallery"),
    ("people list --gallery empty.jpg", 3, "the file is empty"),
    ("people list", 3, "nobody is known"),
    ("people check --gallery no_database", 3, "not a gallery"),
    ("people show x --gallery missing.sqlite", 3, "there is no such file"),
    # detectors, weights, engines, numbers
    ("detect face.jpg --detector yunet_m", 4, "Did you mean 'yunet"),
    ("detect face.jpg --detector sface", 2, "is an embedder, not a detector"),
    ("embed face.jpg --json --weights mobilfacenet_128", 4, "Did you mean 'mobilefacenet_128_ms1m'?"),
    ("embed face.jpg --json --weights mtcnn", 2, "is a detector, not an embedder"),
    ("embed face.jpg --json --weights missing.onnx", 4, "missing.onnx: there is no such file"),
    ("embed face.jpg --json --weights ./text.jpg", 3, "text.jpg"),
    ("embed face.jpg --json --weights empty", 3, "best.onnx"),
    ("embed face.jpg --json --weights sface_zoo", 4, "multiface weights pull sface_zoo"),
    ("embed face.jpg --json --weights dlib", 4, "facebank FOLDER` makes a gallery anew"),
    ("detect face.jpg --detector scrfd_500m", 4, "multiface weights pull scrfd_500m"),
    ("detect face.jpg --engine gpu", 2, "unknown engine 'gpu'"),
    ("detect face.jpg --engine cuda", 4, "engine 'cuda' is not in this ONNX Runtime"),
    ("detect face.jpg --threads 0", 2, "threads must be within"),
    ("detect face.jpg --threads two", 2, "as an integer"),
    ("detect face.jpg --min-face 0", 2, "min_face must be a number of pixels above 0"),
    ("detect face.jpg --min-face nan", 2, "min_face must be a number of pixels above 0"),
    ("identify face.jpg --people nobody --rate 0", 2, "between 0 and 1"),
    ("identify face.jpg --people nobody --rate 1", 2, "between 0 and 1"),
    ("identify face.jpg --people nobody --rate 2", 2, "between 0 and 1"),
    ("identify face.jpg --people nobody --rate nan", 2, "between 0 and 1"),
    ("verify face.jpg face.jpg --rate 0", 2, "between 0 and 1"),
    ("verify face.jpg face.jpg --rate 1", 2, "between 0 and 1"),
    ("verify face.jpg face.jpg --rate 2", 2, "between 0 and 1"),
    ("verify face.jpg face.jpg --rate 1e-12", 3, "out of reach of this calibration"),
    # outputs
    ("detect face.jpg --out nowhere/x.png", 2, "cannot be written"),
    ("detect face.jpg --out text.jpg/x", 2, "cannot be made a folder"),
    ("detect face.jpg wall.png --out text.jpg", 2, "this names a file, and there are 2 pictures"),
    ("align face.jpg --out text.jpg", 2, "crops go into a folder"),
    ("align face.jpg --out no_database", 2, "cannot be made a folder"),
    ("detect face.jpg wall.png --out x.png", 2, "this names a file, and there are 2 pictures"),
    ("detect face.jpg --out y.gif", 2, "got the ending '.gif'"),
    ("detect face.jpg wall.png --out y.gif", 2, "this names a file"),
    ("identify face.jpg --people nobody --out y.gif", 2, "got the ending '.gif'"),
    ("align face.jpg --out x.png", 2, "crops go into a folder"),
    ("embed face.jpg", 2, "give --out FILE.npz"),
    ("embed face.jpg --out v.csv", 2, ".npz, .jsonl or .parquet"),
    ("embed face.jpg --out v.jsonl --raw", 2, "--raw needs"),
    ("embed face.jpg --out nowhere/v.npz", 2, "cannot be written"),
    ("embed face.jpg --out nowhere/v.jsonl", 2, "cannot be written"),
    ("demo --out nowhere/x.png", 2, "cannot be written"),
    ("demo --out x.gif", 2, "ending"),
    # sets
    ("evaluate missing", 3, "missing: there is no such file or folder"),
    ("evaluate texts", 3, "neither pairs.txt nor a .bin pack is in it"),
    ("calibrate missing", 3, "missing: is not a folder"),
    ("calibrate texts", 3, "no pictures in folders of people"),
    ("calibrate nobody", 3, "100 people or more"),
    # weights
    ("weights show yunett", 4, "Did you mean 'yunet'?"),
    ("weights pull nonsense", 4, "no weights are named 'nonsense'"),
    ("weights pull sface_zoo --from missing", 4, "missing: there is no such folder"),
    ("weights pull sface_zoo --from empty", 4, "empty"),
    ("weights import missing.onnx --name x", 3, "missing.onnx: there is no such file"),
    ("weights import text.jpg --name x", 3, "text.jpg"),
    ("weights import text.jpg --name x --spec missing.json", 3, "missing.json: there is no such file"),
    ("weights import text.jpg --name x --spec text.jpg", 3, "input spec: not readable"),
    ("weights import text.jpg --name a/b", 2, "cannot name weights"),
    ("weights remove nonsense", 4, "is not in the store"),
]


@pytest.mark.parametrize(("command", "code", "words"), CASES, ids=[case[0] for case in CASES])
def test_a_sentence_and_a_code(
    command: str, code: int, words: str, call: Callable[..., Any], place: Path
) -> None:
    done = call(*command.split(), cwd=place)
    assert done.code == code, done
    assert words in " ".join(done.err.replace("│", " ").split())
    assert "Traceback" not in done.err


def test_no_half_files_stay(call: Callable[..., Any], place: Path) -> None:
    before = set(place.iterdir())
    for command in (
        "demo --out x.gif",
        "embed face.jpg --out nowhere/v.npz",
        "facebank missing --gallery g.sqlite",
    ):
        assert call(*command.split(), cwd=place).code in (2, 3)
    assert set(place.iterdir()) == before


def test_a_rate_out_of_reach_ends_identify(call: Callable[..., Any], people: Path, portrait: Path) -> None:
    done = call("identify", portrait, "--people", people, "--rate", "1e-12", "--json")
    assert done.code == 3
    assert done.document()["error"]["kind"] == "RateNotSupported"


def test_several_faces_are_not_guessed(
    call: Callable[..., Any], groups: Path, portrait: Path, tmp_path: Path
) -> None:
    done = call("verify", groups / "two_people.jpg", portrait)
    assert done.code == 3
    assert "two_people.jpg has 2 faces" in done.err
    done = call("enroll", "x", groups / "two_people.jpg", "--gallery", tmp_path / "g.sqlite", "--json")
    assert done.code == 3
    (refused,) = done.document()["refused"]
    assert "2 faces" in refused["reason"]


def test_heic_without_the_extra_is_4(
    call: Callable[..., Any], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    done = call("detect", "photo.heic", cwd=place)
    assert done.code == 4
    assert ".[heic]" in done.err
    done = call("detect", "photo.heic", "face.jpg", "--json", cwd=place)
    assert done.code == 4
    first, second = done.document()["pictures"]
    assert ".[heic]" in first["error"]
    assert len(second["faces"]) == 1
    assert call("detect", "photo.heic", "broken.jpg", cwd=place).code == 3


def test_heic_with_the_extra_but_broken_is_3(call: Callable[..., Any], place: Path) -> None:
    done = call("detect", "photo.heic", cwd=place)
    assert done.code == 3
    assert "photo.heic" in done.err


@pytest.mark.parametrize(
    "command", ["detect", "align --out crops", "embed --out v.jsonl", "identify --people {people}"]
)
def test_the_others_are_answered(command: str, call: Callable[..., Any], place: Path, people: Path) -> None:
    words = command.format(people=people).split()
    done = call(words[0], "face.jpg", "broken.jpg", "text.jpg", "wall.png", *words[1:], "--json", cwd=place)
    assert done.code == 3
    first, second, third, fourth = done.document()["pictures"]
    assert [one["path"] for one in (first, second, third, fourth)] == [
        "face.jpg",
        "broken.jpg",
        "text.jpg",
        "wall.png",
    ]
    assert "error" in second and "error" in third
    assert "error" not in first and "error" not in fourth
    assert "broken.jpg" in done.err and "text.jpg" in done.err


@pytest.mark.parametrize(
    ("text", "variable", "value"),
    [
        ("detector = 5", "", ""),
        ("nonsense = 1", "", ""),
        ("", "MULTIFACE_THREADS", "many"),
        ("", "MULTIFACE_FLIP", "2"),
    ],
)
def test_bad_settings_are_2(
    text: str, variable: str, value: str, call: Callable[..., Any], place: Path
) -> None:
    (place / "multiface.toml").write_text(text)
    done = call("detect", "face.jpg", cwd=place, env={variable: value} if variable else {})
    assert done.code == 2
    assert (variable or "multiface.toml") in done.err


def test_a_cache_that_cannot_be_written(call: Callable[..., Any], place: Path, people: Path) -> None:
    """The vectors of people folders go into its folder `people`."""
    (place / "cache").mkdir()
    (place / "cache" / "people").touch()
    done = call(
        "identify",
        "face.jpg",
        "--people",
        people,
        cwd=place,
        env={"MULTIFACE_CACHE": str(place / "cache")},
    )
    assert done.code == 0
    assert "cannot be kept" in done.err


def test_the_real_command_has_no_traceback(run: Callable[..., Any], place: Path) -> None:
    """`run` itself looks for one; here for an error that Python would show at exit."""
    done = run("detect", "broken.jpg", "--json", cwd=place)
    assert done.code == 3
    assert "error" in done.document()["pictures"][0]

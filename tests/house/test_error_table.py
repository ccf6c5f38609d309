"""Errors of public calls and the fields they have: real pictures, galleries, networks and sets, provoked one by one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
import PIL.Image
import pytest

from multiface import Album, Gallery, Recognizer, RecognizerSettings, load_picture
from multiface.datasets.bin_pack import read_bin
from multiface.datasets.opening import open_identities
from multiface.datasets.people import portraits_by_person
from multiface.decision.calibration import read_calibration
from multiface.errors import (
    AmbiguousName,
    DataSetError,
    EngineMissing,
    GalleryConflict,
    GalleryError,
    InputError,
    MultifaceError,
    NoFace,
    NotInGallery,
    PictureError,
    PictureTooLarge,
    RateNotSupported,
    SeveralFaces,
    UndecodablePicture,
    UsageError,
    WeightsError,
    WeightsMissing,
)
from multiface.images.limits import PictureLimits
from multiface.images.save import save_picture
from multiface.recognition.demo import PORTRAIT
from multiface.weights.catalogue import CATALOGUE
from multiface.weights.fetch import find_in_folder
from multiface.weights.store import Store

SETTINGS = RecognizerSettings(threads=1)
FETCHED = next(entry for entry in CATALOGUE if not entry.packed and entry.files[0].sha256 is not None)
HERE = "HERE"
"""Begins a path below the folder of the test."""


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """A folder of files; a gallery with Eileen, and two people called Max."""

    folder: Path
    recognizer: Recognizer
    gallery: Gallery
    store: Store


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("table")
    portrait = load_picture(PORTRAIT)
    for name, picture in (
        ("two.png", np.concatenate([portrait, portrait], axis=1)),
        ("mirrored.png", portrait[:, ::-1]),
        ("cut.png", portrait[4:]),
        ("black.png", np.zeros((64, 64, 3), np.uint8)),
    ):
        PIL.Image.fromarray(picture).save(folder / name)
    for name, content in (
        ("empty.jpg", b""),
        ("empty.mp4", b""),
        ("text.onnx", b"no network" * 100),
        ("text.sqlite", b"no database" * 100),
        ("text.bin", b"\x80\x04no pack"),
        ("text.json", b"{}"),
        ("no.toml", b"a = ["),
        ("odd.toml", b"[network]\nembedding = 512\n[head]\nslices = 3\n"),
        ("arms.toml", b"[arms.one]\n"),
    ):
        (folder / name).write_bytes(content)
    (folder / "nobody").mkdir()
    with Recognizer(gallery=folder / "people.sqlite", create=True, settings=SETTINGS) as recognizer:
        assert recognizer.gallery is not None
        recognizer.enroll("Eileen", PORTRAIT)
        recognizer.enroll("Max", folder / "mirrored.png", another=True)
        recognizer.enroll("Max", folder / "cut.png", another=True)
        yield World(folder, recognizer, recognizer.gallery, Store(folder / "store", cache=folder / "cache"))


Row = tuple[Callable[[World], object], type[MultifaceError], dict[str, str]]


def album(world: World) -> Album:
    return Album(world.recognizer)


PEOPLE = "HERE/people.sqlite"
TABLE: dict[str, Row] = {
    "an empty picture": (
        lambda w: load_picture(w.folder / "empty.jpg"),
        UndecodablePicture,
        {"path": "HERE/empty.jpg", "picture": "HERE/empty.jpg"},
    ),
    "a folder for a picture": (
        lambda w: load_picture(w.folder / "nobody"),
        PictureError,
        {"path": "HERE/nobody", "picture": "HERE/nobody", "hint": "name a picture in it"},
    ),
    "no such picture": (
        lambda w: w.recognizer.identify(w.folder / "none.jpg"),
        PictureError,
        {"path": "HERE/none.jpg", "picture": "HERE/none.jpg"},
    ),
    "a picture without a name": (lambda _: load_picture(b"text"), PictureError, {"picture": "the picture"}),
    "a picture over the limit": (
        lambda _: load_picture(PORTRAIT, limits=PictureLimits(max_decoded=1000)),
        PictureTooLarge,
        {"path": str(PORTRAIT), "hint": "scale it down, or allow more (--max-picture)"},
    ),
    "several pictures in one array": (
        lambda _: load_picture(np.zeros((2, 4, 5, 3), np.uint8)),
        PictureError,
        {"picture": "the picture", "hint": "pass one picture at a time, channels last"},
    ),
    "no face to compare": (
        lambda w: w.recognizer.verify(w.folder / "black.png", PORTRAIT),
        NoFace,
        {"picture": "HERE/black.png"},
    ),
    "several faces to compare": (
        lambda w: w.recognizer.verify(w.folder / "two.png", PORTRAIT),
        SeveralFaces,
        {"picture": "HERE/two.png", "hint": "crop it to one person"},
    ),
    "a picture written as text": (
        lambda w: save_picture(np.zeros((2, 2, 3), np.uint8), w.folder / "a.txt"),
        UsageError,
        {"path": "HERE/a.txt"},
    ),
    "somebody unknown": (
        lambda w: w.gallery.person("Eilen"),
        NotInGallery,
        {"path": PEOPLE, "name": "Eilen", "hint": "did you mean 'Eileen'?"},
    ),
    "an id of nobody": (
        lambda w: w.gallery.person("p_0000000000000000"),
        NotInGallery,
        {"path": PEOPLE, "name": "p_0000000000000000", "hint": "`multiface people list` shows the ids"},
    ),
    "a name that two people have": (
        lambda w: w.gallery.remove("Max"),
        AmbiguousName,
        {"path": PEOPLE, "name": "Max", "hint": "give the id instead of the name: "},
    ),
    "a name that is taken": (
        lambda w: w.gallery.rename("Eileen", "Max"),
        GalleryConflict,
        {"path": PEOPLE, "name": "Max", "hint": "choose another name"},
    ),
    "somebody merged with herself": (
        lambda w: w.gallery.merge("Eileen", "Eileen"),
        UsageError,
        {"name": "Eileen", "hint": "name two people"},
    ),
    "a template of somebody else": (
        lambda w: w.gallery.split("Eileen", [999], "Ann"),
        NotInGallery,
        {"path": PEOPLE, "name": "Eileen"},
    ),
    "a person without a template": (
        lambda w: w.gallery.split("Eileen", [w.gallery.templates("Eileen")[0].id], "Ann"),
        UsageError,
        {"name": "Eileen", "hint": "rename the person instead"},
    ),
    "a name that cannot be one": (
        lambda w: w.gallery.rename("Eileen", "a\nb"),
        UsageError,
        {"name": "a\nb", "hint": "leave out control characters and line breaks"},
    ),
    "a change that is not there": (
        lambda w: w.gallery.undo(999),
        NotInGallery,
        {"path": PEOPLE, "hint": "`multiface people changes` lists them"},
    ),
    "one picture enrolled twice": (
        lambda w: w.recognizer.enroll("Ann", PORTRAIT),
        GalleryConflict,
        {"path": PEOPLE, "name": "Eileen", "hint": "remove or merge one of the two people first"},
    ),
    "no such gallery": (
        lambda w: Gallery.open(w.folder / "none.sqlite"),
        GalleryError,
        {"path": "HERE/none.sqlite"},
    ),
    "a text for a gallery": (
        lambda w: Gallery.open(w.folder / "text.sqlite"),
        GalleryError,
        {"path": "HERE/text.sqlite"},
    ),
    "a database of another maker": (
        lambda _: Gallery.open("mysql://host/people"),
        UsageError,
        {"hint": "give a path, sqlite:///path or postgresql://host/database"},
    ),
    "no such folder of people": (
        lambda w: Recognizer(people=w.folder / "none", settings=SETTINGS),
        PictureError,
        {"path": "HERE/none"},
    ),
    "weights that nobody knows": (
        lambda _: Recognizer(weights="sfaze", settings=SETTINGS),
        WeightsMissing,
        {"name": "sfaze"},
    ),
    "weights that are not there yet": (
        lambda w: (
            w.store.embedder(FETCHED.name) if FETCHED.kind == "embedder" else w.store.detector(FETCHED.name)
        ),
        WeightsMissing,
        {"name": FETCHED.name, "hint": f"run `multiface weights pull {FETCHED.name}`"},
    ),
    "no such file of weights": (
        lambda w: Recognizer(weights=str(w.folder / "none.onnx"), settings=SETTINGS),
        WeightsMissing,
        {"path": "HERE/none.onnx"},
    ),
    "a text for weights": (
        lambda w: Recognizer(weights=str(w.folder / "text.onnx"), settings=SETTINGS),
        WeightsError,
        {"path": "HERE/text.onnx"},
    ),
    "a text to import": (
        lambda w: w.store.import_embedder(w.folder / "text.onnx", "mine"),
        WeightsError,
        {"path": "HERE/text.onnx"},
    ),
    "an embedder for a detector": (
        lambda _: Recognizer(detector="sface", settings=SETTINGS),
        UsageError,
        {"name": "sface"},
    ),
    "weights that cannot be removed": (lambda w: w.store.remove("mine"), WeightsMissing, {"name": "mine"}),
    "a name that weights cannot have": (lambda w: w.store.remove("a/b"), UsageError, {"name": "a/b"}),
    "a folder without the weights": (
        lambda w: find_in_folder(w.folder, FETCHED.files),
        WeightsMissing,
        {"path": "HERE"},
    ),
    "a rate out of reach": (
        lambda w: w.recognizer.verify(PORTRAIT, w.folder / "mirrored.png", rate=1e-12),
        RateNotSupported,
        {"hint": "ask for "},
    ),
    "a broken calibration": (
        lambda w: read_calibration(w.folder / "text.json"),
        InputError,
        {"path": "HERE/text.json", "hint": "make it again with `multiface calibrate`"},
    ),
    "no such folder of photos": (
        lambda w: album(w).scan([w.folder / "none"]),
        PictureError,
        {"path": "HERE/none"},
    ),
    "a photo that was not scanned": (
        lambda w: album(w).mark(w.folder / "two.png", (0, 0, 9, 9)),
        NotInGallery,
        {"path": "HERE/two.png", "hint": "`multiface album scan HERE` adds it"},
    ),
    "a group merged with itself": (
        lambda w: album(w).merge(1, 1),
        UsageError,
        {"hint": "give two groups"},
    ),
    "a broken pack": (
        lambda w: read_bin(w.folder / "text.bin"),
        DataSetError,
        {"path": "HERE/text.bin", "hint": "fetch "},
    ),
    "no such pack": (
        lambda w: read_bin(w.folder / "none.bin"),
        DataSetError,
        {"path": "HERE/none.bin", "hint": "check the path"},
    ),
    "people without pictures": (
        lambda w: portraits_by_person(w.folder / "nobody"),
        DataSetError,
        {"path": "HERE/nobody"},
    ),
    "no such set": (lambda w: open_identities(w.folder / "none"), DataSetError, {"path": "HERE/none"}),
}


def provoke(world: World, row: Row) -> None:
    call, kind, fields = row
    with pytest.raises(kind) as caught:
        call(world)
    error = caught.value
    for field, wanted in fields.items():
        found = str(getattr(error, field))
        wanted = wanted.replace(HERE, str(world.folder))
        assert found.startswith(wanted) if field == "hint" else found == wanted, (field, found, str(error))
    if error.hint is not None:
        assert str(error).endswith(error.hint)


@pytest.mark.parametrize("case", TABLE)
def test_an_error_has_its_fields(case: str, world: World) -> None:
    provoke(world, TABLE[case])


def test_an_engine_that_is_not_there_says_what_to_do() -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(EngineMissing) as caught:
        Recognizer(settings=RecognizerSettings(engine="cuda"))
    assert caught.value.hint == "install the ONNX Runtime build for cuda or use the engine cpu"


def test_errors_of_video_have_their_fields(world: World) -> None:
    if find_spec("av") is None:
        pytest.skip("needs av")
    from multiface import open_source

    rows: list[Row] = [
        (lambda w: open_source(str(w.folder / "none.mp4")), InputError, {"path": "HERE/none.mp4"}),
        (lambda w: open_source(str(w.folder / "empty.mp4")), InputError, {"path": "HERE/empty.mp4"}),
        (lambda w: open_source(str(w.folder / "nobody")), InputError, {"path": "HERE/nobody"}),
        (lambda _: open_source("a.mp4", rate=3), UsageError, {"hint": "leave out the rate"}),
    ]
    for row in rows:
        provoke(world, row)


def test_errors_of_training_have_their_fields(world: World) -> None:
    if find_spec("torch") is None:
        pytest.skip("needs torch")
    from multiface.train.experiment.plan import load_experiment
    from multiface.train.recipe import load_recipe

    rows: list[Row] = [
        (lambda _: load_recipe("smal"), UsageError, {"path": "smal", "hint": "give a TOML file, or one of "}),
        (lambda w: load_recipe(str(w.folder / "no.toml")), UsageError, {"path": "HERE/no.toml"}),
        (
            lambda w: load_recipe(str(w.folder / "odd.toml")),
            UsageError,
            {"path": "HERE/odd.toml", "hint": "choose another number, or say `drop_remainder = true`"},
        ),
        (lambda w: load_experiment(w.folder / "arms.toml"), UsageError, {"path": "HERE/arms.toml"}),
    ]
    for row in rows:
        provoke(world, row)

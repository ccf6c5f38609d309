"""`people strangers`, `people name-stranger`, `people remove-stranger`, with real faces: named, then recognised."""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multiface.errors import UsageError
from multiface.images import load_picture
from multiface.recognition import Recognizer, RecognizerSettings
from multiface.video.names.stranger_numbers import StrangerNumbers

Call = Callable[..., Any]

NOW = "2999-01-01T00:00:00+00:00"
"""Far ahead, so that nobody's time is over while these tests are in use."""


@pytest.fixture
def recognizer(gallery: Path, store: Path, cache: Path) -> Iterator[Recognizer]:
    with Recognizer(
        gallery=gallery,
        settings=RecognizerSettings(store=store, cache=cache),
    ) as one:
        yield one


def number_of(recognizer: Recognizer, path: Path, taken: tuple[int, ...] = ()) -> int:
    """The stranger's number of a track that shows a picture with one face, as an engine asks for it."""
    assert recognizer.gallery is not None
    picture = load_picture(path)
    (vector,) = recognizer.analyse(picture).embeddings
    numbers = StrangerNumbers(recognizer.gallery, recognizer.calibration, recognizer.rate)
    number = numbers.number_of(vector, 0.0, 0.5, picture, NOW, taken)
    numbers.learn(number, vector, 0.0, 0.5, picture, NOW, False)
    return number


@pytest.fixture
def met(recognizer: Recognizer, people: Path) -> Recognizer:
    """Rose Leslie and Kit Harington were met and are strangers 1 and 2."""
    assert number_of(recognizer, people / "dora" / "dora1.jpg") == 1
    assert number_of(recognizer, people / "cleo" / "cleo1.jpg") == 2
    assert number_of(recognizer, people / "dora" / "dora2.jpg") == 1
    assert number_of(recognizer, people / "cleo" / "cleo2.jpg") == 2
    assert number_of(recognizer, people / "cleo" / "cleo2.jpg", taken=(2,)) == 3
    return recognizer


@pytest.mark.usefixtures("met")
def test_strangers_are_listed_with_pictures(call: Call, gallery: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "pictures"
    listed = call("people", "strangers", "--gallery", gallery, "--json", "--pictures", folder).document()
    assert [(one["number"], one["sightings"], one["views"]) for one in listed["strangers"]] == [
        (1, 2, 2),
        (2, 2, 2),
        (3, 1, 1),
    ]
    first = listed["strangers"][0]
    assert (first["first_seen"], first["kept_until"]) == (NOW, "2999-01-31T00:00:00+00:00")
    assert first["picture"] == str(folder / "stranger-1.jpg")
    assert load_picture(folder / "stranger-1.jpg").shape[2] == 3
    assert stat.S_IMODE((folder / "stranger-1.jpg").stat().st_mode) == 0o600
    words = call("people", "strangers", "--gallery", gallery)
    assert (
        "stranger 2  (seen 2 times" in words.out and "3 strangers" in words.out and "--pictures" in words.err
    )
    done = call("people", "strangers", "--gallery", gallery, "--pictures", folder / "stranger-1.jpg")
    assert done.code == 2 and "cannot be written" in done.err


@pytest.mark.usefixtures("met")
def test_a_named_stranger_is_recognised(call: Call, gallery: Path, people: Path) -> None:
    picture = people / "dora" / "dora2.jpg"

    def name() -> str | None:
        done = call("identify", picture, "--gallery", gallery, "--json").document()
        name: str | None = done["pictures"][0]["faces"][0]["name"]
        return name

    assert name() is None
    done = call("people", "name-stranger", "1", "Rose", "--gallery", gallery, "--json")
    document = done.document()
    person = document.pop("person")
    assert document == {"stranger": 1, "name": "Rose", "templates": 2, "faces": 0, "purged": True}
    assert call("people", "show", person, "--gallery", gallery, "--json").document()["name"] == "Rose"
    assert name() == "Rose"
    check = call("people", "check", "--gallery", gallery, "--json").document()
    assert len(set(check.pop("alike")["names"])) == 2
    assert check == {
        "people": 3,
        "templates": 4,
        "strangers": 2,
        "problems": [],
        "differences": None,
        "reembedding": None,
        "mixed": [],
        "same": [],
    }
    shown = call("people", "show", "Rose", "--gallery", gallery, "--json").document()
    assert all(one["source"].startswith("stranger 1, ") for one in shown["templates"])
    again = call("people", "name-stranger", "1", "Rose", "--gallery", gallery)
    assert again.code == 3 and "there is no stranger 1" in again.err


@pytest.mark.usefixtures("met")
def test_removal(call: Call, gallery: Path) -> None:
    done = call("people", "remove-stranger", "2", "--gallery", gallery, "--json")
    assert done.document() == {"removed": 2, "purged": True}
    listed = call("people", "strangers", "--gallery", gallery, "--json").document()
    assert [one["number"] for one in listed["strangers"]] == [1, 3]
    assert call("people", "remove-stranger", "2", "--gallery", gallery).code == 3
    assert call("people", "remove-stranger", "0", "--gallery", gallery).code == 2
    assert call("people", "name-stranger", "one", "Rose", "--gallery", gallery).code == 2


def test_days(recognizer: Recognizer) -> None:
    assert recognizer.gallery is not None
    for days in (0.0, -1.0, 1e9, float("nan")):
        with pytest.raises(UsageError, match="number of days"):
            StrangerNumbers(recognizer.gallery, recognizer.calibration, days=days)
    picture = np.zeros((8, 8, 3), np.uint8)
    vector = np.eye(1, recognizer.origin.dimension, dtype=np.float32)[0]
    numbers = StrangerNumbers(recognizer.gallery, recognizer.calibration, days=2)
    assert numbers.number_of(vector, 0.0, 0.5, picture, NOW) == 1
    (one,) = recognizer.gallery.strangers.list()
    assert one.kept_until == "2999-01-03T00:00:00+00:00"


def test_a_track_with_widely_spread_views_has_to_be_more_similar(recognizer: Recognizer) -> None:
    """The threshold of the moment plus the rises: for the stranger's spread and for the track's, as for names."""
    assert recognizer.gallery is not None
    calibration = recognizer.calibration
    numbers = StrangerNumbers(recognizer.gallery, calibration, 0.01)
    d = recognizer.origin.dimension
    a, b = np.eye(2, d, dtype=np.float32)
    picture = np.zeros((8, 8, 3), np.uint8)
    assert numbers.number_of(a, 0.2, 0.5, picture, NOW) == 1
    spreads = np.array([0.2, 0.3], np.float32)
    rises = float(calibration.rise(spreads).sum())
    wanted = calibration.threshold_for_identify(0.01, 1).similarity + rises
    assert calibration.rise(spreads).min() > 0.01

    def at(cosine: float) -> np.ndarray[Any, np.dtype[np.float32]]:
        return np.float32(cosine) * a + np.float32(np.sqrt(1 - cosine**2)) * b

    assert numbers.number_of(at(wanted - 1e-3), 0.3, 0.5, picture, NOW) == 2
    assert numbers.number_of(at(wanted + 1e-3), 0.3, 0.5, picture, NOW, taken=(2,)) == 1

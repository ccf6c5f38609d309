"""A recogniser with a detector, a network, a gallery and a calibration of one's own. Needs no shared data."""

import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from multiface import (
    Calibration,
    Detector,
    EmbeddingNetwork,
    Faces,
    Gallery,
    InputSpec,
    Recognizer,
    RecognizerSettings,
    load_picture,
    read_calibration,
)
from multiface.decision import Reason
from multiface.decision.shipped import SHIPPED
from multiface.errors import FingerprintMismatch, NotAvailable, UsageError, WeightsError
from multiface.recognition.demo import PORTRAIT

SIDE = 32


@dataclass(frozen=True)
class Squares:
    """Finds one face, of known place, in every picture that is not black."""

    name: str = "squares"
    sure: float = 0.5
    min_face: float = 8.0

    def detect(self, image: npt.NDArray[np.uint8], smallest: float | None = None, /) -> Faces:
        del smallest
        if not image.any():
            return Faces.none()
        height, width = image.shape[:2]
        box = np.array([[0, 0, width, height]], np.float32)
        points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
        return Faces(box, np.ones(1, np.float32), points[None] * [np.float32(width), np.float32(height)])


@dataclass(frozen=True)
class Means:
    """The mean colours of a crop's four quarters, less grey."""

    name: str = "means"
    fingerprint: str = "means 1"
    spec: InputSpec = InputSpec.for_crops(12)  # noqa: RUF009, a frozen value
    flip: bool = False

    def features(self, crops: npt.NDArray[np.uint8], /) -> npt.NDArray[np.float32]:
        quarters = crops.reshape(len(crops), 2, 56, 2, 56, 3).mean(axis=(2, 4)) - 127.0
        return quarters.reshape(len(crops), 12).astype(np.float32)


def calibration() -> Calibration:
    """One of the package, as if it had been measured with these parts."""
    shipped = read_calibration(SHIPPED / "yunet_onet-sface-noflip.json")
    return replace(
        shipped, fingerprint="means 1", weights="means", detector="squares", flip=False, limits=None
    )


OWN = RecognizerSettings(calibration=calibration(), threads=1)


def picture(seed: int) -> npt.NDArray[np.uint8]:
    """Four coloured quarters, 1 person a seed."""
    quarters = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), np.uint8)
    return np.kron(quarters, np.ones((SIDE, SIDE, 1), np.uint8))


def test_the_parts_are_used(tmp_path: Path) -> None:
    detector: Detector = Squares()
    network: EmbeddingNetwork = Means()
    with Recognizer(
        detector=detector, weights=network, gallery=tmp_path / "g.sqlite", create=True, settings=OWN
    ) as recognizer:
        assert recognizer.detector is detector and recognizer.caveat is None
        recognizer.enroll("Ada", picture(1))
        recognizer.enroll("Bob", picture(2))
        for seed, name in ((1, "Ada"), (2, "Bob"), (7, None)):
            (face,) = recognizer.identify(picture(seed)).faces
            assert face.name == name
        assert recognizer.identify(np.zeros((9, 9, 3), np.uint8)).faces == ()
        assert recognizer.verify(picture(1), picture(1)).same
        assert not recognizer.verify(picture(1), picture(2)).same
    with pytest.raises(FingerprintMismatch, match="'means'"):
        Recognizer(gallery=tmp_path / "g.sqlite")


def test_an_open_gallery_is_used_and_stays_open(tmp_path: Path) -> None:
    with Recognizer(
        detector=Squares(), weights=Means(), gallery=tmp_path / "g.sqlite", create=True, settings=OWN
    ) as made:
        made.enroll("Ada", picture(1))
        origin = made.origin
    with Gallery.open(tmp_path / "g.sqlite", origin) as gallery:
        with Recognizer(detector=Squares(), weights=Means(), gallery=gallery, settings=OWN) as recognizer:
            assert recognizer.gallery is gallery
            assert [face.name for face in recognizer.identify(picture(1)).faces] == ["Ada"]
            there = pickle.loads(pickle.dumps(recognizer))  # noqa: S301, made one line above
            with there:
                assert there.gallery is not gallery and there.settings == OWN
                assert [face.name for face in there.identify(picture(1)).faces] == ["Ada"]
        assert [person.name for person in gallery.people()] == ["Ada"]
        with pytest.raises(FingerprintMismatch):
            Recognizer(detector=Squares(), gallery=gallery)


def test_without_a_calibration_nothing_is_decided(tmp_path: Path) -> None:
    with Recognizer(
        detector=Squares(), weights=Means(), gallery=tmp_path / "g.sqlite", create=True
    ) as recognizer:
        recognizer.enroll("Ada", picture(1))
        with pytest.raises(NotAvailable, match="no calibration is known for the weights means"):
            recognizer.identify(picture(1))
        assert recognizer.analyse(picture(1)).embeddings.shape == (1, 12)


def test_a_calibration_of_other_vectors_is_refused() -> None:
    settings = RecognizerSettings(calibration=calibration())
    with Recognizer(settings=settings) as recognizer, pytest.raises(UsageError, match="is of means"):
        recognizer.verify(PORTRAIT, PORTRAIT)


@dataclass(frozen=True)
class Lying(Means):
    """Gives what it was told to."""

    output: object = None

    def features(self, crops: npt.NDArray[np.uint8], /) -> npt.NDArray[np.float32]:
        del crops
        return self.output  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (np.zeros((1, 3), np.float32), r"gave \(1, 3\) where its input spec promises \(1, 12\)"),
        (np.zeros((2, 12), np.float32), r"gave \(2, 12\)"),
        (np.full((1, 12), np.nan, np.float32), "not finite"),
        (None, r"gave \(\)"),
    ],
)
def test_a_network_that_breaks_its_promise(output: object, said: str) -> None:
    with (
        Recognizer(detector=Squares(), weights=Lying(output=output)) as recognizer,
        pytest.raises(WeightsError, match=said),
    ):
        recognizer.analyse(picture(1))


def test_decide_is_what_identify_does(tmp_path: Path) -> None:
    with Recognizer(gallery=tmp_path / "g.sqlite", create=True) as recognizer:
        analysis = recognizer.analyse(PORTRAIT)
        assert [one.reason for one in recognizer.decide(analysis.embeddings)] == [Reason.NOBODY_ENROLLED]
        recognizer.enroll("Eileen", load_picture(PORTRAIT))
        assert recognizer.decide(analysis.embeddings) == [
            face.decision for face in recognizer.identify(PORTRAIT).faces
        ]
        twice = recognizer.decide(np.repeat(analysis.embeddings, 2, axis=0))
        assert [one.name for one in twice] == ["Eileen", None], "two faces of one picture are not one person"
        assert recognizer.decide(analysis.embeddings[:0]) == []
        for wrong, said in (
            (analysis.embeddings[0], "float32"),
            (analysis.embeddings.astype(np.float64), "float64"),
            (analysis.embeddings[:, :5], "float32"),
            (analysis.embeddings * 2, "unit length"),
            (analysis.embeddings * np.float32("nan"), "unit length"),
        ):
            with pytest.raises(UsageError, match=said):
                recognizer.decide(wrong)  # type: ignore[arg-type]
    with Recognizer() as nobody, pytest.raises(UsageError, match="needs people"):
        nobody.decide(analysis.embeddings)


def test_faces_are_grouped() -> None:
    """With a network of one's own; two faces of one picture are two people."""
    recognizer = Recognizer(detector=Squares(), weights=Means(), settings=OWN)
    vectors = np.concatenate([recognizer.analyse(picture(seed)).embeddings for seed in (1, 2, 1, 4, 2, 1)])
    assert recognizer.cluster(vectors) == [0, 1, 0, 2, 1, 0]
    assert recognizer.cluster(vectors, pictures=["a", "b", "a", "c", "d", "e"]) == [0, 1, 2, 3, 1, 0]
    assert recognizer.cluster(vectors[:0]) == []
    for wrong in (vectors[:, :5], 2 * vectors, vectors.astype(np.float64)):
        with pytest.raises(UsageError):
            recognizer.cluster(wrong)
    with pytest.raises(UsageError):
        recognizer.cluster(vectors, pictures=["a"])

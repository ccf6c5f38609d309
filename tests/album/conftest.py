"""Galleries of both engines, and albums of made-up faces: unit vectors around centres, without any network."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from multiface.album.refresh import refresh
from multiface.arrays import Floats
from multiface.decision import Calibration
from multiface.gallery import Gallery, NewTemplate, PictureFacts, album_faces, album_pictures
from multiface.gallery.album_faces import NewFace
from multiface.gallery.album_pictures import AlbumFile, NewPicture
from multiface.images.jpeg import jpeg_bytes
from multiface.recognition import Recognizer
from multiface.recognition.gallery_threshold import GalleryThreshold
from tests.gallery.conftest import (
    DIMENSION,
    gallery,
    location,
    new_database,
    origin,
    path,
    postgres_server,
    pytest_generate_tests,
)

__all__ = [
    "gallery",
    "location",
    "new_database",
    "origin",
    "path",
    "postgres_server",
    "pytest_generate_tests",
]


@pytest.fixture(scope="session")
def calibration() -> Iterator[Calibration]:
    """The one of the default weights."""
    with Recognizer() as recognizer:
        yield recognizer.calibration


def _crop(vector: Floats) -> bytes:
    """A picture that goes with a vector."""
    return jpeg_bytes((vector[:108].reshape(6, 6, 3) * 500).astype(np.int64).astype(np.uint8), 112)


@dataclass(slots=True)
class MadeUp:
    """Puts made-up faces of made-up people into an album."""

    gallery: Gallery
    threshold: GalleryThreshold
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    pictures: int = 0

    def vector(self, person: int, noise: float = 0.4) -> Floats:
        """A unit vector near the person's own direction; two of one person have a cosine of about 0.86."""
        centre = np.random.default_rng(person).normal(size=DIMENSION)
        centre /= np.linalg.norm(centre)
        other = self.random.normal(size=DIMENSION)
        mixed = centre + noise * other / np.linalg.norm(other)
        return (mixed / np.linalg.norm(mixed)).astype(np.float32)

    def photo(
        self, *people: int, taken: str = "", vectors: Sequence[Floats] = (), fault: str | None = None
    ) -> list[int]:
        """A photo of these people, on another day than the photos before; the ids of the faces."""
        self.pictures += 1
        day = (
            taken
            or f"{2000 + self.pictures // 300}-{self.pictures % 12 + 1:02}-{self.pictures % 25 + 1:02}T12:00:00"
        )
        digest = hashlib.sha256(str(self.pictures).encode()).hexdigest()
        chosen = vectors or [self.vector(person) for person in people]
        with self.gallery.database.writing() as connection:
            picture = album_pictures.add_picture(
                connection, NewPicture(digest, False, 640, 480, day, True, "made up", None)
            )
            album_pictures.put_file(
                connection, AlbumFile("/photos", f"{self.pictures}.jpg", 1, self.pictures, picture)
            )
            return [
                album_faces.add_face(
                    connection,
                    picture,
                    NewFace(
                        (10.0 + 99 * k, 10.0, 90.0 + 99 * k, 100.0),
                        None,
                        0.9,
                        12.0 + k,
                        fault,
                        False,
                        one,
                        _crop(one),
                    ),
                    self.gallery.origin,
                )
                for k, one in enumerate(chosen)
            ]

    def known(self, name: str, person: int, pictures: int = 3) -> str:
        """Enrols a person; the id."""
        new = [
            NewTemplate(
                self.vector(person),
                hashlib.sha256(f"{name}{k}".encode()).hexdigest(),
                f"{name}{k}.jpg",
                PictureFacts(640, 480, (10.0, 10.0, 60.0, 70.0), 0.99, "mtcnn", 0, 1),
            )
            for k in range(pictures)
        ]
        return self.gallery.add_templates(name, new).person

    def refresh(self) -> None:
        refresh(self.gallery, self.threshold)

    def standing(self) -> dict[int, tuple[int, int]]:
        """Person's row and stranger's number by face; -1 for none."""
        with self.gallery.database.reading() as connection:
            faces = album_faces.vectors(connection, self.gallery.origin)
        return {
            int(number): (int(person), int(stranger))
            for number, person, stranger in zip(faces.ids, faces.persons, faces.strangers, strict=True)
        }


@pytest.fixture
def made_up(gallery: Gallery, calibration: Calibration) -> MadeUp:
    return MadeUp(gallery, GalleryThreshold(calibration, 0.01))


def groups_of(standing: dict[int, tuple[int, int]]) -> list[list[int]]:
    """The groups of unknown faces, whatever their numbers."""
    found: dict[int, list[int]] = {}
    for face, (_, stranger) in standing.items():
        if stranger >= 0:
            found.setdefault(stranger, []).append(face)
    return sorted(found.values())

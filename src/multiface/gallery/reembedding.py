"""A gallery embedded again with other weights: a job that may be stopped at any moment, and one switch at the end.

New vectors are kept beside the old ones, batch by batch, and only the old ones are searched. Run again after it was cut
off, the job goes on. What is enrolled, moved or removed meanwhile is followed: what has no new vector at the end is
embedded before the switch, what was removed does not come back. The switch is one transaction. Whoever had the gallery
open with the old weights gets FingerprintMismatch from then on.

A picture is looked for where a folder was imported or scanned, and, by its content, in the folders that the caller
names. The face is the one where the template's was; never another face of the picture. Where that gives no vector, the
template's crop does, if one is kept. A template stays as it was enrolled but for its vector. So are the faces of the
album; one that gets no vector stays in its picture without. Strangers are embedded again from the picture that is kept,
or have the vector of their best face in the album; who has neither goes.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TypeVar

from multiface.arrays import Floats
from multiface.errors import GalleryError
from multiface.gallery import changes, folder_rows, people_rows, reembed_rows, stranger_rows, template_rows
from multiface.gallery.contents import CROP_SIDE, Crop, PictureFacts, VectorOrigin
from multiface.gallery.gallery import Gallery
from multiface.gallery.origin_rows import in_words, same_embedder
from multiface.gallery.reembed_rows import OldFace, OldTemplate, Reembedding
from multiface.gallery.sql import Connection
from multiface.images import list_pictures, load_picture
from multiface.progress import Progress
from multiface.regular_file import open_regular

Thing = TypeVar("Thing")

BATCH = 32
"""Pictures handed to the callback at once."""

NOT_FOUND = "the picture was not found"
"""The reason that a picture in none of the places is given."""


@dataclass(frozen=True, slots=True)
class WantedFaces:
    """Faces of one picture to embed again.

    digest: sha256 of the picture's bytes. places: where it may be, or its bytes; what has another digest is not the
    picture. faces: where each face was; None for the one clear face. aligned: the picture is the aligned crop of one
    face, see `contents.Crop`.
    """

    digest: str
    places: tuple[Path | bytes, ...]
    faces: tuple[PictureFacts | None, ...]
    aligned: bool = False


Embed = Callable[[Sequence[WantedFaces]], Iterable[Sequence[Floats | str]]]
"""For each picture, in order, for each of its faces the vector, float32 (d,) of unit length, or why there is none."""


@dataclass(frozen=True, slots=True)
class MissingTemplate:
    """A template that could not be embedded again.

    template: its id. person, name: of who has it. source, digest: of its picture, as in `Template`. reason: why.
    """

    template: int
    person: str
    name: str
    source: str
    digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reembedded:
    """What a run did.

    switched: whether the gallery holds the new vectors now; False where templates are missing, and the old ones answer.
    templates: how many have a new vector; 0 where the gallery held such vectors before. from_crops: how many of these
    were made of crops, not of pictures. missing: those that have none;
    after a switch they are removed. without_template: names of people who have no template left by that. strangers:
    how many have a new vector. strangers_gone: how many have none; after a switch they are removed. faces, faces_lost:
    of the album, the same; after a switch they have none, until they are searched for again. purged: as in `Removed`,
    of the old vectors.
    """

    switched: bool
    templates: int
    from_crops: int = 0
    missing: tuple[MissingTemplate, ...] = ()
    without_template: tuple[str, ...] = ()
    strangers: int = 0
    strangers_gone: int = 0
    faces: int = 0
    faces_lost: int = 0
    purged: bool = True


def reembed(
    gallery: Gallery,
    origin: VectorOrigin,
    embed: Embed,
    *,
    folders: Sequence[str | Path] = (),
    drop_missing: bool = False,
    progress: Progress | None = None,
    looking: Progress | None = None,
) -> Reembedded:
    """Embed everybody again, and switch to the new vectors if every template has one. Open the gallery again then.

    origin: whose vectors `embed` makes. folders: where pictures are that lie in no imported folder. drop_missing:
    remove the templates that have no new vector, instead of not switching. progress: templates, faces of the album and
    strangers done, and all. looking: pictures of `folders` that were read, and all.

    Raises GalleryError if the gallery is being embedded again with others already, or cannot be written,
    FingerprintMismatch if another process made the switch meanwhile, PictureError for a folder that is none.
    """
    run = _Run(gallery, origin, embed, folders, progress, looking)
    if not run.begun():
        return Reembedded(True, 0)
    while True:
        run.embed_rest()
        done = run.switched(drop_missing)
        if done is not None:
            return done


def pictures_by_digest(
    folders: Sequence[str | Path], wanted: Set[str], progress: Progress | None = None
) -> dict[str, list[Path]]:
    """Where in folders the pictures with these sha256 digests are. progress: pictures read, and all.

    Raises PictureError for a folder that is none.
    """
    paths = [path for folder in folders for path in list_pictures(folder).pictures]
    found: dict[str, list[Path]] = {}
    for done, path in enumerate(paths):
        if progress is not None:
            progress(done, len(paths))
        try:
            with open_regular(path) as file:
                digest = file_digest(file, "sha256").hexdigest()
        except OSError:
            continue
        if digest in wanted:
            found.setdefault(digest, []).append(path)
    return found


@dataclass(slots=True)
class _Run:
    gallery: Gallery
    origin: VectorOrigin
    embed: Embed
    folders: Sequence[str | Path]
    progress: Progress | None
    looking: Progress | None
    reasons: dict[int, str] = field(default_factory=dict)  # of templates that were tried in vain
    lost_faces: set[int] = field(default_factory=set)  # of the album, tried in vain
    without_crop: set[int] = field(default_factory=set)  # templates whose crop was tried, or is not kept
    hopeless: set[tuple[int, str]] = field(
        default_factory=set
    )  # strangers, with a picture that shows no face
    found: Mapping[str, Sequence[Path]] | None = None  # what the folders hold, by digest
    done: int = 0
    total: int = 0

    def begun(self) -> bool:
        """Write down what is being made, or see that it is the same still; False where there is nothing to make."""
        database, held = self.gallery.database, self.gallery.origin
        with database.reading() as connection:
            state = reembed_rows.state(connection)
        if state is None and same_embedder(held, self.origin) and held.detector == self.origin.detector:
            return False
        if state is None:
            with database.writing() as connection:
                if reembed_rows.state(connection) is None:
                    reembed_rows.begin(connection, self.origin)
        if self.folders:
            with database.writing() as connection:  # their pictures may be there
                self._require(connection)
                reembed_rows.forget_made_from_crops(connection)
        with database.reading() as connection:
            self._require(connection)
        return True

    def embed_rest(self) -> None:
        """Embed what has no new vector and was not tried yet."""
        with self.gallery.database.reading() as connection:
            templates = reembed_rows.waiting_templates(connection)
            faces = reembed_rows.waiting_faces(connection)
            strangers = reembed_rows.waiting_strangers(connection)
            self._require(connection)
            self.total = self._state(connection).total
        new = {number: digest for number, digest in templates.items() if number not in self.reasons}
        met = [one for one in strangers.items() if one not in self.hopeless]
        self.done = self.total - len(templates) - len(faces) - len(strangers)
        self._tell(0)
        self._embed_templates(new)
        lost = {
            number: digest for number, digest in templates.items() if self.reasons.get(number) == NOT_FOUND
        }
        if self.folders and self.found is None:
            wanted = set(lost.values()) | self._nowhere(set(faces.values()))
            if wanted:
                self.found = pictures_by_digest(self.folders, wanted, self.looking)
            self._embed_templates(lost)
        self._embed_crops([number for number in self.reasons if number not in self.without_crop])
        self._embed_faces(
            {number: digest for number, digest in faces.items() if number not in self.lost_faces}
        )
        self._embed_strangers(met)

    def switched(self, drop_missing: bool) -> Reembedded | None:
        """Switch if nothing stands in the way; None if something new came meanwhile and is to be embedded first."""
        database = self.gallery.database
        with database.writing() as connection:
            self._require(connection)
            state = self._state(connection)
            templates = reembed_rows.waiting_templates(connection)
            faces = reembed_rows.waiting_faces(connection)
            strangers = reembed_rows.waiting_strangers(connection)
            new = (templates.keys() - self.reasons.keys(), faces.keys() - self.lost_faces)
            if any(new) or strangers.items() - self.hopeless:
                return None
            old = [reembed_rows.old_template(connection, number) for number in templates]
            missing = tuple(
                MissingTemplate(one.id, one.person, one.name, one.source, one.digest, self.reasons[one.id])
                for one in old
                if one is not None
            )
            crops = reembed_rows.made_from_crops(connection)
            kept = stranger_rows.count(connection) - len(strangers)
            if missing and not drop_missing:
                return Reembedded(
                    False, state.templates, crops, missing, (), kept, len(strangers), state.faces, len(faces)
                )
            emptied = _drop(connection, missing)
            for number in strangers:
                stranger_rows.remove_stranger(connection, number)
            reembed_rows.take_over(connection, self.origin)
            facts = {
                "old": _named(self.gallery.origin),
                "new": _named(self.origin),
                "templates": state.templates,
                "from_crops": crops,
                "dropped": [one.template for one in missing],
                "faces": state.faces,
                "faces_lost": len(faces),
                "strangers": kept,
                "strangers_gone": len(strangers),
            }
            changes.record(connection, "reembed", (), facts)
        purged = database.purge_log()
        return Reembedded(
            True,
            state.templates,
            crops,
            missing,
            emptied,
            kept,
            len(strangers),
            state.faces,
            len(faces),
            purged,
        )

    def _require(self, connection: Connection) -> None:
        """Raises GalleryError where other vectors are being made, or none any more."""
        made = reembed_rows.being_made(connection)
        if made is None:
            raise GalleryError(
                f"{self.gallery.place}: that it is embedded again was given up by another process; the new vectors "
                "are gone, and the old ones answer"
            )
        if not same_embedder(made, self.origin) or made.detector != self.origin.detector:
            state = self._state(connection)
            raise GalleryError(
                f"{self.gallery.place}: is being embedded again with {in_words(made)} and the detector "
                f"{made.detector} since {state.started}, and {state.done} of "
                f"{state.total} are done",
                hint="go on with these, or give that up first (`multiface people reembed --cancel`)",
            )

    def _state(self, connection: Connection) -> Reembedding:
        """How far it is, where something is being made."""
        state = reembed_rows.state(connection)
        assert state is not None
        return state

    def _embed_templates(self, waiting: Mapping[int, str]) -> None:
        of_picture: dict[str, list[int]] = {}
        for number, digest in waiting.items():
            of_picture.setdefault(digest, []).append(number)
        for digests in _batches(list(of_picture)):
            with self.gallery.database.reading() as connection:
                pictures = [self._wanted(connection, digest, of_picture[digest]) for digest in digests]
            tried = [(wanted, old) for wanted, old in pictures if wanted.places]
            self.reasons.update(
                {one.id: NOT_FOUND for wanted, old in pictures if not wanted.places for one in old}
            )
            if tried:
                outcomes = self._embedded([wanted for wanted, _ in tried])
                templates = [one.id for _, old in tried for one in old]
                self._keep(templates, [vector for vectors in outcomes for vector in vectors])

    def _embed_crops(self, waiting: Sequence[int]) -> None:
        """The crops of templates whose picture gave no vector; the reason of the picture stays where the crop too gives
        none.
        """
        for numbers in _batches(waiting):
            with self.gallery.database.reading() as connection:
                crops = [(number, template_rows.crop(connection, number)) for number in numbers]
            self.without_crop.update(numbers)
            kept = [(number, crop) for number, crop in crops if crop is not None]
            wanted = [_of_crop(crop) for _, crop in kept]
            if wanted:
                made = [
                    self.reasons[number] if isinstance(vector, str) else vector
                    for (number, _), (vector,) in zip(kept, self._embedded(wanted), strict=True)
                ]
                self._keep([number for number, _ in kept], made, from_crop=True)

    def _keep(
        self, templates: Sequence[int], vectors: Sequence[Floats | str], *, from_crop: bool = False
    ) -> None:
        """Keep the new vectors of templates, and remember why others have none."""
        made = 0
        with self.gallery.database.writing() as connection:
            self._require(connection)
            for number, vector in zip(templates, vectors, strict=True):
                if isinstance(vector, str):
                    self.reasons[number] = vector
                else:
                    self.reasons.pop(number, None)
                    reembed_rows.keep_template(connection, number, vector, from_crop=from_crop)
                    made += 1
        self._tell(made)

    def _wanted(
        self, connection: Connection, digest: str, numbers: Sequence[int]
    ) -> tuple[WantedFaces, list[OldTemplate]]:
        """What to ask for of a picture, and the templates that it is for; some may have been removed."""
        old = [reembed_rows.old_template(connection, number) for number in numbers]
        templates = [one for one in old if one is not None]
        return WantedFaces(
            digest, self._places(connection, digest), tuple(one.facts for one in templates)
        ), templates

    def _places(self, connection: Connection, digest: str) -> tuple[Path | bytes, ...]:
        """Where a picture may be."""
        known = [Path(folder) / path for folder, path in reembed_rows.known_places(connection, digest)]
        return (*known, *(self.found or {}).get(digest, ()))

    def _nowhere(self, digests: Set[str]) -> set[str]:
        """Those of the pictures that are in no place that is known."""
        with self.gallery.database.reading() as connection:
            places = {digest: self._places(connection, digest) for digest in digests}
        return {
            digest
            for digest, known in places.items()
            if not any(isinstance(place, Path) and os.access(place, os.R_OK) for place in known)
        }

    def _embed_faces(self, waiting: Mapping[int, str]) -> None:
        """The faces of the album: from the photo, else from the crop."""
        of_picture: dict[str, list[int]] = {}
        for number, digest in waiting.items():
            of_picture.setdefault(digest, []).append(number)
        for digests in _batches(list(of_picture)):
            wanted: list[WantedFaces] = []
            photos: list[list[OldFace]] = []
            films: list[OldFace] = []
            with self.gallery.database.reading() as connection:
                for digest in digests:
                    old = [reembed_rows.old_face(connection, number) for number in of_picture[digest]]
                    here = [one for one in old if one is not None]
                    places = self._places(connection, digest)
                    in_photo = [one for one in here if one.facts is not None] if places else []
                    films += here if not places else [one for one in here if one.facts is None]
                    if in_photo:
                        photos.append(in_photo)
                        wanted.append(WantedFaces(digest, places, tuple(one.facts for one in in_photo)))
            made: list[tuple[int, Floats | str]] = []
            again = films
            for faces, vectors in zip(photos, self._embedded(wanted) if wanted else (), strict=True):
                made += [(one.id, v) for one, v in zip(faces, vectors, strict=True) if not isinstance(v, str)]
                again += [one for one, v in zip(faces, vectors, strict=True) if isinstance(v, str)]
            crops = [(one.id, one.crop) for one in again if one.crop is not None]
            if crops:
                vectors_of_crops = self._embedded([_of_crop(crop) for _, crop in crops])
                made += [(number, v) for (number, _), (v,) in zip(crops, vectors_of_crops, strict=True)]
            self.lost_faces.update(one.id for one in again)
            with self.gallery.database.writing() as connection:
                self._require(connection)
                for number, vector in made:
                    if not isinstance(vector, str):
                        reembed_rows.keep_face(connection, number, vector)
                        self.lost_faces.discard(number)
            self._tell(sum(not isinstance(vector, str) for _, vector in made))

    def _embed_strangers(self, waiting: Sequence[tuple[int, str]]) -> None:
        """Strangers: from the picture, else as their best face in the album."""
        for batch in _batches(waiting):
            with self.gallery.database.reading() as connection:
                pictures = [stranger_rows.picture(connection, number) or b"" for number, _ in batch]
            wanted = [
                WantedFaces(digest, (picture,), (None,))
                for (_, digest), picture in zip(batch, pictures, strict=True)
            ]
            outcomes = self._embedded(wanted)
            made = 0
            with self.gallery.database.writing() as connection:
                self._require(connection)
                for (number, digest), picture, (vector,) in zip(batch, pictures, outcomes, strict=True):
                    in_album = reembed_rows.vector_in_album(connection, number)
                    if in_album is not None:
                        size = (CROP_SIDE, CROP_SIDE)
                        reembed_rows.keep_stranger(connection, number, digest, size, in_album)
                    elif isinstance(vector, str):
                        self.hopeless.add((number, digest))
                        continue
                    else:
                        height, width = load_picture(picture).shape[:2]
                        reembed_rows.keep_stranger(connection, number, digest, (width, height), vector)
                    made += 1
            self._tell(made)

    def _embedded(self, wanted: Sequence[WantedFaces]) -> list[list[Floats | str]]:
        """What the callback makes of pictures; a vector that no gallery can hold is a reason."""
        outcomes = list(self.embed(wanted))
        if [len(one) for one in outcomes] != [len(one.faces) for one in wanted]:
            raise ValueError("embed: gave something else than one vector or reason for each face")
        return [
            [one if isinstance(one, str) else self._fault(one) or one for one in faces] for faces in outcomes
        ]

    def _fault(self, vector: Floats) -> str | None:
        return template_rows.vector_fault(vector, self.origin.dimension)

    def _tell(self, done: int) -> None:
        self.done += done
        if self.progress is not None:
            self.progress(self.done, self.total)


def _batches(things: Sequence[Thing]) -> Iterator[Sequence[Thing]]:
    for at in range(0, len(things), BATCH):
        yield things[at : at + BATCH]


def _of_crop(crop: Crop) -> WantedFaces:
    """A crop as the picture to embed."""
    return WantedFaces(sha256(crop.picture).hexdigest(), (crop.picture,), (None,), crop.aligned)


def _drop(connection: Connection, missing: Sequence[MissingTemplate]) -> tuple[str, ...]:
    """Remove templates; the names of the people who have none left, who stay."""
    for one in missing:
        folder_rows.remove_template(connection, one.template, with_person=False)
    people = {one.person: people_rows.person_of_id(connection, one.person) for one in missing}
    return tuple(person.name for person in people.values() if person is not None and not person.templates)


def _named(origin: VectorOrigin) -> changes.Facts:
    """An origin as the change log has it."""
    return {"weights": origin.weights, "fingerprint": origin.fingerprint, "detector": origin.detector}

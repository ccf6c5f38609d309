"""`Recognizer`: the whole path from a picture to names, and all that most people import.

from multiface import Recognizer

recognizer = Recognizer(people="people/")
for face in recognizer.identify("party.jpg").faces:
    print(face.name or "unknown", face.decision.best)
"""

import shutil
import tempfile
import weakref
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

import numpy as np

from multiface.arrays import Floats
from multiface.decision import (
    Calibration,
    Candidate,
    ChosenCalibration,
    Decision,
    PictureFault,
    QualityLimits,
    choose_calibration,
)
from multiface.errors import MultifaceError, NotAvailable, UsageError
from multiface.faces.analysis import Analyser, Analysis
from multiface.faces.detector import Detector
from multiface.faces.embedder import Embedder, EmbeddingNetwork
from multiface.faces.finding import Found, find_faces
from multiface.faces.opening import open_detector, open_embedder
from multiface.gallery import (
    FolderReport,
    Gallery,
    Matrix,
    PictureNote,
    Reembedded,
    Refusal,
    VectorOrigin,
    exact_similarities,
    nearest_people,
    reembed,
    sync_folder,
)
from multiface.images import PictureSource, open_picture
from multiface.images.path_text import path_text
from multiface.progress import Progress
from multiface.recognition.deciding import decide_probes
from multiface.recognition.enrolment import pictures_in, templates_of
from multiface.recognition.faces_again import faces_again
from multiface.recognition.gallery_threshold import GalleryThreshold
from multiface.recognition.grouping import Unknown, grouped, least_similarity, rounded_up
from multiface.recognition.many import Unusable, analysed_in_order
from multiface.recognition.only_face import faces_to_compare
from multiface.recognition.people_folder import drop_from_others, gallery_of_folder, people_folder
from multiface.recognition.picture_faults import picture_faults
from multiface.recognition.recognizer_settings import VERIFY_RATE, RecognizerSettings
from multiface.recognition.results import Identification, IdentifiedFace, Look, Verification
from multiface.version import __version__
from multiface.weights.places import default_cache_folder, default_store_folder
from multiface.weights.session import Engine
from multiface.weights.store import Store

DETECTOR = "yunet_onet"
WEIGHTS = "sface"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What `enroll` did: templates added or there already, and pictures without one, with the reason.

    refused: the picture's path, or "picture 2" for one from memory, and the reason, which does not name it. person: the
    id of the person; "" if no picture could be used.
    """

    added: int
    already_there: int
    refused: tuple[tuple[Path | str, str], ...]
    notes: tuple[str, ...]
    person: str = ""


class Recognizer:
    """Detector, embedder, people and decisions together. Threads may share one; a forked child may go on with it.

    detector: "yunet_onet", "mtcnn", "scrfd_2.5g", ..., or a detector of your own. weights: a catalogue name, an ONNX
    file, a training run, or a network of your own. people: a folder with a folder of pictures for each person, used
    directly. gallery: a gallery file, or an open gallery, instead; the file must exist, unless `create`, and an open
    gallery stays open when the recogniser is closed. progress: called with pictures done and all pictures while the
    people folder is read.

    It can be pickled if its parts can: what comes out of the pickle is opened anew from the same places, with the
    gallery as it is then.

    Raises WeightsMissing, EngineMissing, GalleryError, FingerprintMismatch for an open gallery of other weights,
    UsageError.
    """

    def __init__(
        self,
        *,
        detector: str | Detector = DETECTOR,
        weights: str | Path | EmbeddingNetwork = WEIGHTS,
        people: str | Path | None = None,
        gallery: str | Path | Gallery | None = None,
        create: bool = False,
        progress: Progress | None = None,
        settings: RecognizerSettings | None = None,
    ) -> None:
        if people is not None and gallery is not None:
            raise UsageError("give a folder of people or a gallery, not both")
        self.settings = settings = RecognizerSettings() if settings is None else settings
        self._opened_anew = partial(
            Recognizer,
            detector=detector,
            weights=weights,
            people=people,
            gallery=gallery.location if isinstance(gallery, Gallery) else gallery,
            settings=settings,
        )
        self._cache = Path(settings.cache) if settings.cache is not None else default_cache_folder()
        self._store_folder = Path(settings.store) if settings.store is not None else default_store_folder()
        engine = settings.engine_value()
        self.workers = engine.thread_count if engine.thread_count < 4 else engine.thread_count // 2
        self.analyser = self._opened(detector, weights, engine)
        self.detector, self.embedder = self.analyser.detector, self.analyser.embedder
        self.flip = self.analyser.flip
        self._side_by_side: Analyser | None = None
        self._opening = Lock()
        self.gallery: Gallery | None = None
        self.people_report: FolderReport | None = None
        self._chosen: ChosenCalibration | None = None
        self._threshold: GalleryThreshold | None = None
        self.not_kept: str | None = None
        """Why the vectors of the people folder are not in the cache; None where they are."""
        self._passing: Callable[[], object] | None = None
        self._lent = isinstance(gallery, Gallery)
        if people is not None:
            self.gallery, not_kept = gallery_of_folder(self._cache, Path(people), self.origin)
            if not_kept is not None:
                self.not_kept = not_kept.why
                self._passing = weakref.finalize(self, shutil.rmtree, not_kept.folder, ignore_errors=True)
            try:
                self.people_report = self._follow(self.gallery, Path(people), progress)
            except BaseException:
                self.close()
                raise
        elif isinstance(gallery, Gallery):
            gallery.must_hold(self.origin)
            self.gallery = gallery
        elif gallery is not None:
            self.gallery = Gallery.open(gallery, self.origin, create=create)

    def _opened(
        self, detector: str | Detector, weights: str | Path | EmbeddingNetwork, engine: Engine
    ) -> Analyser:
        files, settings = Store(self._store_folder, self._cache), self.settings
        if isinstance(detector, str):
            detector = open_detector(files, detector, engine, settings.min_face)
        embedder = (
            open_embedder(files, str(weights), engine)
            if isinstance(weights, str | Path)
            else Embedder(weights)
        )
        return Analyser(detector, embedder, embedder.flip if settings.flip is None else settings.flip)

    def side_by_side(self) -> Analyser:
        """An analyser for `workers` pictures at the same time: each network on its share of the threads.

        Opened at the first call, from where the recogniser was; parts of the caller's own are the same objects. Where
        the weights have been replaced or are gone since then, it is the recogniser's own analyser.
        """
        engine = self.settings.engine_value()
        if engine.name != "cpu" or self.workers == 1:
            return self.analyser
        given = self._opened_anew.keywords
        with self._opening:
            if self._side_by_side is None:
                shared = replace(engine, threads=engine.thread_count // self.workers)
                try:
                    opened = self._opened(given["detector"], given["weights"], shared)
                except MultifaceError:
                    opened = self.analyser
                same = opened.embedder.fingerprint == self.embedder.fingerprint
                self._side_by_side = opened if same else self.analyser
            return self._side_by_side

    def described(self) -> dict[str, Any]:
        """What opens it anew in another process, as values for JSON, for `from_description`. It holds the gallery's
        password where that has one.

        Raises NotAvailable where a part is an object of the caller's own, or there is no gallery or a people folder.
        """
        given = dict(self._opened_anew.keywords)
        settings = {one.name: getattr(self.settings, one.name) for one in fields(self.settings)}
        parts = {"detector": given["detector"], "weights": given["weights"], "gallery": given["gallery"]}
        if given["gallery"] is None or not all(isinstance(one, str | Path) for one in parts.values()):
            raise NotAvailable(
                "a recogniser opens in another process only if its detector, weights and gallery are names"
            )
        if isinstance(self.settings.calibration, Calibration):
            raise NotAvailable(
                "a calibration object cannot be opened in another process",
                hint="add it to the store and give its name",
            )
        document = {name: str(one) if isinstance(one, Path) else one for name, one in parts.items()}
        kept = {name: str(one) if isinstance(one, Path) else one for name, one in settings.items()}
        return {**document, "settings": kept}

    @staticmethod
    def from_description(document: dict[str, Any]) -> "Recognizer":
        """Open what was described. Raises as `Recognizer` does."""
        parts = {name: one for name, one in document.items() if name != "settings"}
        return Recognizer(**parts, settings=RecognizerSettings(**document["settings"]))

    def __reduce__(self) -> tuple[Callable[..., "Recognizer"], tuple[()]]:
        return self._opened_anew, ()

    def __enter__(self) -> "Recognizer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the gallery, unless it was open when it was given; closing twice is fine."""
        if self.gallery is not None and not self._lent:
            self.gallery.close()
        if self._passing is not None:
            self._passing()

    @property
    def origin(self) -> VectorOrigin:
        """Whose vectors this recogniser makes."""
        return VectorOrigin(
            self.embedder.fingerprint,
            self.embedder.name,
            self.detector.name,
            self.embedder.spec.dimension,
            self.flip,
        )

    @property
    def calibration(self) -> Calibration:
        """What thresholds come from. Raises NotAvailable when none is known for these weights."""
        return self._calibrated().calibration

    @property
    def caveat(self) -> str | None:
        """What does not quite fit between the calibration and this recogniser; None where all does."""
        return self._calibrated().caveat

    def detect(self, picture: PictureSource) -> Found:
        """The faces of a picture (a path, bytes or an array), best score first."""
        return find_faces(self.detector, open_picture(picture).pixels)

    def analyse(self, picture: PictureSource) -> Analysis:
        """The faces of a picture with their embeddings."""
        return self.analyser.analyse([open_picture(picture).pixels])[0]

    @property
    def rate(self) -> float:
        """False-positive identification rate of `identify` for the whole gallery."""
        return self.settings.rate

    def identify(self, picture: PictureSource, groups: str | Iterable[str] = ()) -> Identification:
        """Who is in a picture. groups: only people who are in one of these get a name; none named, everybody.

        The threshold is that among the people who can get a name. Raises UsageError without people, PictureError,
        RateNotSupported.
        """
        gallery = self._people()
        opened = open_picture(picture)
        return self._identified(self.analyse(opened.pixels), opened.whole_share, gallery.matrix(groups))

    def identify_many(
        self, pictures: PictureSource | Iterable[PictureSource]
    ) -> Generator[Identification | Unusable, None, None]:
        """Who is in each of many pictures, in order; for a picture that cannot be used, the error in its place.

        Several pictures are decoded, searched and embedded at once, which is faster than `identify` for each. Pictures
        are asked for as they are needed, a few ahead, so an iterator of any length will do. Raises UsageError without
        people, RateNotSupported.
        """
        self._people()
        return self._each_identified(pictures_in(pictures))

    def _each_identified(
        self, pictures: Iterable[PictureSource]
    ) -> Generator[Identification | Unusable, None, None]:
        for answer in analysed_in_order(self.analyser, self.side_by_side, pictures, self.workers):
            yield self._identified(*answer) if isinstance(answer, tuple) else answer

    def decide(self, embeddings: Floats, faults: Sequence[PictureFault | None] = ()) -> list[Decision]:
        """Who the faces of one picture are, from their embeddings: float32 (n, d) of unit length, see `analyse`.

        No two of them are given the same name. faults: what is wrong with each face that is poor, one a face, or none
        at all. Raises UsageError without people or for other shapes, RateNotSupported.
        """
        gallery = self._people()
        vectors = self._unit_vectors(embeddings)
        return decide_probes(vectors, gallery.matrix(), self._gallery_threshold(), faults=faults)

    def rank(
        self, embeddings: Floats, most: int = 5, groups: str | Iterable[str] = ()
    ) -> list[list[Candidate]]:
        """The people who are most similar to each face, the most similar first; at most so many.

        embeddings: float32 (n, d) of unit length. groups: as for `identify`. Nothing is decided and no rate is stated,
        so it answers in galleries of any size. Raises UsageError without people or for other shapes.
        """
        matrix, vectors = self._people().matrix(groups), self._unit_vectors(embeddings)
        if most < 1:
            raise UsageError(f"at least one person is ranked, not {most}")
        if not len(matrix) or not len(vectors):
            return [[] for _ in vectors]
        at = nearest_people(vectors, matrix, min(most, len(matrix)))
        similar = exact_similarities(vectors, matrix, at)
        order = np.argsort(-similar, axis=1, kind="stable")[:, :most]
        return [
            [Candidate(matrix.names[at[k]], float(row[k]), matrix.ids[at[k]]) for k in best]
            for row, best in zip(similar, order, strict=True)
        ]

    def cluster(self, embeddings: Floats, pictures: Sequence[Hashable] = ()) -> list[int]:
        """Which faces are one person, as albums group unknown faces: the group of each, 0, 1, ...

        embeddings: float32 (n, d) of unit length, of good pictures (see `analyse`). pictures: which picture each face
        is in, anything that can be compared; two faces of one picture are two people. The order of the faces makes no
        difference to the groups. Two faces may be one person from the similarity on that a stranger among n people has
        to reach, at half of `rate`. Raises UsageError for other shapes, RateNotSupported.
        """
        vectors = self._unit_vectors(embeddings)
        if pictures and len(pictures) != len(vectors):
            raise UsageError(f"{len(pictures)} pictures do not fit {len(vectors)} embeddings")
        moments = [frozenset((one,)) for one in pictures] or [frozenset()] * len(vectors)
        unknown = Unknown(vectors, moments, np.full(len(vectors), -1, np.int64))
        least = least_similarity(self.calibration, self.rate, rounded_up(len(vectors)))
        return [int(label) for label in grouped(unknown, self.calibration, least)]

    def _unit_vectors(self, embeddings: Floats) -> Floats:
        """The same, checked. Raises UsageError."""
        try:
            vectors = np.asarray(embeddings)
        except ValueError as error:
            raise UsageError(f"embeddings are one array ({error})") from error
        length = self.embedder.spec.dimension
        if vectors.ndim != 2 or vectors.shape[1] != length or vectors.dtype != np.float32:
            raise UsageError(f"embeddings are float32 (n, {length}), not {vectors.dtype} {vectors.shape}")
        if not np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3):
            raise UsageError("embeddings are of unit length", hint="divide each by its norm")
        return vectors

    def _identified(
        self, analysis: Analysis, whole_share: float | None, matrix: Matrix | None = None
    ) -> Identification:
        decisions = decide_probes(
            analysis.embeddings,
            self._people().matrix() if matrix is None else matrix,
            self._gallery_threshold(),
            faults=picture_faults(self.calibration.limits, analysis.quality),
        )
        boxes = analysis.faces.boxes.astype(float).tolist()
        faces = tuple(
            IdentifiedFace(
                (box[0], box[1], box[2], box[3]),
                float(analysis.faces.scores[k]),
                analysis.faces.landmarks[k],
                decision,
            )
            for k, (box, decision) in enumerate(zip(boxes, decisions, strict=True))
        )
        return Identification(
            analysis.width, analysis.height, analysis.turn, analysis.bordered, faces, whole_share
        )

    def _people(self) -> Gallery:
        if self.gallery is None:
            raise UsageError("identify needs people", hint="give a folder of people or a gallery")
        return self.gallery

    def verify(
        self, a: PictureSource, b: PictureSource, rate: float = VERIFY_RATE, faces: Sequence[int] = ()
    ) -> Verification:
        """Whether two pictures show the same person, at a false-match rate.

        Each picture must have one face, or one clearly larger than the others: NoFace, SeveralFaces
        otherwise. faces: the number of the face to take, from 1, best detection first; one number for the picture that
        has several, or one for each. Where both are too poor for the rate, or one is even against a good picture,
        nothing is decided.
        """
        threshold = self.calibration.threshold_for_verify(rate)
        opened = open_picture(a), open_picture(b)
        first, second = self.analyser.analyse([one.pixels for one in opened])
        names = _called(a, "the first picture"), _called(b, "the second picture")
        one, other = faces_to_compare((first.faces, second.faces), names, faces)
        similarity = float(first.embeddings[one] @ second.embeddings[other])
        limits = self.calibration.limits
        faults = (
            picture_faults(limits, first.quality)[one],
            picture_faults(limits, second.quality)[other],
        )
        decided = None in faults and not any(fault is not None and fault.alone for fault in faults)
        return Verification(
            same=decided and similarity >= threshold.similarity,
            decided=decided,
            similarity=similarity,
            threshold=threshold.similarity,
            false_match_rate=rate,
            at_similarity=self.calibration.false_match_rate(similarity),
            alike=self.calibration.false_match_rate_alike(similarity),
            alike_by=None if self.calibration.alike is None else self.calibration.alike.chosen_by,
            missed=self.calibration.false_non_match_rate(threshold.similarity),
            detail=threshold,
            caveat=self.caveat,
            first=_look(first, one, faults[0], opened[0].whole_share),
            second=_look(second, other, faults[1], opened[1].whole_share),
        )

    def enroll(
        self,
        name: str,
        pictures: PictureSource | Iterable[PictureSource],
        force: bool = False,
        another: bool = False,
        groups: Iterable[str] = (),
    ) -> Enrolment:
        """Add pictures of one person to the gallery, or one picture; an iterator of pictures is read as it comes.

        name: or an id. another: make another person of this name even if somebody has it. groups: of a person who is
        made.

        A picture without one clear face is refused and listed, so is one that is damaged or too poor for the stated
        rates unless `force`; the others are added. Raises UsageError without a gallery, GalleryError when a picture is
        enrolled as somebody else, AmbiguousName when several people have the name.
        """
        if self.gallery is None:
            raise UsageError("enroll needs a gallery")
        templates, refused, notes = [], [], []
        given = pictures_in(pictures)
        for number, (picture, outcome) in enumerate(
            templates_of(self.analyser, given, self._limits(), force, self.settings.crops), 1
        ):
            called = Path(picture) if isinstance(picture, str | Path) else f"picture {number}"
            if isinstance(outcome, Refusal):
                refused.append((called, outcome.reason))
                continue
            templates.append(outcome)
            note = PictureNote.of(str(called), outcome.facts)
            if note is not None:
                notes.append(str(note))
        added = self.gallery.add_templates(name, templates, another=another, groups=groups)
        return Enrolment(added.added, added.already_there, tuple(refused), tuple(notes), added.person)

    @contextmanager
    def temporary_gallery(self) -> Iterator[Gallery]:
        """An empty gallery for a while, deleted afterwards; the recogniser must have none of its own."""
        if self.gallery is not None:
            raise UsageError("this recogniser has its people already")
        with tempfile.TemporaryDirectory(prefix="multiface-") as folder:
            try:
                with Gallery.open(Path(folder) / "gallery.sqlite", self.origin, create=True) as self.gallery:
                    yield self.gallery
            finally:
                self.gallery = None

    def sync(
        self,
        folder: str | Path,
        progress: Progress | None = None,
        prune: bool = False,
        force: bool = False,
    ) -> FolderReport:
        """Bring the gallery up to date with a folder that has a folder of pictures for each person.

        Only new and changed pictures are embedded. prune: also remove the templates of pictures that
        vanished. force: also take pictures that are damaged or too poor for the stated rates. Raises UsageError without
        a gallery, PictureError when the folder is none.
        """
        if self.gallery is None:
            raise UsageError("a folder can be imported only into a gallery")
        keep = self.settings.crops
        return self._sync(
            self.gallery, Path(folder), progress, prune, "remove the people by name", force, keep
        )

    def reembed(
        self,
        gallery: Gallery,
        folders: Sequence[str | Path] = (),
        drop_missing: bool = False,
        progress: Progress | None = None,
        looking: Progress | None = None,
    ) -> Reembedded:
        """Embed the people of a gallery again with these weights; arguments and errors as of `gallery.reembed`.

        gallery: open, with vectors of other weights. It may be stopped at any moment and goes on when it is called
        again; the gallery answers with the old vectors until the switch at the end. Open it again then.
        """
        return reembed(
            gallery,
            self.origin,
            lambda wanted: faces_again(self.analyser, wanted),
            folders=folders,
            drop_missing=drop_missing,
            progress=progress,
            looking=looking,
        )

    def _follow(self, gallery: Gallery, folder: Path, progress: Progress | None) -> FolderReport:
        """Bring the cache file of a people folder up to date, and drop from the others what vanished."""
        remedy = f"`multiface people forget {folder}` deletes their cached vectors"
        report = self._sync(gallery, folder, progress, True, remedy)
        drop_from_others(gallery, folder)
        return report

    def _sync(
        self,
        gallery: Gallery,
        folder: Path,
        progress: Progress | None,
        prune: bool,
        if_all_are_meant: str,
        force: bool = False,
        crops: bool = False,
    ) -> FolderReport:
        limits = self._limits()
        # What was refused is tried again when any of this changes.
        settings = (
            f"{self.detector.name}, min_face {self.settings.min_face:g}, {limits}, multiface {__version__}"
        )
        return sync_folder(
            gallery,
            people_folder(folder),
            lambda paths: templates_of(self.analyser, paths, limits, force, crops),
            detector=f"{settings}, forced" if force else settings,
            progress=None if progress is None else lambda step: progress(step.done, step.total),
            prune=prune,
            if_all_are_meant=if_all_are_meant,
        )

    def _limits(self) -> QualityLimits | None:
        """What pictures to enrol must show; None for anything, as without a calibration."""
        try:
            return self.calibration.limits
        except NotAvailable:
            return None

    def _gallery_threshold(self) -> GalleryThreshold:
        if self._threshold is None:
            self._threshold = GalleryThreshold(self.calibration, self.rate)
        return self._threshold

    def _calibrated(self) -> ChosenCalibration:
        if self._chosen is None:
            self._chosen = choose_calibration(
                self._store_folder / "calibrations",
                detector=self.detector.name,
                weights=self.embedder.name,
                fingerprint=self.embedder.fingerprint,
                flip=self.flip,
                wanted=self.settings.calibration,
            )
        return self._chosen


def _look(analysis: Analysis, face: int, fault: PictureFault | None, whole_share: float | None) -> Look:
    words = None if fault is None else fault.words
    return Look(analysis.turn, analysis.bordered, whole_share, face + 1, len(analysis.faces), words)


def _called(picture: PictureSource, otherwise: str) -> str:
    """What messages call a picture."""
    return path_text(picture) if isinstance(picture, str | Path) else otherwise

"""Photos of people to aligned crops, 112 x 112 on the usual five points, as training and verification sets
want them.

`prepare_photos`: any photos, a folder a person; a photo without one clear face is dropped, with the reason.

    ROOT/imgs/NAME/PHOTO.jpg     the crop of FOLDER/NAME/PHOTO.*
    ROOT/dropped.csv             photo, reason, detail
    ROOT/photos.jsonl            the notes by which a second run goes on where the first stopped

`prepare_lfw`: the pictures of an LFW folder and its pairs; none is dropped, so that every pair can be scored.

    ROOT/lfw_aligned/NAME/NAME_0001.jpg
    ROOT/lfw.bin                 the pairs as a verification pack, in the order of pairs.txt
    ROOT/lfw_aligned.jsonl       notes, as above

Crops are RGB, JPEG of quality 95 without colour subsampling. The notes are a line of JSON a photo, written
once its crop is there; a photo whose size, time or detector has changed is looked at again.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from multiface.atomic_write import write_whole
from multiface.datasets.bin_pack import write_bin
from multiface.datasets.lfw import LfwFolder
from multiface.datasets.whole_file import write_beside
from multiface.errors import DataSetError, ExtraMissing, PictureError, UsageError
from multiface.evaluate.measure import middle_landmarks
from multiface.faces.align import align
from multiface.faces.detector import Detector
from multiface.faces.face import Image
from multiface.faces.finding import Found, find_faces
from multiface.faces.main_face import central_face, clear_main_face
from multiface.images import list_pictures, load_picture
from multiface.images.jpeg import faithful_jpeg
from multiface.images.path_text import path_text
from multiface.json_text import parse_json
from multiface.progress import Progress
from multiface.regular_file import read_regular, read_regular_text, size_and_time
from multiface.visible import table_cell
from multiface.weights.spec import ARCFACE_TEMPLATE

SIDE = 112
_BATCH = 32


class Reason(StrEnum):
    """Why a photo gave no crop (or, in LFW, only its middle)."""

    NO_FACE = "no face"
    SEVERAL_FACES = "several faces"
    BROKEN = "not readable"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A photo without a crop. photo: path below the folder. detail: what was found instead of one face."""

    photo: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a photo.

    content: the crop's JPEG file; None where there is no crop. reason, detail: None and "" where all is well.
    """

    content: bytes | None
    reason: Reason | None = None
    detail: str = ""


Verdicts = Callable[[Sequence[Path]], Iterator[Verdict]]
"""Looks at photos somewhere else; the verdicts in the order of the photos."""


@dataclass(frozen=True, slots=True)
class PreparedPhotos:
    """What stands on disk now.

    folder: of the crops. people: with a crop. photos: all that were found. crops: of these, how many have
    one. made: crops and verdicts that are new in this run. dropped: as in dropped.csv. without_crop: people
    of whom every photo was dropped.
    """

    folder: Path
    people: int
    photos: int
    crops: int
    made: int
    dropped: tuple[Dropped, ...]
    without_crop: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PreparedLfw:
    """What stands on disk now.

    folder: of the crops. pack: the .bin file. pictures, pairs: how many. made: crops that are new in this
    run. middle: pictures (paths below the LFW folder) without a face, whose middle was taken.
    """

    folder: Path
    pack: Path
    pictures: int
    pairs: int
    made: int
    middle: tuple[str, ...]


def prepare_photos(
    folder: Path,
    root: Path,
    detector: Detector,
    min_face: float,
    workers: int,
    progress: Progress = lambda *_: None,
    verdicts: Verdicts | None = None,
) -> PreparedPhotos:
    """FOLDER/NAME/... to ROOT/imgs/NAME/PHOTO.jpg.

    A photo has one clear face if there is one only, or one of at least twice the area of the next. Photos in
    folders below NAME count to NAME, with the folders' names in that of the crop. Crops of photos that are no
    longer there stay.
    min_face: what the detector was opened with; it only goes into the notes. workers: photos that are looked
    at the same time. progress: called with photos done and all photos. verdicts: looks at the photos in place of
    `detector`, which must be the one that is used there.
    Raises DataSetError where there is no photo in a folder a person, UsageError where ROOT cannot be written
    or crops would go among the photos.
    """
    crops = root / "imgs"
    _refuse_overlap(folder, crops)
    if not folder.is_dir():
        raise DataSetError(
            f"{path_text(folder)}: is not a folder; wanted a folder with a folder of photos per person",
            path=folder,
        )
    paths = [path for path in list_pictures(folder).pictures if path.parent != folder]
    if not paths:
        raise DataSetError(
            f"{path_text(folder)}: no photos in folders of people; wanted {path_text(folder)}/NAME/PHOTO.jpg",
            path=folder,
        )
    notes = _Notes(
        root / "photos.jsonl", crops, {"detector": detector.name, "min_face": min_face, "take": "clear"}
    )
    jobs = notes.jobs(folder, paths, _crop_name)
    looks = _here(lambda path: clear_verdict(path, detector)) if verdicts is None else _elsewhere(verdicts)
    made = _work(jobs, notes, looks, workers, progress)

    photos = [notes.of(path.relative_to(folder)) for path in paths]
    dropped = tuple(
        Dropped(path_text(n.photo), Reason(n.reason), n.detail) for n in photos if n.reason is not None
    )
    names = list(dict.fromkeys(Path(n.photo).parts[0] for n in photos))
    shown = {Path(n.photo).parts[0] for n in photos if n.reason is None}
    try:
        write_beside(root / "dropped.csv", _csv(dropped))
    except OSError as error:
        raise _cannot_write(error, root) from error
    without = tuple(path_text(name) for name in names if name not in shown)
    return PreparedPhotos(crops, len(shown), len(photos), len(photos) - len(dropped), made, dropped, without)


def prepare_lfw(
    folder: Path,
    root: Path,
    detector: Detector,
    min_face: float,
    workers: int,
    progress: Progress = lambda *_: None,
) -> PreparedLfw:
    """The pictures that FOLDER/pairs.txt names to ROOT/lfw_aligned and its pairs to ROOT/lfw.bin.

    The face is the large one near the middle; where none is found, the middle of the picture is taken.
    Arguments as in `prepare_photos`. Raises DataSetError where the LFW folder is broken or incomplete,
    PictureError for a picture that cannot be decoded, UsageError where ROOT cannot be written.
    """
    crops = root / "lfw_aligned"
    _refuse_overlap(folder, crops)
    lfw = LfwFolder.open(folder)
    notes = _Notes(
        root / "lfw_aligned.jsonl",
        crops,
        {"detector": detector.name, "min_face": min_face, "take": "central"},
    )
    jobs = notes.jobs(folder, lfw.paths, lambda photo, _: photo.with_suffix(".jpg").as_posix())
    made = _work(jobs, notes, _here(lambda path: _central_verdict(path, detector)), workers, progress)

    photos = [notes.of(path.relative_to(folder)) for path in lfw.paths]
    files = [read_regular(crops / note.crop) for note in photos]
    order = np.stack([lfw.pairs.left, lfw.pairs.right], axis=1).reshape(-1)
    pack = root / "lfw.bin"
    try:
        write_bin(pack, [files[place] for place in order.tolist()], lfw.pairs.issame)
    except OSError as error:
        raise _cannot_write(error, pack) from error
    middle = tuple(path_text(note.photo) for note in photos if note.reason is not None)
    return PreparedLfw(crops, pack, len(photos), len(lfw.pairs), made, middle)


def clear_verdict(path: Path, detector: Detector) -> Verdict:
    """The crop of the one clear face of a photo, or why there is none."""
    try:
        image = load_picture(path)
    except (PictureError, ExtraMissing) as error:
        return Verdict(None, Reason.BROKEN, str(error))
    found = find_faces(detector, image)
    chosen = clear_main_face(found.faces)
    if chosen is not None:
        return Verdict(_aligned(image, found, chosen))
    if len(found.faces) == 0:
        return Verdict(None, Reason.NO_FACE)
    return Verdict(None, Reason.SEVERAL_FACES, f"{len(found.faces)} faces, none twice as large as the next")


def _central_verdict(path: Path, detector: Detector) -> Verdict:
    image = load_picture(path)
    height, width = image.shape[:2]
    found = find_faces(detector, image)
    if len(found.faces):
        return Verdict(_aligned(image, found, central_face(found.faces, width, height)))
    crop: Image = align(image, middle_landmarks(image, ARCFACE_TEMPLATE, (SIDE, SIDE)))[0]
    return Verdict(faithful_jpeg(crop), Reason.NO_FACE)


def _aligned(image: Image, found: Found, chosen: int) -> bytes:
    return faithful_jpeg(align(image, found.faces.landmarks[chosen : chosen + 1])[0])


@dataclass(frozen=True, slots=True)
class _Note:
    """What is known of a photo.

    photo: path below the folder, with /. bytes, modified: of the photo's file (modified in nanoseconds).
    crop: path below the folder of crops, kept for this photo also while it has none. crop_bytes: size of the
    crop's file, 0 where there is none. reason, detail: as in `Dropped`; None and "" where the face was found.
    """

    photo: str
    bytes: int
    modified: int
    crop: str
    crop_bytes: int = 0
    reason: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Job:
    path: Path
    note: _Note


class _Notes:
    """The notes in a file, a line each, added to as photos are done; the first says how crops are made."""

    def __init__(self, file: Path, crops: Path, how: Mapping[str, object]) -> None:
        self.file = file
        self.crops = crops
        self._head = json.dumps({"side": SIDE, **how})
        self._notes = _read_notes(file, self._head)

    def of(self, photo: Path) -> _Note:
        return self._notes[photo.as_posix()]

    def jobs(
        self, folder: Path, paths: Sequence[Path], name: Callable[[Path, set[str]], str]
    ) -> list[_Job | None]:
        """For each photo what is to be done, or None where its crop (or verdict) is there.

        name: makes the crop's path from the photo's, other than those already taken.
        """
        taken = {note.crop.casefold() for note in self._notes.values()}
        jobs: list[_Job | None] = []
        for path in paths:
            photo = path.relative_to(folder)
            size, modified = size_and_time(path)
            known = self._notes.get(photo.as_posix())
            crop = known.crop if known else name(photo, taken)
            taken.add(crop.casefold())
            fresh = _Note(photo.as_posix(), size, modified, crop)
            jobs.append(None if known and self._there(known, fresh) else _Job(path, fresh))
        return jobs

    def open(self) -> TextIO:
        """The file, written anew with what is known, open for adding."""
        lines = [self._head, *(json.dumps(asdict(note)) for note in self._notes.values())]
        write_beside(self.file, ("\n".join(lines) + "\n").encode())
        return self.file.open("a", encoding="utf-8")

    def add(self, file: TextIO, note: _Note) -> None:
        if self._notes.get(note.photo) == note:
            return
        self._notes[note.photo] = note
        file.write(json.dumps(asdict(note)) + "\n")

    def _there(self, known: _Note, fresh: _Note) -> bool:
        if (known.bytes, known.modified) != (fresh.bytes, fresh.modified):
            return False
        if known.crop_bytes == 0:  # what could not be read may be readable today
            return known.reason != Reason.BROKEN
        try:
            return (self.crops / known.crop).stat().st_size == known.crop_bytes
        except OSError:
            return False


def _read_notes(file: Path, head: str) -> dict[str, _Note]:
    """The notes of earlier runs; the last line of a photo counts.

    Of runs that made crops in another way only the crops' names are kept, so that each is written over.
    """
    try:
        lines = read_regular_text(file).splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return {}
    notes: dict[str, _Note] = {}
    names = {field.name for field in fields(_Note)}
    same_way = lines[:1] == [head]
    for line in lines[1:]:
        try:
            value = parse_json(line)
        except ValueError:  # the line at which a killed run stopped
            continue
        if isinstance(value, dict) and set(value) == names:
            note = _Note(**value)
            notes[note.photo] = note if same_way else replace(note, modified=-1)
    return notes


Look = Callable[[], Verdict]
"""Gives the verdict on a photo; called in a thread."""


def _here(crop: Callable[[Path], Verdict]) -> Callable[[Sequence[Path]], Iterator[Look]]:
    return lambda paths: (partial(crop, path) for path in paths)


def _elsewhere(verdicts: Verdicts) -> Callable[[Sequence[Path]], Iterator[Look]]:
    return lambda paths: (partial(lambda done: done, verdict) for verdict in verdicts(paths))


def _work(
    jobs: Sequence[_Job | None],
    notes: _Notes,
    looks: Callable[[Sequence[Path]], Iterator[Look]],
    workers: int,
    progress: Progress,
) -> int:
    """Does the jobs, batch by batch, and notes each. Returns how many there were."""
    open_jobs = [job for job in jobs if job is not None]
    done = len(jobs) - len(open_jobs)
    try:
        notes.crops.mkdir(parents=True, exist_ok=True)
        with notes.open() as file, ThreadPoolExecutor(workers) as pool:
            looking = looks([job.path for job in open_jobs])
            for batch in _batches(open_jobs):
                given = list(islice(looking, len(batch)))
                for note in pool.map(lambda job, look: _do(job, notes.crops, look), batch, given):
                    notes.add(file, note)
                file.flush()
                done += len(batch)
                progress(done, len(jobs))
    except OSError as error:
        raise _cannot_write(error, notes.crops) from error
    return len(open_jobs)


def _batches(jobs: Sequence[_Job]) -> Iterator[Sequence[_Job]]:
    for start in range(0, len(jobs), _BATCH):
        yield jobs[start : start + _BATCH]


def _do(job: _Job, crops: Path, look: Look) -> _Note:
    target = crops / job.note.crop
    made = look()
    size = 0
    if made.content is None:
        # The photo may have had a face before it was replaced.
        target.unlink(missing_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, made.content)
        size = len(made.content)
    note = job.note
    reason = None if made.reason is None else made.reason.value
    return _Note(note.photo, note.bytes, note.modified, note.crop, size, reason, made.detail)


def _crop_name(photo: Path, taken: set[str]) -> str:
    """NAME/PHOTO.jpg, NAME/FOLDER_PHOTO.jpg, or with _2, _3, ... where another photo has that name."""
    person, *rest = photo.with_suffix("").parts
    base = f"{person}/{'_'.join(rest)}"
    name, number = f"{base}.jpg", 2
    while name.casefold() in taken:
        name, number = f"{base}_{number}.jpg", number + 1
    return name


def _refuse_overlap(folder: Path, crops: Path) -> None:
    """Crops among the photos would be taken for photos, or written over them."""
    inside, outside = crops.resolve(), folder.resolve()
    if inside.is_relative_to(outside) or outside.is_relative_to(inside):
        raise UsageError(
            f"{path_text(crops)}: crops cannot go into {path_text(folder)}, where the photos are",
            path=crops,
            hint="choose another --out",
        )


def _csv(dropped: Sequence[Dropped]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["photo", "reason", "detail"])
    writer.writerows([table_cell(one.photo), one.reason.value, table_cell(one.detail)] for one in dropped)
    return text.getvalue().encode()


def _cannot_write(error: OSError, folder: Path) -> UsageError:
    return UsageError(
        f"{path_text(error.filename or folder)}: {error.strerror or error}", path=error.filename or folder
    )

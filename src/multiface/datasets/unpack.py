"""Record files and packs to pictures on disk, each the very bytes that stood in the file.

    ROOT/imgs/LABEL/KEY.jpg      a picture of a record file, by its label and key (.png, ... where it is one)
    ROOT/imgs.json               which record file `imgs` is from
    ROOT/NAME/000000.jpg         the pictures of NAME.bin in its order, six digits or more
    ROOT/NAME/pairs.json         {"name", "pairs": [{"left": "000000.jpg", "right": ..., "same": true}, ...]}
    ROOT/NAME_list.npy           bool (P,), whether each pair shows the same person; read without pickle

That is the tree of MultiFace's and InsightFace_Pytorch's `prepare_data.py`, with two differences: theirs
keeps the packs' pictures in bcolz arrays, and decodes, swaps red and blue and compresses again what it writes
to `imgs`. Pictures that a pack holds already decoded become PNG files.

Everything may be stopped and run again: what is there is left alone, what is missing or cut short is written.
"""

import hashlib
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from multiface.datasets.bin_pack import BinPack, read_bin
from multiface.datasets.record_identities import RecordIdentities, record_identities
from multiface.datasets.recordio import RecordFile
from multiface.datasets.whole_file import same_bytes, same_size, write_beside
from multiface.errors import DataSetError, PictureError, UsageError
from multiface.file_name import file_name
from multiface.images import load_picture, save_picture
from multiface.images.endings import ENDINGS
from multiface.images.path_text import path_text
from multiface.images.signature import SIGNATURE_BYTES, picture_kind
from multiface.json_text import parse_json
from multiface.progress import Progress
from multiface.regular_file import read_regular

PICTURES = "imgs"


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What stands on disk now.

    folder: with the pictures. pictures: all of them. groups: people of a record file, or pairs of a pack.
    written: pictures that were not there before. mended: that were there but not as they should be.
    left_out: records that are no picture, and why.
    """

    folder: Path
    pictures: int
    groups: int
    written: int
    mended: int
    left_out: tuple[str, ...] = ()

    @property
    def kept(self) -> int:
        """Pictures that were there already."""
        return self.pictures - self.written - self.mended


def unpack_records(folder: Path, root: Path, progress: Progress = lambda *_: None) -> Unpacked:
    """FOLDER/train.rec (with train.idx, else scanned) to ROOT/imgs/LABEL/KEY.jpg.

    LABEL is the label that the records give (their vector's first entry), not a class number without gaps.
    A picture on disk counts as there if it has the right size; its bytes are not compared.
    progress: called with pictures done and all pictures.
    A record that is no picture is left out. Raises DataSetError where the files are broken, or no record is a picture,
    UsageError where ROOT/imgs is
    from another record file or nothing can be written.
    """
    idx = folder / "train.idx"
    with RecordFile.open(folder / "train.rec", idx if idx.exists() else None) as file:
        identities = record_identities(file)
        pictures = root / PICTURES
        total = len(identities.keys)
        count = _Count()
        left_out: list[str] = []
        try:
            pictures.mkdir(parents=True, exist_ok=True)
            _claim(root / f"{PICTURES}.json", file, identities)
            people = set[int]()
            for done, (key, label) in enumerate(
                zip(identities.keys.tolist(), identities.labels.tolist(), strict=True)
            ):
                person = pictures / str(identities.originals[label])
                if label not in people:
                    person.mkdir(exist_ok=True)
                    people.add(label)
                try:
                    payload = file.read(key).payload
                    ending = _ending(payload, f"{file.path}: record {key}")
                except DataSetError as error:
                    left_out.append(str(error))
                    continue
                count.put(person / f"{key}{ending}", payload, same_size)
                if done % 64 == 63:
                    progress(done + 1, total)
        except OSError as error:
            raise _cannot_write(error, pictures) from error
        progress(total, total)
    if len(left_out) == total:
        raise DataSetError(f"{left_out[0]}; none of the {total} records holds a picture")
    there = total - len(left_out)
    return Unpacked(pictures, there, len(identities.originals), count.written, count.mended, tuple(left_out))


def unpack_pack(path: Path, root: Path, progress: Progress = lambda *_: None) -> Unpacked:
    """NAME.bin to ROOT/NAME/000000.jpg, ..., ROOT/NAME/pairs.json and ROOT/NAME_list.npy.

    Pictures on disk are compared byte by byte (decoded ones by their pixels) and written again where they
    differ. progress: called with pictures done and all pictures. Raises DataSetError where the pack is broken
    or holds something else than pictures, UsageError where its name cannot be a folder's or nothing can be written.
    """
    pack = read_bin(path)
    name = file_name(path.stem, f"{path_text(path)}: a pack called")
    if name == PICTURES:
        raise UsageError(
            f"{path}: a pack of this name would be mixed with the pictures of people",
            path=path,
            hint="rename it",
        )
    folder = root / name
    digits = max(6, len(str(len(pack.pictures) - 1)))
    total = len(pack.pictures)
    names: list[str] = []
    count = _Count()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for place, picture in enumerate(pack.pictures):
            if isinstance(picture, bytes):
                ending = _ending(picture, f"{path}: picture {place}")
                names.append(f"{place:0{digits}}{ending}")
                count.put(folder / names[-1], picture, same_bytes)
            else:
                names.append(f"{place:0{digits}}.png")
                count.put_pixels(folder / names[-1], picture)
            if place % 64 == 63:
                progress(place + 1, total)
        write_beside(folder / "pairs.json", _pairs(name, names, pack))
        write_beside(root / f"{name}_list.npy", _npy(pack.issame))
    except OSError as error:
        raise _cannot_write(error, folder) from error
    progress(total, total)
    return Unpacked(folder, total, len(pack), count.written, count.mended)


@dataclass(slots=True)
class _Count:
    """Writes pictures and counts."""

    written: int = 0
    mended: int = 0

    def put(self, path: Path, content: bytes, there: Callable[[Path, bytes], bool]) -> None:
        if there(path, content):
            return
        self._count(path)
        write_beside(path, content)

    def put_pixels(self, path: Path, pixels: npt.NDArray[np.uint8]) -> None:
        if path.exists():
            try:
                if np.array_equal(load_picture(path), pixels):
                    return
            except PictureError:
                pass
        self._count(path)
        save_picture(pixels, path)

    def _count(self, path: Path) -> None:
        if os.path.lexists(path):
            self.mended += 1
        else:
            self.written += 1


def _claim(mark: Path, file: RecordFile, identities: RecordIdentities) -> None:
    """Notes which record file the pictures are from, or finds the note and refuses another one.

    Keys and labels of two sets are alike, so a mixture would not show.
    """
    digest = hashlib.sha256(str(file.source.size).encode())
    for array in (identities.keys, identities.labels, identities.originals, file.index.offsets):
        digest.update(np.ascontiguousarray(array, "<i8").tobytes())
    note = {
        "index_sha256": digest.hexdigest(),
        "pictures": len(identities.keys),
        "people": len(identities.originals),
    }
    try:
        found = parse_json(read_regular(mark))
    except FileNotFoundError:
        write_beside(mark, json.dumps(note).encode())
        return
    except ValueError:
        found = None
    if found != note:
        raise UsageError(
            f"{path_text(mark)}: the pictures beside it are not from {path_text(file.path)}",
            path=mark,
            hint="choose another --out, or delete them and this note",
        )


def _ending(picture: bytes, name: str) -> str:
    kind = picture_kind(picture[:SIGNATURE_BYTES])
    if kind is None:
        raise DataSetError(
            f"{name} has {len(picture)} bytes that are not a picture: the file is damaged, or no set of pictures"
        )
    return ENDINGS[kind][0]


def _pairs(name: str, names: list[str], pack: BinPack) -> bytes:
    pairs = [
        {"left": names[2 * place], "right": names[2 * place + 1], "same": same}
        for place, same in enumerate(pack.issame.tolist())
    ]
    return json.dumps({"name": name, "pairs": pairs}).encode()


def _npy(issame: npt.NDArray[np.bool_]) -> bytes:
    file = io.BytesIO()
    np.save(file, issame, allow_pickle=False)
    return file.getvalue()


def _cannot_write(error: OSError, folder: Path) -> UsageError:
    return UsageError(
        f"{path_text(error.filename or folder)}: cannot be written ({error.strerror or error})",
        path=error.filename or folder,
    )

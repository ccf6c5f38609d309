"""Packs of pairs for verification (`lfw.bin`, `agedb_30.bin`, ...): one pickle of (pictures, issame).

Pair q is pictures 2q and 2q + 1, and issame[q] tells whether both show the same person. Pictures are JPEG or
PNG files as bytes, which `multiface.images` decodes to RGB, or already decoded arrays, taken to be RGB.

Packs come from strangers, and Python's own unpickler runs what a pickle asks it to; `bin_pickle.py` does not.
Source: insightface `verification.py` and `lfw2pack.py`.
"""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from multiface.arrays import Bools
from multiface.atomic_write import whole_file
from multiface.datasets.bin_pickle import PickledArray, read_pickle
from multiface.errors import DataSetError, about
from multiface.images.pixels import Image
from multiface.regular_file import read_regular

SIZE_LIMIT = 4 << 30
"""Largest pack in bytes; the field's have some 100 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class BinPack:
    """P pairs.

    pictures: 2P picture files as bytes, or uint8 (h, w, 3) RGB arrays.
    issame: bool (P,).
    """

    pictures: tuple[bytes | Image, ...]
    issame: Bools

    def __len__(self) -> int:
        return len(self.issame)


def read_bin(path: Path, size_limit: int = SIZE_LIMIT) -> BinPack:
    """Reads a pack; nothing in it is run.

    Raises DataSetError where the file cannot be read, is larger than `size_limit` bytes, is not a pickle of
    pictures and booleans alone, or does not hold two pictures a pair.
    """
    try:
        size = path.stat().st_size
        if size > size_limit:
            raise DataSetError(
                f"{path}: has {size} bytes, more than the limit of {size_limit} for a pack", path=path
            )
        data = read_regular(path)
    except OSError as error:
        raise DataSetError(
            f"{path}: cannot be read ({error.strerror})", path=path, hint="check the path"
        ) from error
    with about(path):
        value = read_pickle(data, str(path))
    del data
    if not isinstance(value, tuple | list) or len(value) != 2 or not isinstance(value[0], tuple | list):
        raise DataSetError(f"{path}: not a pack: wanted a list of pictures and one of booleans", path=path)
    pictures = tuple(_picture(path, place, item) for place, item in enumerate(value[0]))
    issame = _issame(path, value[1])
    if len(issame) == 0 or len(pictures) != 2 * len(issame):
        raise DataSetError(
            f"{path}: wanted two pictures a pair, found {len(pictures)} pictures and {len(issame)} pairs: "
            "the pack is cut off or mixed up",
            path=path,
            hint="fetch it again",
        )
    return BinPack(pictures, issame)


def write_bin(path: Path, pictures: Sequence[bytes], issame: Sequence[bool] | Bools) -> None:
    """Writes a pack (pickle protocol 4, bytes and booleans only); it appears whole or not at all.

    pictures: 2P picture files. issame: P booleans. Raises DataSetError where the numbers do not fit or
    something else than bytes is among the pictures.
    """
    if len(issame) == 0 or len(pictures) != 2 * len(issame):
        raise DataSetError(
            f"{path}: wanted two pictures a pair, got {len(pictures)} pictures and {len(issame)} pairs",
            path=path,
        )
    for place, picture in enumerate(pictures):
        if not isinstance(picture, bytes) or not picture:
            raise DataSetError(f"{path}: picture {place} is not a picture's file as bytes", path=path)
    value = (list(pictures), [bool(same) for same in issame])
    with whole_file(path) as file:
        pickle.dump(value, file, protocol=4)


def _picture(path: Path, place: int, item: object) -> bytes | Image:
    if isinstance(item, bytes) and item:
        return item
    if isinstance(item, PickledArray) and item.values is not None and item.values.size:
        values = item.values
        if values.dtype == np.uint8 and values.ndim == 1:
            # The very bytes that the pickle holds, not a copy.
            base = values.base
            while isinstance(base, np.ndarray):
                base = base.base
            return base if isinstance(base, bytes) else values.tobytes()
        if values.dtype == np.uint8 and values.ndim == 3 and values.shape[2] == 3:
            return values.view(np.uint8)
    raise DataSetError(
        f"{path}: picture {place} is {_kind(item)}, wanted a picture's file as bytes or a uint8 array "
        "(h, w, 3)",
        path=path,
        hint="fetch the pack again",
    )


def _issame(path: Path, value: object) -> Bools:
    if isinstance(value, PickledArray) and value.values is not None and value.values.ndim == 1:
        value = value.values.tolist()
    if isinstance(value, tuple | list) and all(
        type(same) in (bool, int) and same in (0, 1) for same in value
    ):
        return np.array(value, np.bool_)
    raise DataSetError(f"{path}: what should be a list of booleans, one a pair, is {_kind(value)}", path=path)


def _kind(item: object) -> str:
    """What something is, without showing what is in it."""
    if isinstance(item, PickledArray):
        return (
            "an array without contents" if item.values is None else f"an array of shape {item.values.shape}"
        )
    if isinstance(item, bytes | str | list | tuple):
        return f"{type(item).__name__} of length {len(item)}"
    return type(item).__name__

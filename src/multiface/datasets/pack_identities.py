"""Any training set to record files: what tar shards or Parquet files hold, for the fastest random access.

    OUT/train.rec, train.idx     picture i of the set with key i (label: its class, flag 0)
    OUT/property                 classes,height,width

Pictures go in as the files they are, in the order of the set, so that each shard and row group is read once. There is
no record 0 that tells of the others: readers of such records, MXNet's and insightface's too, then read all labels.
"""

from dataclasses import dataclass
from pathlib import Path

from multiface.datasets.identities import IdentitySet
from multiface.datasets.pack_folder import looked_at_content
from multiface.datasets.record_format import Record
from multiface.datasets.recordio import RecordWriter
from multiface.datasets.whole_file import write_beside
from multiface.errors import DataSetError, UsageError
from multiface.images.path_text import path_text
from multiface.progress import Progress


@dataclass(frozen=True, slots=True)
class PackedIdentities:
    """What was written. folder: with train.rec, train.idx and property. people: with a picture. width, height: of every
    picture, in pixels. left_out: pictures that cannot be in it, and why.
    """

    folder: Path
    people: int
    pictures: int
    width: int
    height: int
    left_out: tuple[str, ...]


def pack_identities(
    pictures: IdentitySet, out: Path, progress: Progress = lambda *_: None
) -> PackedIdentities:
    """A set to OUT/train.rec, train.idx and property; they appear whole or not at all.

    A picture that is broken, neither JPEG nor PNG, or of another size than the first is left out. progress: called with
    pictures done and all. Raises DataSetError where no picture can be used; UsageError where nothing can be written.
    """
    left_out: list[str] = []
    size: tuple[int, int] | None = None
    people = set[int]()
    key = 0
    try:
        out.mkdir(parents=True, exist_ok=True)
        with RecordWriter(out / "train.rec", out / "train.idx") as writer:
            for number, label in enumerate(pictures.labels.tolist()):
                if number % 64 == 63:
                    progress(number + 1, len(pictures))
                try:
                    looked = looked_at_content(pictures.read(number), size)
                except DataSetError as error:
                    left_out.append(f"picture {number}: {error}")
                    continue
                size = looked.width, looked.height
                writer.write(key, Record(float(label), key, 0, looked.content))
                people.add(label)
                key += 1
            if size is None:
                raise DataSetError(f"no picture can be used ({left_out[0]})")
            # Before the records: a property file of an older, smaller set must never stand beside them.
            (out / "property").unlink(missing_ok=True)
        write_beside(out / "property", f"{pictures.classes},{size[1]},{size[0]}\n".encode())
    except OSError as error:
        raise UsageError(
            f"{path_text(error.filename or out)}: {error.strerror or error}", path=error.filename or out
        ) from error
    progress(len(pictures), len(pictures))
    return PackedIdentities(out, len(people), key, size[0], size[1], tuple(left_out))

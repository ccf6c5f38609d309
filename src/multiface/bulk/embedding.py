"""Pictures to a Parquet file of vectors, by workers here or on a cluster.

    picture     text, the picture's path or address, or that of the Parquet file it stands in
    row         int64, the row there; null for a picture file
    face        int32, the number of the face in the picture
    box         4 float32: x0, y0, x1, y1 in pixels
    score       float32, of the detector
    embedding   d float32, unit length

A row for each face, in the order of the pictures. The schema's metadata has under `multiface` what made the vectors, as
JSON. Work is kept in parts of 2,048 pictures in FILE.part, so that a stopped run goes on; at the end they become the
file, a row group each. A run with other pictures, weights or settings starts anew. Vectors are biometric data: only
the owner may read what is written.
"""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from multiface.atomic_write import whole_file, write_whole
from multiface.bulk.tasks import Networks, Workers
from multiface.datasets.object_store import Listed, StoredObject, is_object_address
from multiface.datasets.parquet_file import Location, location_text, open_parquet
from multiface.datasets.parquet_identities import ParquetPictures, row_groups
from multiface.errors import DataSetError, ExtraMissing, PictureError, UsageError, how_to_install
from multiface.faces.analysis import Analyser
from multiface.images import load_picture
from multiface.images.limits import picture_limits
from multiface.images.path_text import path_text
from multiface.json_text import parse_json
from multiface.progress import Progress
from multiface.regular_file import read_regular, size_and_time

_TASK = 32
"""Pictures of a task."""
_PART = 64
"""Tasks of a part."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A picture that could not be used. picture: its path, with `#ROW` for a row of a Parquet file."""

    picture: str
    reason: str


@dataclass(frozen=True, slots=True)
class Embedded:
    """What was written. pictures: all that were given. resumed: of these, those of an earlier run."""

    pictures: int
    faces: int
    resumed: int
    failed: tuple[Failed, ...]


@dataclass(frozen=True, slots=True)
class EmbeddingJob:
    """Pictures in, the rows of their faces out. flip: None leaves mirror images to the weights."""

    networks: Networks
    weights: str
    flip: bool | None

    def open(self) -> Callable[[bytes], bytes]:
        """Raises WeightsMissing, EngineMissing."""
        analyser = self.networks.open_analyser(self.weights, self.flip)
        source = _Source()

        def do(task: bytes) -> bytes:
            given = msgspec.msgpack.decode(task, type=_Task)
            return msgspec.msgpack.encode([_embedded(one, source, analyser) for one in given.pictures()])

        return do


def embed_to_parquet(
    pictures: Sequence[Path | Listed],
    out: Path,
    job: EmbeddingJob,
    workers: Workers,
    progress: Progress = lambda *_: None,
) -> Embedded:
    """Embeds the faces of picture files and of the rows of Parquet files (column `image`) into the file `out`.

    pictures: files here, or objects of a store. One that cannot be used is told in the answer; a store that does not
    answer stops the work, which goes on the next time. progress: called with pictures done and all. Raises ExtraMissing
    without pyarrow, DataSetError for a broken Parquet file, NotAvailable, UsageError where nothing can be written.
    """
    need_pyarrow()
    analyser = job.networks.open_analyser(job.weights, job.flip)
    made_by = {
        "weights": analyser.embedder.name,
        "fingerprint": analyser.embedder.fingerprint,
        "detector": analyser.detector.name,
        "min_face": job.networks.min_face,
        "flip": analyser.flip,
    }
    schema = _schema(analyser.embedder.spec.dimension, made_by)
    tasks = list(_tasks(pictures))
    total = sum(map(len, tasks))
    parts = _Parts(out.with_name(out.name + ".part"), _digest(made_by, pictures))
    try:
        first = parts.open()
        resumed = seen = sum(map(len, tasks[: first * _PART]))
        progress(seen, total)
        answers = workers(job, [msgspec.msgpack.encode(task) for task in tasks[first * _PART :]])
        for number in range(first, -(-len(tasks) // _PART)):
            done: list[_Answer] = []
            for _ in tasks[number * _PART : (number + 1) * _PART]:
                done += msgspec.msgpack.decode(next(answers), type=list[_Answer])
                progress(seen + len(done), total)
            seen += len(done)
            parts.write(number, _table(done, schema), [one.failed for one in done if one.failed is not None])
        faces = parts.join(out, schema)
    except OSError as error:
        raise UsageError(
            f"{path_text(error.filename or out)}: {error.strerror or error}", path=error.filename or out
        ) from error
    failed = parts.failed()
    parts.remove()
    return Embedded(total, faces, resumed, failed)


def need_pyarrow() -> None:
    """Raises ExtraMissing where pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise ExtraMissing("writing Parquet needs pyarrow", hint=how_to_install("parquet")) from error


@dataclass(frozen=True, slots=True)
class _Picture:
    """path: of its file, or of a Parquet file, and then its row there; it may be the address of an object."""

    path: bytes
    row: int | None = None


@dataclass(frozen=True, slots=True)
class _Task:
    """Picture files or objects, or the rows start..stop - 1 of one Parquet file."""

    paths: list[bytes]
    rows: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.paths) if self.rows is None else self.rows[1] - self.rows[0]

    def pictures(self) -> list[_Picture]:
        if self.rows is None:
            return [_Picture(path) for path in self.paths]
        return [_Picture(self.paths[0], row) for row in range(*self.rows)]


@dataclass(frozen=True, slots=True)
class _Answer:
    """Of one picture. boxes: float32 (n, 4), scores: float32 (n,), embeddings: float32 (n, d), as bytes."""

    picture: str
    row: int | None
    boxes: bytes = b""
    scores: bytes = b""
    embeddings: bytes = b""
    failed: Failed | None = None


class _Source:
    """Where a worker gets pictures from. Threads may share one."""

    def __init__(self) -> None:
        self._files: dict[bytes, ParquetPictures] = {}

    def read(self, picture: _Picture) -> Path | bytes:
        """What `load_picture` takes. Raises DataSetError for a broken Parquet file or a row without a picture."""
        where = _location(picture.path)
        if picture.row is None:
            return where.read(picture_limits().max_file) if isinstance(where, StoredObject) else where
        file = self._files.get(picture.path)
        if file is None:
            self._files.clear()  # pictures come file by file
            file = self._files[picture.path] = row_groups((where,))
        return file.read(picture.row)


def _embedded(picture: _Picture, source: _Source, analyser: Analyser) -> _Answer:
    name = location_text(_location(picture.path))
    try:
        (analysis,) = analyser.analyse([load_picture(source.read(picture))])
    except (PictureError, DataSetError, ExtraMissing) as error:
        shown = name if picture.row is None else f"{name}#{picture.row}"
        return _Answer(name, picture.row, failed=Failed(shown, str(error)))
    return _Answer(
        name,
        picture.row,
        np.ascontiguousarray(analysis.faces.boxes, "<f4").tobytes(),
        np.ascontiguousarray(analysis.faces.scores, "<f4").tobytes(),
        np.ascontiguousarray(analysis.embeddings, "<f4").tobytes(),
    )


def _named(location: Location) -> bytes:
    """As tasks name it: a path that is valid in any folder, or an address."""
    return os.fsencode(location.address if isinstance(location, StoredObject) else location.absolute())


def _location(name: bytes) -> Location:
    text = os.fsdecode(name)
    return StoredObject(text) if is_object_address(text) else Path(text)


def _tasks(pictures: Sequence[Path | Listed]) -> Iterator[_Task]:
    """All pictures in order, some to a task."""
    waiting: list[bytes] = []
    for one in pictures:
        where = one.object if isinstance(one, Listed) else one
        parquet = where.suffix.lower() == ".parquet"
        if waiting and (parquet or len(waiting) == _TASK):
            yield _Task(waiting)
            waiting = []
        if not parquet:
            waiting.append(_named(where))
            continue
        rows = open_parquet(where).metadata.num_rows
        for start in range(0, rows, _TASK):
            yield _Task([_named(where)], (start, min(start + _TASK, rows)))
    if waiting:
        yield _Task(waiting)


def _digest(made_by: dict[str, Any], pictures: Sequence[Path | Listed]) -> str:
    """Another one for other pictures, weights or settings."""
    digest = hashlib.sha256(json.dumps([made_by, _TASK, _PART]).encode())
    for one in pictures:
        where, state = (
            (one.object, (one.size, one.changed)) if isinstance(one, Listed) else (one, size_and_time(one))
        )
        digest.update(_named(where) + b"\0%d %d\n" % state)
    return digest.hexdigest()


def _schema(dimension: int, made_by: dict[str, Any]) -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("picture", pa.string(), nullable=False),
            pa.field("row", pa.int64()),
            pa.field("face", pa.int32(), nullable=False),
            pa.field("box", pa.list_(pa.float32(), 4), nullable=False),
            pa.field("score", pa.float32(), nullable=False),
            pa.field("embedding", pa.list_(pa.float32(), dimension), nullable=False),
        ],
        metadata={"multiface": json.dumps(made_by)},
    )


def _table(answers: Sequence[_Answer], schema: Any) -> Any:
    import pyarrow as pa

    counts = [len(one.scores) // 4 for one in answers]
    dimension = schema.field("embedding").type.list_size

    def lists(content: bytes, size: int) -> Any:
        return pa.FixedSizeListArray.from_arrays(pa.array(np.frombuffer(content, "<f4")), size)

    columns = [
        pa.array(
            [one.picture for one, n in zip(answers, counts, strict=True) for _ in range(n)], pa.string()
        ),
        pa.array([one.row for one, n in zip(answers, counts, strict=True) for _ in range(n)], pa.int64()),
        pa.array([face for n in counts for face in range(n)], pa.int32()),
        lists(b"".join(one.boxes for one in answers), 4),
        pa.array(np.frombuffer(b"".join(one.scores for one in answers), "<f4")),
        lists(b"".join(one.embeddings for one in answers), dimension),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


class _Parts:
    """FILE.part: a folder with the parts that are done, and what could not be used in each."""

    def __init__(self, folder: Path, digest: str) -> None:
        self._folder = folder
        self._digest = digest
        self._done = 0

    def open(self) -> int:
        """How many parts of this very job are there; parts of another one are deleted."""
        mark = self._folder / "job"
        try:
            same = read_regular(mark) == self._digest.encode()
        except OSError:
            same = False
        if not same:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(mode=0o700)
            write_whole(mark, self._digest.encode(), private=True)
        while self._failed_file(self._done).exists():  # written behind its part
            self._done += 1
        return self._done

    def write(self, number: int, table: Any, failed: Sequence[Failed]) -> None:
        from pyarrow import parquet

        content = io.BytesIO()
        parquet.write_table(table, content, row_group_size=max(1, len(table)))
        write_whole(self._part(number), content.getvalue(), private=True)
        document = json.dumps([asdict(one) for one in failed])
        write_whole(self._failed_file(number), document.encode(), private=True)
        self._done = number + 1

    def join(self, out: Path, schema: Any) -> int:
        """All parts as one file, a row group each; the number of its rows."""
        from pyarrow import parquet

        faces = 0
        with whole_file(out, private=True) as file, parquet.ParquetWriter(file, schema) as writer:
            for number in range(self._done):
                table = parquet.ParquetFile(str(self._part(number))).read(use_threads=False)
                if len(table):
                    writer.write_table(table, row_group_size=len(table))
                faces += len(table)
        return faces

    def failed(self) -> tuple[Failed, ...]:
        return tuple(
            Failed(**one)
            for number in range(self._done)
            for one in parse_json(read_regular(self._failed_file(number)))
        )

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _part(self, number: int) -> Path:
        return self._folder / f"{number:06}.parquet"

    def _failed_file(self, number: int) -> Path:
        return self._folder / f"{number:06}.json"

"""Pictures to a Parquet file of vectors, on this machine."""

import json
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from multiface import Recognizer
from multiface.bulk import embedding
from multiface.bulk.embedding import EmbeddingJob, embed_to_parquet
from multiface.bulk.tasks import Job, Networks, here
from multiface.errors import DataSetError
from multiface.images import PictureLimits
from tests.datasets.shard_files import write_parquet
from tests.drawn_faces import save_people

parquet = pytest.importorskip("pyarrow.parquet", reason="the extra [parquet] is not installed")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = save_people(tmp_path_factory.mktemp("photos"), {"ada": 4, "bob": 4})
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def job(tmp_path: Path) -> EmbeddingJob:
    networks = Networks("yunet", 20.0, "cpu", tmp_path / "store", tmp_path / "cache", PictureLimits())
    return EmbeddingJob(networks, "sface", None)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """2 pictures a task, 2 tasks a part."""
    monkeypatch.setattr(embedding, "_TASK", 2)
    monkeypatch.setattr(embedding, "_PART", 2)


def test_the_vectors_are_those_of_the_recogniser(
    photos: list[Path], job: EmbeddingJob, tmp_path: Path
) -> None:
    out = tmp_path / "a.parquet"
    told: list[tuple[int, int]] = []
    done = embed_to_parquet(photos, out, job, here(2), lambda seen, of: told.append((seen, of)))
    assert (done.pictures, done.faces, done.resumed) == (9, 8, 0)
    assert [one.picture for one in done.failed] == [str(photos[-1])]
    assert told[0] == (0, 9) and told[-1] == (9, 9)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert not (tmp_path / "a.parquet.part").exists()

    table = parquet.read_table(out)
    assert [str(field.type) for field in table.schema] == [
        "string", "int64", "int32", "fixed_size_list<element: float>[4]", "float",
        "fixed_size_list<element: float>[128]",
    ]  # fmt: skip
    recognizer = Recognizer(detector="yunet")
    made_by = json.loads(table.schema.metadata[b"multiface"])
    assert made_by["fingerprint"] == recognizer.embedder.fingerprint
    assert (made_by["weights"], made_by["detector"]) == ("sface", "yunet")
    from multiface.images import load_picture

    for row, path in zip(table.to_pylist(), photos, strict=False):
        (wanted,) = recognizer.analyser.analyse([load_picture(path)])
        assert (row["picture"], row["row"], row["face"]) == (str(path), None, 0)
        np.testing.assert_allclose(row["box"], wanted.faces.boxes[0], atol=1e-3)
        np.testing.assert_allclose(row["embedding"], wanted.embeddings[0], atol=1e-5)


def test_the_output_may_lie_in_the_folder_that_is_read(tmp_path: Path) -> None:
    """Files of vectors, the command's own and its parts too, are no pictures; Parquet files of pictures are read."""
    folder = save_people(tmp_path / "photos", {"ada": 2})
    pictures = [path.read_bytes() for path in sorted(folder.rglob("*.*"))]
    write_parquet(folder / "more.parquet", [0] * 2, pictures)
    out = folder / "x.parquet"
    words = ["embed", str(folder), "--out", str(out), "--detector", "yunet"]
    for again in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "multiface", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert f"{out}: 4 faces of 4 pictures" in done.stdout
        assert ("passed over" in done.stderr) == bool(again)
        assert len(parquet.read_table(out)) == 4
        part = folder / "x.parquet.part" / "000000.parquet"
        part.parent.mkdir()
        part.write_bytes(out.read_bytes())


def test_the_number_of_threads_changes_no_byte(photos: list[Path], job: EmbeddingJob, tmp_path: Path) -> None:
    for threads in (1, 3):
        embed_to_parquet(photos, tmp_path / f"{threads}.parquet", job, here(threads))
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "3.parquet").read_bytes()


def test_rows_of_a_parquet_file(photos: list[Path], job: EmbeddingJob, tmp_path: Path) -> None:
    given = write_parquet(tmp_path / "in.parquet", [0] * 9, [path.read_bytes() for path in photos], group=4)
    done = embed_to_parquet([photos[0], given, photos[1]], tmp_path / "out.parquet", job, here(2))
    assert (done.pictures, done.faces) == (11, 10)
    assert [one.picture for one in done.failed] == [f"{given}#8"]
    rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [(row["picture"], row["row"]) for row in rows] == [
        (str(photos[0]), None), *[(str(given), k) for k in range(8)], (str(photos[1]), None)
    ]  # fmt: skip
    assert rows[0]["embedding"] == rows[1]["embedding"]
    given.write_bytes(b"none")
    with pytest.raises(DataSetError, match=r"in.parquet: cannot be read as Parquet"):
        embed_to_parquet([given], tmp_path / "none.parquet", job, here(1))


def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(
    photos: list[Path], job: EmbeddingJob, tmp_path: Path
) -> None:
    embed_to_parquet(photos, tmp_path / "whole.parquet", job, here(1))
    given: list[int] = []

    def stops_after(answers: int) -> object:
        def work(job: Job, tasks: Sequence[bytes]) -> Iterator[bytes]:
            given.append(len(tasks))
            for number, answer in enumerate(here(1)(job, tasks)):
                if number == answers:
                    raise KeyboardInterrupt
                yield answer

        return work

    out = tmp_path / "out.parquet"
    with pytest.raises(KeyboardInterrupt):
        embed_to_parquet(photos, out, job, stops_after(3))  # type: ignore[arg-type]
    assert not out.exists()
    done = embed_to_parquet(photos, out, job, stops_after(9))  # type: ignore[arg-type]
    assert given == [5, 3] and done.resumed == 4  # one whole part of two tasks was kept
    assert done.failed and out.read_bytes() == (tmp_path / "whole.parquet").read_bytes()

    # Another job's parts are not taken.
    with pytest.raises(KeyboardInterrupt):
        embed_to_parquet(photos, out, job, stops_after(3))  # type: ignore[arg-type]
    assert embed_to_parquet(photos[:-1], out, job, here(1)).resumed == 0

"""Pictures and Parquet files in an S3 store: moto's server, a process of its own, read by pyarrow's client."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from multiface.bulk.embedding import EmbeddingJob, embed_to_parquet
from multiface.bulk.tasks import Networks, here
from multiface.datasets import object_store
from multiface.datasets.object_store import StoredObject, listed
from multiface.errors import DataSetError, NotAvailable, PictureTooLarge, UsageError
from multiface.images import PictureLimits
from tests.datasets.shard_files import write_parquet
from tests.drawn_faces import save_people
from tests.train.several import free_port

parquet = pytest.importorskip("pyarrow.parquet", reason="the extra [parquet] is not installed")
pytest.importorskip("moto.server", reason="moto[server,s3] is not installed: 100 MB, for these tests alone")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the store listens."""
    port = free_port()
    own = dict(os.environ, AWS_EC2_METADATA_DISABLED="true")
    with subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env=own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        where = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                httpx.get(where, trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield where
        server.kill()


@pytest.fixture
def store(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """pyarrow's client, which may make buckets; ours finds the server by the variables of every client of S3."""
    from pyarrow.fs import S3FileSystem

    for name, value in {
        "AWS_ENDPOINT_URL": address,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    object_store._store.cache_clear()
    yield S3FileSystem(endpoint_override=address, allow_bucket_creation=True, allow_bucket_deletion=True)
    object_store._store.cache_clear()


@pytest.fixture
def photos(tmp_path: Path, store: object) -> dict[str, bytes]:
    """What was put into the bucket, by address."""
    folder = save_people(tmp_path / "photos", {"ada": 3, "bob": 2})
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    contents = {f"s3://album/in/{k} #?%ü.png": path.read_bytes() for k, path in enumerate(files)}
    contents["s3://album/in/broken.jpg"] = b"\xff\xd8\xff broken"
    contents["s3://album/in/read.me"] = b"no picture"
    table = write_parquet(tmp_path / "x.parquet", [0] * 5, [path.read_bytes() for path in files], group=2)
    contents["s3://album/in/rows.parquet"] = table.read_bytes()
    put(store, contents)
    return contents


def put(store: object, contents: dict[str, bytes]) -> None:
    store.create_dir("album")  # type: ignore[attr-defined]
    for address, content in contents.items():
        with store.open_output_stream(address.removeprefix("s3://")) as stream:  # type: ignore[attr-defined]
            stream.write(content)


@pytest.fixture
def job(tmp_path: Path) -> EmbeddingJob:
    networks = Networks("yunet", 20.0, "cpu", tmp_path / "store", tmp_path / "cache", PictureLimits())
    return EmbeddingJob(networks, "sface", None)


def test_all_below_an_address_is_listed_and_read(photos: dict[str, bytes]) -> None:
    found = listed("s3://album/in/")
    assert [one.object.address for one in found] == sorted(photos)
    assert {one.object.address: one.object.read(10**9) for one in found} == photos
    assert {one.object.address: one.size for one in found} == {name: len(c) for name, c in photos.items()}
    assert all(abs(one.changed / 1e9 - time.time()) < 600 for one in found)
    (alone,) = listed("s3://album/in/broken.jpg")
    assert alone.object == StoredObject("s3://album/in/broken.jpg") and alone.object.suffix == ".jpg"


@pytest.mark.usefixtures("photos")
def test_errors_name_the_object_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataSetError, match=r"s3://album/nothing: there is no such object, and none below it"):
        listed("s3://album/nothing")
    with pytest.raises(DataSetError, match=r"s3://album/in/gone.jpg: there is no such object"):
        StoredObject("s3://album/in/gone.jpg").read(100)
    with pytest.raises(PictureTooLarge, match=r"s3://album/in/broken.jpg: has 10 bytes, at most 9 are read"):
        StoredObject("s3://album/in/broken.jpg").read(9)
    with pytest.raises(UsageError, match="names no bucket"):
        listed("s3://")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    object_store._store.cache_clear()
    with pytest.raises(NotAvailable, match=r"the store does not hand it out .*AWS_ENDPOINT_URL"):
        listed("s3://album/in")


def test_the_vectors_are_those_of_the_same_files_here(
    photos: dict[str, bytes], job: EmbeddingJob, tmp_path: Path
) -> None:
    """The files under paths of this machine give the same rows, but for the column `picture`."""
    folder = tmp_path / "here"
    for address, content in photos.items():
        file = folder / address.removeprefix("s3://album/in/")
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    objects = [one for one in listed("s3://album/in") if one.object.suffix != ".me"]
    files = [folder / one.object.address.removeprefix("s3://album/in/") for one in objects]
    for names, out in ((objects, "stored"), (files, "local")):
        done = embed_to_parquet(names, tmp_path / f"{out}.parquet", job, here(2))
        assert (done.pictures, done.faces, len(done.failed)) == (11, 10, 1)
    stored, local = (
        parquet.read_table(tmp_path / f"{name}.parquet").to_pylist() for name in ("stored", "local")
    )
    for mine, theirs in zip(stored, local, strict=True):
        assert mine.pop("picture").removeprefix("s3://album/in/") == Path(theirs.pop("picture")).name
        assert mine == theirs


def test_a_store_that_goes_away_stops_the_run_which_goes_on_later(
    photos: dict[str, bytes],
    store: object,
    job: EmbeddingJob,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its pictures are not told to be unusable."""
    monkeypatch.setattr("multiface.bulk.embedding._TASK", 1)
    monkeypatch.setattr("multiface.bulk.embedding._PART", 2)
    objects = [one for one in listed("s3://album/in") if one.object.suffix == ".png"]
    embed_to_parquet(objects, tmp_path / "whole.parquet", job, here(1))
    address, away = os.environ["AWS_ENDPOINT_URL"], f"http://127.0.0.1:{free_port()}"

    def told(done: int, _of: int) -> None:
        if done == 3:
            monkeypatch.setenv("AWS_ENDPOINT_URL", away)
            object_store._store.cache_clear()

    out = tmp_path / "out.parquet"
    with pytest.raises(NotAvailable, match="does not hand it out"):
        embed_to_parquet(objects, out, job, here(1), told)
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    object_store._store.cache_clear()
    done = embed_to_parquet(objects, out, job, here(1))
    assert done.resumed in (2, 4) and not done.failed  # the fourth was under way when it went
    assert out.read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    put(store, {objects[0].object.address: photos[objects[1].object.address]})
    again = embed_to_parquet(
        [one for one in listed("s3://album/in") if one.object.suffix == ".png"], out, job, here(1)
    )
    assert again.resumed == 0


@pytest.mark.usefixtures("photos")
def test_the_command_takes_addresses_and_folders_with_parquet_files(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (tmp_path / "x.parquet").rename(folder / "x.parquet")
    out = tmp_path / "out.parquet"

    def multiface(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "multiface", *words], capture_output=True, text=True, check=False
        )

    done = multiface("embed", "s3://album/in", str(folder), "--out", str(out), "--detector", "yunet")
    assert done.returncode == 3, done.stderr
    assert f"{out}: 20 faces of 21 pictures" in done.stdout
    assert "s3://album/in: passed over 1 object that are no pictures" in done.stderr
    assert "s3://album/in/broken.jpg: " in done.stderr
    assert len(parquet.read_table(out)) == 20
    refused = multiface("embed", "s3://album/in", "--out", str(tmp_path / "a.npz"))
    assert refused.returncode == 2 and "--out FILE.parquet" in refused.stderr

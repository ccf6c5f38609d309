"""Record files against what MXNet wrote (sha256 of files and records), round trips, broken files, processes.

`shared/golden/records` holds files of MXNet 1.9.1 and what it read back from them; `literal_records.py` is a second
writer, so that most of this needs no such file.
"""

import hashlib
import json
import multiprocessing
import pickle
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.datasets.record_format import RecordBytes, from_body, to_body, to_parts
from multiface.datasets.record_headers import read_headers
from multiface.datasets.recordio import Record, RecordFile, RecordWriter
from multiface.datasets.recordio_index import read_index
from multiface.errors import DataSetError
from tests.datasets.literal_records import pictures

FOLDERS = ("emore_scalar", "emore_vector", "no_record0", "record0_is_image", "label_vectors", "magic_inside")
MAGIC = struct.pack("<I", 0xCED7230A)


def expected(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return values


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def first_label(record: Record) -> float:
    return float(record.label[0]) if isinstance(record.label, np.ndarray) else record.label


def write(folder: Path, records: dict[int, Record]) -> tuple[Path, Path]:
    rec, idx = folder / "a.rec", folder / "a.idx"
    with RecordWriter(rec, idx) as writer:
        for key, record in records.items():
            writer.write(key, record)
    return rec, idx


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """3,000 records, keys 0..2999, of 100 to 4,000 bytes payload."""
    chance = np.random.default_rng(0)
    payloads = (chance.bytes(int(chance.integers(100, 4000))) for _ in range(3000))
    return write(
        tmp_path_factory.mktemp("many"), {k: Record(float(k), k, 0, one) for k, one in enumerate(payloads)}
    )


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, Path]:
    """Five records, keys 0..4, of 30 to 34 bytes payload."""
    return write(tmp_path, {k: Record(float(k), k, 0, bytes([k]) * (30 + k)) for k in range(5)})


def test_reads_what_mxnet_wrote(shared: Path) -> None:
    for name in FOLDERS:
        folder = shared / "golden/records" / name
        items = {item["key"]: item for item in expected(folder)["items"]}
        with RecordFile.open(folder / "train.rec", folder / "train.idx") as file:
            assert file.keys.dtype == np.int64
            assert file.keys.tolist() == sorted(items)
            for key, item in items.items():
                record = file.read(key)
                assert (record.flag, record.id, record.id2) == (item["flag"], item["id"], item["id2"])
                assert np.array_equal(record.label, np.float32(item["label"]))
                assert sha256(record.payload) == item["payload_sha256"]
                body, end = file.source.body(item["offset"], key)
                assert (sha256(body), end) == (item["record_sha256"], item["end"])


def test_writes_what_mxnet_wrote(shared: Path, tmp_path: Path) -> None:
    for name in FOLDERS:
        folder = shared / "golden/records" / name
        file = RecordFile.open(folder / "train.rec", folder / "train.idx")
        order = [key for key, _ in file]
        assert order == expected(folder)["rec_file_order"]
        (tmp_path / name).mkdir()
        rec, idx = write(tmp_path / name, {key: file.read(key) for key in order})
        assert sha256(rec.read_bytes()) == expected(folder)["rec_sha256"]
        assert idx.read_bytes() == (folder / "train.idx").read_bytes()
        assert sorted((tmp_path / name).iterdir()) == [idx, rec]


def test_a_scan_finds_every_record(shared: Path) -> None:
    for name in FOLDERS:
        folder = shared / "golden/records" / name
        scanned = RecordFile.open(folder / "train.rec")
        assert scanned.index.keys_from == "ids"
        assert {key: scanned.index.offset(key) for key in scanned.keys.tolist()} == {
            item["id"]: item["offset"] for item in expected(folder)["items"]
        }


def test_reads_and_writes_what_a_second_writer_wrote(emore: Path, tmp_path: Path) -> None:
    with RecordFile.open(emore / "train.rec", emore / "train.idx") as file:
        records = dict(iter(file))
    assert {key: record.payload for key, record in records.items() if record.payload} == pictures()
    assert [first_label(records[key]) for key in range(1, 41)] == [float(k // 5) for k in range(40)]
    assert np.array_equal(records[0].label, np.float32([41, 49]))
    assert np.array_equal(records[43].label, np.float32([11, 16]))
    assert [(record.id, record.id2) for record in records.values()] == [(key, 0) for key in records]
    rec, idx = write(tmp_path, records)
    assert rec.read_bytes() == (emore / "train.rec").read_bytes()
    assert idx.read_bytes() == (emore / "train.idx").read_bytes()
    scanned = RecordFile.open(emore / "train.rec")
    assert {key: scanned.index.offset(key) for key in scanned.keys.tolist()} == {
        int(key): int(offset) for key, offset in map(str.split, idx.read_text().splitlines())
    }


def test_a_scan_of_records_with_equal_ids_counts_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rec, _ = write(tmp_path, {9: Record(1.0, 5, 0, b"a"), 7: Record(1.0, 5, 0, b"b")})
    file = RecordFile.open(rec)
    assert file.index.keys_from == "positions"
    assert [(key, record.payload) for key, record in file] == [(0, b"a"), (1, b"b")]
    assert "positions" in caplog.text


def test_headers_are_those_of_the_records(shared: Path) -> None:
    for name in FOLDERS:
        folder = shared / "golden/records" / name
        file = RecordFile.open(folder / "train.rec", folder / "train.idx")
        headers = read_headers(file, file.keys)
        records = [file.read(key) for key in file.keys.tolist()]
        assert headers.flags.tolist() == [record.flag for record in records]
        assert headers.labels.tolist() == [first_label(record) for record in records]
        assert headers.empty.tolist() == [not record.payload for record in records]


def test_the_training_set_whole(shared: Path) -> None:
    folder = shared / "data/train"
    file = RecordFile.open(folder / "train.rec", folder / "train.idx")
    scanned = RecordFile.open(folder / "train.rec")
    assert np.array_equal(scanned.keys, file.keys)
    assert np.array_equal(scanned.index.offsets, file.index.offsets)
    # A plain reading of the text and of the bytes behind each offset.
    lines = [tuple(map(int, line.split())) for line in (folder / "train.idx").read_text().splitlines()]
    assert list(zip(file.keys.tolist(), file.index.offsets.tolist(), strict=True)) == lines
    content = (folder / "train.rec").read_bytes()
    pictures = 0
    for key, offset in lines:
        _, length, flag, label, id_, _ = struct.unpack_from("<IIIfQQ", content, offset)
        record = file.read(key)
        assert (record.flag, record.id) == (flag, id_)
        if flag == 0:
            pictures += 1
            assert record.label == label
            assert record.payload == content[offset + 32 : offset + 8 + length]
            assert record.payload[:3] == b"\xff\xd8\xff"
    assert pictures == 10941
    header = file.read(0).label
    assert isinstance(header, np.ndarray)
    assert header.dtype == np.float32
    assert header.tolist() == [10942, 13478]


LABELS = st.one_of(
    st.floats(width=32, allow_nan=False),
    st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=5).map(
        lambda values: np.array(values, np.float32)
    ),
    # The magic itself, as a number and in a vector.
    st.just(struct.unpack("<f", MAGIC)[0]),
    st.just(np.frombuffer(MAGIC * 3, np.float32)),
)
PAYLOADS = st.lists(st.one_of(st.just(MAGIC), st.binary(max_size=9)), max_size=12).map(b"".join)
IDS = st.one_of(st.integers(0, 2**64 - 1), st.just(0xCED7230A), st.just(0xCED7230A << 32))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(LABELS, IDS, IDS, PAYLOADS), min_size=1, max_size=4), st.randoms())
def test_what_is_written_comes_back(
    tmp_path_factory: pytest.TempPathFactory, values: list[tuple[Any, int, int, bytes]], random: Any
) -> None:
    folder = tmp_path_factory.mktemp("round")
    keys = random.sample(range(1000), len(values))
    records = {key: Record(*value) for key, value in zip(keys, values, strict=True)}
    rec, idx = write(folder, records)
    content = rec.read_bytes()
    assert len(content) % 4 == 0
    with RecordFile.open(rec, idx) as file:
        assert [key for key, _ in file] == keys
        for key, record in records.items():
            again = file.read(key)
            assert (again.id, again.id2, again.payload) == (record.id, record.id2, record.payload)
            assert type(again.label) is type(record.label)
            assert np.array_equal(again.label, record.label)
        headers = read_headers(file, file.keys)
        assert headers.labels.tolist() == [first_label(records[key]) for key in sorted(keys)]
        assert headers.empty.tolist() == [not records[key].payload for key in sorted(keys)]
    # Whoever looks for an aligned magic finds the parts' beginnings and nothing else: 4 bytes each were cut.
    for record in records.values():
        body, parts = to_body(record), to_parts(to_body(record))
        inside = [at for at in range(0, len(body) - 3, 4) if body[at : at + 4] == MAGIC]
        found = [at for at in range(0, len(parts) - 3, 4) if parts[at : at + 4] == MAGIC]
        assert len(found) == len(inside) + 1


def test_scan_and_index_agree_on_parts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    records = {
        k: Record(
            float(k), k, 0, rng.bytes(int(rng.integers(0, 9))) + MAGIC * int(rng.integers(0, 3)) + b"xy"
        )
        for k in range(200)
    }
    rec, idx = write(tmp_path, records)
    indexed, scanned = RecordFile.open(rec, idx), RecordFile.open(rec)
    assert np.array_equal(indexed.keys, scanned.keys)
    assert np.array_equal(indexed.index.offsets, scanned.index.offsets)


# Files that are not as they should be.


@pytest.mark.parametrize("cut", range(1, 72))
def test_a_file_cut_anywhere_is_told(small: tuple[Path, Path], cut: int) -> None:
    """The last record takes 68 bytes, the one before 68 too."""
    rec, idx = small
    content = rec.read_bytes()
    rec.write_bytes(content[:-cut])
    size = len(content) - cut
    if cut == 68:
        assert len(RecordFile.open(rec)) == 4
    else:
        with pytest.raises(DataSetError, match=rf"a\.rec: record number \d .* byte \d+: .*{size} bytes"):
            RecordFile.open(rec)
    if cut > 60:  # The last record's offset is outside.
        with pytest.raises(DataSetError, match=r"a\.idx: key 4 has offset 260"):
            RecordFile.open(rec, idx)
        return
    file = RecordFile.open(rec, idx)
    assert file.read(3).payload == b"\3" * 33
    with pytest.raises(DataSetError, match=r"a\.rec: record 4 at byte 260: .*cut off"):
        file.read(4)
    with pytest.raises(DataSetError, match="record 4 at byte 260"):
        read_headers(file, file.keys)


def test_a_wrong_magic_is_told(small: tuple[Path, Path]) -> None:
    rec, idx = small
    content = bytearray(rec.read_bytes())
    content[128] ^= 1
    rec.write_bytes(content)
    file = RecordFile.open(rec, idx)
    assert file.read(1).id == 1
    for attempt in (lambda: file.read(2), lambda: read_headers(file, file.keys)):
        with pytest.raises(DataSetError, match="record 2 at byte 128: wanted the magic 0xced7230a"):
            attempt()
    with pytest.raises(DataSetError, match=r"record number 2 \(from 0\) at byte 128"):
        RecordFile.open(rec)


@pytest.mark.parametrize("kind", [2, 3, 4, 7])
def test_a_part_out_of_place_is_told(small: tuple[Path, Path], kind: int) -> None:
    rec, idx = small
    content = bytearray(rec.read_bytes())
    content[4:8] = struct.pack("<I", kind << 29 | 54)
    rec.write_bytes(content)
    with pytest.raises(DataSetError, match=f"record 0 at byte 0: part of kind {kind}"):
        RecordFile.open(rec, idx).read(0)
    with pytest.raises(DataSetError, match=f"part of kind {kind}"):
        RecordFile.open(rec)


def test_parts_without_an_end_are_told(small: tuple[Path, Path]) -> None:
    rec, idx = small
    content = bytearray(rec.read_bytes())
    content[4:8] = struct.pack("<I", 1 << 29 | 54)
    rec.write_bytes(content)
    with pytest.raises(DataSetError, match="record 0 at byte 0: part of kind 0 at byte 64"):
        RecordFile.open(rec, idx).read(0)
    rec.write_bytes(content[:64])
    with pytest.raises(DataSetError, match="record number 0"):
        RecordFile.open(rec)


def test_a_label_longer_than_the_record_is_told(small: tuple[Path, Path]) -> None:
    rec, idx = small
    content = bytearray(rec.read_bytes())
    content[8:12] = struct.pack("<I", 2**32 - 1)
    rec.write_bytes(content)
    file = RecordFile.open(rec, idx)
    for attempt in (lambda: file.read(0), lambda: read_headers(file, file.keys)):
        with pytest.raises(DataSetError, match="record 0 at byte 0: has 54 bytes"):
            attempt()


def test_a_record_without_a_header_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.rec").write_bytes(to_parts(b"short"))
    with pytest.raises(DataSetError, match=r"record number 0 .*has 5 bytes"):
        RecordFile.open(tmp_path / "a.rec")
    with pytest.raises(ValueError, match="fewer than the 24"):
        from_body(b"short")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_file_gives_records_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    rec, idx = folder / "a.rec", folder / "a.idx"
    parts = [to_parts(to_body(Record(1.0, k, 0, MAGIC * k + b"abc"))) for k in range(4)]
    idx.write_text("".join(f"{k}\t{sum(map(len, parts[:k]))}\n" for k in range(4)))
    content = bytearray(b"".join(parts))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    rec.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    for index in (idx, None):
        try:
            with RecordFile.open(rec, index) as file:
                read_headers(file, file.keys)
                assert sum(1 for _ in file) == len(file)
        except DataSetError as error:
            assert str(folder) in str(error)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"0\t0\n1\t60\n1\t120\n", r"key 1 stands there 2 times, with offsets 60 and 120"),
        (b"0\t0\n1\t400000\n", r"key 1 has offset 400000"),
        (b"0\t0\n1\t62\n", r"key 1 has offset 62"),
        (b"", "index is empty"),
        (b"\n\n", "index is empty"),
        (b"0\t0\n1\t60\nxyz\n", r"line 3 .* is b'xyz'"),
        (b"0\t0\n1\n2\t60\n", r"line 2 .* is b'1'"),
        (b"0\t0\n-1\t60\n", r"line 2 .* is b'-1\\t60'"),
        (b"0\t0\t1\n", r"line 1"),
        (b"0\t0\n1\t60.0\n", r"line 2"),
        (b"0\t0\n1\t60", "keep"),
        (b"0\t0\r\n\r\n1 60\r\n", "keep"),
        (b"\n  0\t0  \n\n 1\t60\n\n", "keep"),
        (b"1\t60\n0\t0\n", "keep"),
        (b"0\t9999999999999999999999\n", "line 1"),
        (b"7" * 3_000_000, "line 1"),
        (b"0\t0\n1\t60\n2\t1", "key 2 has offset 1"),
    ],
)
def test_odd_and_broken_indexes(small: tuple[Path, Path], text: bytes, message: str) -> None:
    rec, idx = small
    idx.write_bytes(text)
    if message == "keep":
        index = read_index(idx, RecordBytes(rec))
        assert (index.keys.tolist(), index.offsets.tolist()) == ([0, 1], [0, 60])
    else:
        with pytest.raises(DataSetError, match=r"a\.idx: .*" + message):
            RecordFile.open(rec, idx)


def test_an_index_longer_than_a_block_is_read_whole(tmp_path: Path) -> None:
    """800,000 lines of 3 to 19 bytes, so that lines are cut at the ends of blocks."""
    rng = np.random.default_rng(5)
    keys = rng.permutation(800_000)
    offsets = 4 * (keys.astype(np.int64) ** 2 % 1_000_003)
    idx, rec = tmp_path / "a.idx", tmp_path / "a.rec"
    idx.write_text("".join(f"{k}\t{o}\n" for k, o in zip(keys.tolist(), offsets.tolist(), strict=True)))
    with rec.open("wb") as file:
        file.truncate(4 * 1_000_003 + 8)
    index = read_index(idx, RecordBytes(rec))
    assert np.array_equal(index.keys, np.arange(800_000))
    assert np.array_equal(index.offsets[keys], offsets)


def test_missing_and_empty_files(tmp_path: Path, small: tuple[Path, Path]) -> None:
    rec, _ = small
    (tmp_path / "empty.rec").touch()
    for path, message in (
        (tmp_path / "none.rec", "cannot be opened"),
        (tmp_path / "empty.rec", "empty"),
        (tmp_path, "folder"),
    ):
        with pytest.raises(DataSetError, match=message):
            RecordFile.open(path)
    with pytest.raises(DataSetError, match=r"none\.idx: the index cannot be read"):
        RecordFile.open(rec, tmp_path / "none.idx")


def test_a_key_that_is_not_there(small: tuple[Path, Path]) -> None:
    file = RecordFile.open(*small)
    for key in (-1, 5, 2**40):
        with pytest.raises(
            DataSetError, match=f"no record has key {key}; there are 5, with keys from 0 to 4"
        ):
            file.read(key)
    with pytest.raises(DataSetError, match="no record has key 9"):
        read_headers(file, np.array([0, 9]))


def test_a_closed_file_is_closed(small: tuple[Path, Path], tmp_path: Path) -> None:
    with RecordFile.open(*small) as file:
        pass
    # The next file opened gets the number of the closed one; it must not be read instead.
    with (tmp_path / "a.idx").open("rb"), pytest.raises(OSError, match="Bad file descriptor"):
        file.read(0)


# The writer.


def test_an_error_leaves_nothing_and_keeps_what_was(small: tuple[Path, Path]) -> None:
    rec, idx = small
    before = rec.read_bytes(), idx.read_bytes()
    with pytest.raises(RuntimeError, match="power"), RecordWriter(rec, idx) as writer:
        writer.write(0, Record(0.0, 0, 0, b"new"))
        raise RuntimeError("power")
    with pytest.raises(DataSetError, match="key 3 was written twice"), RecordWriter(rec, idx) as writer:
        writer.write(3, Record(0.0, 0, 0, b"new"))
        writer.write(3, Record(0.0, 0, 0, b"new"))
    with pytest.raises(DataSetError, match="no record was written"), RecordWriter(rec, idx):
        pass
    assert (rec.read_bytes(), idx.read_bytes()) == before
    assert sorted(rec.parent.iterdir()) == [idx, rec]


def test_final_names_appear_at_the_end(tmp_path: Path) -> None:
    rec, idx = tmp_path / "a.rec", tmp_path / "a.idx"
    with RecordWriter(rec, idx) as writer:
        writer.write(1, Record(2.0, 1, 0, b"x" * 100_000))
        assert not rec.exists()
        assert not idx.exists()
    assert RecordFile.open(rec, idx).read(1).label == 2.0


def test_a_stop_between_the_two_files_leaves_no_false_index(
    small: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    rec, idx = small
    replace = Path.replace

    def replace_records_only(self: Path, target: Path) -> Path:
        if target == idx:
            raise OSError("power")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replace_records_only)
    with pytest.raises(OSError, match="power"), RecordWriter(rec, idx) as writer:
        writer.write(7, Record(0.0, 7, 0, b"new"))
    assert list(rec.parent.iterdir()) == [rec]
    assert RecordFile.open(rec).read(7).payload == b"new"


def test_a_folder_that_is_not_there_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="none"):
        RecordWriter(tmp_path / "a.rec", tmp_path / "none/a.idx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("key", "record"),
    [
        (-1, Record(0.0, 0, 0, b"")),
        (0, Record(0.0, -1, 0, b"")),
        (0, Record(0.0, 0, 2**64, b"")),
        (0, Record(1e300, 0, 0, b"")),
        (0, Record(np.zeros((2, 2), np.float32), 0, 0, b"")),
    ],
)
def test_what_the_format_cannot_hold_is_refused(tmp_path: Path, key: int, record: Record) -> None:
    with pytest.raises(DataSetError), RecordWriter(tmp_path / "a.rec", tmp_path / "a.idx") as writer:
        writer.write(key, record)
    assert list(tmp_path.iterdir()) == []


# Processes and threads.


def digest_of(file: RecordFile, keys: list[int]) -> str:
    return sha256(b"".join(file.read(key).payload for key in keys))


def send_digest(file: RecordFile, keys: list[int], results: Any) -> None:
    results.put(digest_of(file, keys))


def test_forked_processes_read_the_same(many: tuple[Path, Path]) -> None:
    file = RecordFile.open(*many)
    keys = np.random.default_rng(1).integers(0, 3000, 2000).tolist()
    wanted = digest_of(file, keys)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers = [context.Process(target=send_digest, args=(file, keys, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    # The parent reads the same descriptor meanwhile.
    assert digest_of(file, keys) == wanted
    assert [results.get(timeout=30) for _ in workers] == [wanted] * 3
    for worker in workers:
        worker.join(30)


def test_a_pickled_file_opens_anew(emore: Path) -> None:
    file = RecordFile.open(emore / "train.rec", emore / "train.idx")
    again = pickle.loads(pickle.dumps(file))  # noqa: S301 - made one line before
    assert again.source.descriptor != file.source.descriptor
    file.close()
    assert again.read(17).payload[:4] == b"\x89PNG"


SPAWNED = """
import hashlib, multiprocessing, sys
from pathlib import Path
from multiface.datasets.recordio import RecordFile

def digest(file, keys):
    return hashlib.sha256(b"".join(file.read(key).payload for key in keys)).hexdigest()

if __name__ == "__main__":
    file = RecordFile.open(Path(sys.argv[1]), Path(sys.argv[2]))
    keys = file.keys[1:1001].tolist()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print(digest(file, keys), *pool.starmap(digest, [(file, keys)] * 2))
"""


def test_spawned_processes_read_the_same(many: tuple[Path, Path], tmp_path: Path) -> None:
    import subprocess
    import sys

    script = tmp_path / "spawned.py"
    script.write_text(SPAWNED)
    done = subprocess.run(
        [sys.executable, script, *many],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    digests = done.stdout.split()
    file = RecordFile.open(*many)
    assert digests == [digest_of(file, list(range(1, 1001)))] * 3


def test_threads_share_a_file(many: tuple[Path, Path]) -> None:
    file = RecordFile.open(*many)
    keys = np.random.default_rng(2).integers(0, 3000, 500).tolist()
    start = threading.Barrier(4)

    def read(_: int) -> str:
        start.wait()
        return digest_of(file, keys)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(read, range(4))) == {digest_of(file, keys)}


def test_opening_and_closing_leaks_no_descriptor(small: tuple[Path, Path]) -> None:
    def open_descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_descriptors()
    for _ in range(50):
        RecordFile.open(*small).read(0)  # Not closed by hand.
        with RecordFile.open(small[0]) as file:
            file.read(0)
        with pytest.raises(DataSetError):
            RecordFile.open(small[0], small[0].with_name("none"))
    assert open_descriptors() == before

"""Parquet files in the layout of Hugging Face datasets as sets of people."""

import copy
import os
import sys
from pathlib import Path

import pytest

from multiface.datasets import parquet_file, parquet_identities
from multiface.datasets.opening import open_identities
from multiface.errors import DataSetError, ExtraMissing
from tests.datasets.shard_files import write_parquet

pa = pytest.importorskip("pyarrow", reason="the extra [parquet] is not installed")
parquet = pytest.importorskip("pyarrow.parquet")

PICTURES = [b"%d" % k * 100 for k in range(20)]


def test_rows_of_several_files(tmp_path: Path) -> None:
    names = ["anna", "bo", "cy", "di"]
    write_parquet(tmp_path / "train-00000-of-00002.parquet", [3, 1] * 10, PICTURES, names)
    write_parquet(tmp_path / "train-00001-of-00002.parquet", [0] * 3, [b"x", b"yy", b"zzz"], names)
    write_parquet(tmp_path / "test-00000-of-00001.parquet", [2], [b"t"], names)
    found = open_identities(tmp_path)
    assert (found.classes, len(found)) == (3, 23)
    assert found.labels.tolist() == [2, 1] * 10 + [0] * 3
    assert [found.read(k) for k in range(23)] == [*PICTURES, b"x", b"yy", b"zzz"]
    assert "test-00000-of-00001.parquet" in found.notes[0]


def test_names_as_labels_and_plain_bytes(tmp_path: Path) -> None:
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        table = pa.table(
            {"label": pa.array(["bo", "anna", "bo"]).cast(kind), "image": pa.array([b"0", b"1", b"2"])}
        )
        parquet.write_table(table, tmp_path / "a.parquet")
        found = open_identities(tmp_path / "a.parquet")
        assert found.labels.tolist() == [1, 0, 1]
        assert [found.read(k) for k in range(3)] == [b"0", b"1", b"2"]


def test_memory_is_bounded_and_forks_and_pickles_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [os.urandom(1000) for _ in range(60)]
    path = write_parquet(tmp_path / "a.parquet", [0, 1] * 30, pictures, group=6)
    monkeypatch.setattr(parquet_identities, "KEPT", 20_000)
    found = open_identities(path)
    place = found.pictures
    assert isinstance(place, parquet_identities.ParquetPictures)
    for k in (*range(0, 60, 7), *range(59, 0, -11)):
        assert found.read(k) == pictures[k]
        assert sum(one.nbytes for one in place._kept.values()) < 22_000
    assert len(place._kept) > 1
    again = copy.deepcopy(found)
    assert [again.read(k) for k in range(60)] == pictures
    child = os.fork()
    if child == 0:
        os._exit(0 if [found.read(k) for k in range(59, -1, -1)] == pictures[::-1] else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_what_does_not_do_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"

    def refused(table: object, says: str) -> None:
        parquet.write_table(table, path)
        with pytest.raises(DataSetError, match=says):
            open_identities(path)

    refused(
        pa.table({"img": [b"1"], "label": [1]}),
        r"a.parquet: wanted a column `image` .* columns are img \(binary\)",
    )
    refused(pa.table({"image": ["a"], "label": [1]}), r"wanted a column `image` of bytes")
    refused(pa.table({"image": [{"path": "a"}], "label": [1]}), r"wanted a column `image` of bytes")
    refused(pa.table({"image": [b"1"]}), r"wanted a column `label` .* there is none")
    refused(pa.table({"image": [b"1"], "label": [1.5]}), r"wanted a column `label` .* it is of double")
    refused(pa.table({"image": [b"1", b"2"], "label": [1, None]}), r"a.parquet: row 1 has no label")
    refused(pa.table({"image": [b"1"], "label": [-1]}), r"row 0 has the label -1")
    refused(
        pa.table({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())}), "holds no picture"
    )
    write_parquet(path, [0, 2], [b"1", b"2"], ["anna", "bo"])
    with pytest.raises(DataSetError, match="row 1 has the label 2, but its ClassLabel has 2 names"):
        open_identities(path)
    write_parquet(path, [0, 1], [b"1", None])
    with pytest.raises(DataSetError, match=r"row 1 of group 0 has no bytes in `image`; a path alone"):
        open_identities(path).read(1)
    monkeypatch.setattr(parquet_file, "GROUP_LIMIT", 500)
    write_parquet(path, [0, 1], [b"1" * 300, os.urandom(600)])
    with pytest.raises(DataSetError, match=r"row group 0 has .* bytes; wanted 500 at most"):
        open_identities(path)


def test_damaged_files_give_our_errors(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [0, 1] * 10, [os.urandom(300) for _ in range(20)])
    whole = path.read_bytes()
    refused = 0
    for spoilt in (b"", whole[:-9], whole[:200], b"PAR1" + b"\xff" * 300 + b"PAR1"):
        path.write_bytes(spoilt)
        with pytest.raises(DataSetError, match=r"a.parquet: cannot be read as Parquet"):
            open_identities(path)
    for place in range(0, len(whole), 97):
        content = bytearray(whole)
        content[place] ^= 0xFF
        path.write_bytes(content)
        try:
            found = open_identities(path)
            for k in range(len(found)):
                found.read(k)
        except DataSetError:
            refused += 1
    assert refused


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_parquet(tmp_path / "a.parquet", [0], [b"1"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ExtraMissing, match=r"reading Parquet needs pyarrow; pip install '.\[parquet\]'"):
        open_identities(path)

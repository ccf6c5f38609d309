"""Pictures and people of record files and folders, against golden notes and plain readings."""

import json
import os
import pickle
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.datasets import record_identities as record_identities_file
from multiface.datasets.identities import IdentitySet, identities_from_folders, identities_from_records, join
from multiface.datasets.record_identities import record_identities
from multiface.datasets.recordio import Record, RecordFile, RecordWriter
from multiface.errors import DataSetError, UsageError
from multiface.images.endings import PICTURE_ENDINGS


def vector(*values: float) -> Any:
    return np.array(values, np.float32)


def emore(
    people: list[tuple[int, int]], with_headers: bool = True, vectors: bool = False
) -> dict[int, Record]:
    """Records in the field's layout; `people` gives each person's label and number of pictures."""
    labels = [label for label, count in people for _ in range(count)]
    first = len(labels) + 1
    records: dict[int, Record] = {0: Record(vector(first, first + len(people) * with_headers), 0, 0, b"")}
    for key, label in enumerate(labels, 1):
        records[key] = Record(vector(label, 1.0) if vectors else float(label), key, 0, b"picture %d" % key)
    start = 1
    if with_headers:
        for number, (_, count) in enumerate(people):
            records[first + number] = Record(vector(start, start + count), first + number, 0, b"")
            start += count
    return records


def record_file(folder: Path, records: dict[int, Record]) -> RecordFile:
    with RecordWriter(folder / "train.rec", folder / "train.idx") as writer:
        for key, record in records.items():
            writer.write(key, record)
    return RecordFile.open(folder / "train.rec", folder / "train.idx")


@pytest.mark.parametrize("name", ["emore_scalar", "emore_vector", "a second writer's"])
def test_the_layout_of_faces_emore(request: pytest.FixtureRequest, name: str) -> None:
    keys, labels = list(range(1, 41)), [k // 5 for k in range(40)]
    if name == "a second writer's":
        folder = request.getfixturevalue("emore")
    else:
        folder = request.getfixturevalue("shared") / "golden/records" / name
        notes = json.loads((folder / "expected.json").read_text())
        keys, labels = notes["image_keys"], notes["labels"]
    for index in (folder / "train.idx", None):
        found = record_identities(RecordFile.open(folder / "train.rec", index))
        assert found.keys.tolist() == keys
        assert found.labels.tolist() == labels
        assert found.originals.tolist() == list(range(8))
        assert found.unused == 0
        assert found.keys.dtype == found.labels.dtype == found.originals.dtype == np.int64


@pytest.mark.parametrize("name", ["no_record0", "record0_is_image"])
def test_files_without_a_header(shared: Path, name: str) -> None:
    folder = shared / "golden/records" / name
    notes = json.loads((folder / "expected.json").read_text())
    found = record_identities(RecordFile.open(folder / "train.rec", folder / "train.idx"))
    assert found.keys.tolist() == notes["image_keys"]
    labels = [notes["labels_by_key"][str(key)] for key in found.keys.tolist()]
    assert found.originals[found.labels].tolist() == labels
    assert found.originals.tolist() == sorted(set(labels))
    assert found.unused == (8 if name == "no_record0" else 0)


def test_long_label_vectors(shared: Path) -> None:
    folder = shared / "golden/records/label_vectors"
    notes = json.loads((folder / "expected.json").read_text())
    found = record_identities(RecordFile.open(folder / "train.rec", folder / "train.idx"))
    assert found.originals[found.labels].tolist() == [item["label"][0] for item in notes["items"]]


def test_gaps_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = record_identities(record_file(tmp_path, emore([(3, 2), (0, 1), (7, 3)])))
    assert found.labels.tolist() == [1, 1, 0, 2, 2, 2]
    assert found.originals.tolist() == [0, 3, 7]
    assert found.unused == 5
    assert "5 labels up to 7 have no picture" in caplog.text


PEOPLE = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 4)), min_size=1, max_size=8, unique_by=lambda one: one[0]
)


@settings(max_examples=60, deadline=None)
@given(PEOPLE, st.booleans(), st.booleans())
def test_labels_with_and_without_identity_headers(
    tmp_path_factory: pytest.TempPathFactory, people: list[tuple[int, int]], headers: bool, vectors: bool
) -> None:
    file = record_file(tmp_path_factory.mktemp("set"), emore(people, headers, vectors))
    found = record_identities(file)
    labels = [label for label, count in people for _ in range(count)]
    assert found.keys.tolist() == list(range(1, len(labels) + 1))
    assert found.originals[found.labels].tolist() == labels
    assert sorted(set(found.labels.tolist())) == list(range(len(people)))


def broken_headers() -> dict[str, dict[int, Record]]:
    whole = emore([(0, 2), (1, 2), (2, 2)])
    return {
        "a range that overlaps": whole | {8: Record(vector(2, 5), 8, 0, b"")},
        "a range that ends early": whole | {9: Record(vector(5, 6), 9, 0, b"")},
        "a range that is no range": whole | {8: Record(vector(np.nan, 5), 8, 0, b"")},
        "a header that is a number": whole | {8: Record(3.0, 8, 0, b"")},
        "a header with a picture": whole | {8: Record(vector(3, 5), 8, 0, b"x")},
        "a header that is missing": {key: record for key, record in whole.items() if key != 8},
        "a range over two people": whole
        | {7: Record(vector(1, 4), 7, 0, b""), 8: Record(vector(4, 5), 8, 0, b"")},
    }


@pytest.mark.parametrize("case", broken_headers())
def test_headers_that_contradict_the_pictures_give_way(tmp_path: Path, case: str) -> None:
    found = record_identities(record_file(tmp_path, broken_headers()[case]))
    assert found.keys.tolist() == [1, 2, 3, 4, 5, 6]
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2]


def test_sets_too_large_for_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 2**24 pictures on record 0 is rounded; here the same at 4, with a record 0 that is off by one."""
    people = [(0, 3), (1, 2), (2, 4)]
    monkeypatch.setattr(record_identities_file, "_EXACT", 4)
    records = emore(people)
    found = record_identities(record_file(tmp_path, records))
    assert found.keys.tolist() == list(range(1, 10))
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 2]
    with pytest.raises(DataSetError, match="announces about 11 pictures, there are 9"):
        record_identities(record_file(tmp_path, records | {0: Record(vector(12, 15), 0, 0, b"")}))


@pytest.mark.parametrize("label", [-1.0, 0.5, float("nan"), float("inf"), 1e30])
def test_a_label_that_is_no_person_is_told(tmp_path: Path, label: float) -> None:
    file = record_file(tmp_path, {4: Record(1.0, 4, 0, b"a"), 9: Record(label, 9, 0, b"b")})
    with pytest.raises(DataSetError, match=r"train\.rec: record 9 at byte 36 has label"):
        record_identities(file)


def test_pictures_that_are_missing_are_told(tmp_path: Path) -> None:
    records = {key: record for key, record in emore([(0, 3), (1, 3)]).items() if key not in (3, 5)}
    with pytest.raises(DataSetError, match=r"keys 1\.\.6, 4 of them are there, 3 is the first"):
        record_identities(record_file(tmp_path, records))


@pytest.mark.parametrize("label", [(1, 1), (5, 4), (2.5, 9), (float("nan"), 9), (2, float("inf"))])
def test_a_record_0_that_means_nothing_is_told(tmp_path: Path, label: tuple[float, float]) -> None:
    file = record_file(tmp_path, {0: Record(vector(*label), 0, 0, b""), 1: Record(0.0, 1, 0, b"a")})
    with pytest.raises(DataSetError, match="record 0 is the header of the set"):
        record_identities(file)


def test_no_picture_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="no record holds a picture"):
        record_identities(record_file(tmp_path, {3: Record(1.0, 3, 0, b"")}))


# Sets.


def test_the_training_set_whole(shared: Path) -> None:
    folder = shared / "data/train"
    whole = identities_from_records(folder)
    assert (len(whole), whole.classes) == (10941, 2536)
    # The label that stands in each record, read plainly.
    content = (folder / "train.rec").read_bytes()
    offsets = dict(tuple(map(int, line.split())) for line in (folder / "train.idx").read_text().splitlines())
    labels = [struct.unpack_from("<f", content, offsets[key] + 12)[0] for key in range(1, 10942)]
    assert whole.labels.tolist() == labels
    counts = Counter(labels).values()
    assert [sum(n >= at_least for n in counts) for at_least in (3, 5, 10, 20)] == [1162, 303, 205, 161]
    total = 0
    for i in range(len(whole)):
        picture = whole.read(i)
        assert picture[:3] == b"\xff\xd8\xff"
        total += len(picture)
    assert total == len(content) - _not_payload(content)


def _not_payload(content: bytes) -> int:
    """Bytes of a file that are no payload, counted record by record."""
    at = other = 0
    while at < len(content):
        length, flag = struct.unpack_from("<II", content, at + 4)
        other += 32 + 4 * flag + -length % 4
        at += 8 + length + -length % 4
    return other


def test_a_record_folder_without_index_or_property(tmp_path: Path) -> None:
    record_file(tmp_path, emore([(0, 2), (1, 1)]))
    (tmp_path / "train.idx").unlink()
    found = identities_from_records(tmp_path)
    assert found.labels.tolist() == [0, 0, 1]
    assert [found.read(i) for i in range(3)] == [b"picture 1", b"picture 2", b"picture 3"]
    for i in (-1, 3):
        with pytest.raises(UsageError, match=f"picture {i} is not within 0..2"):
            found.read(i)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2,112,112\n", ""),
        ("9,112,112", ""),
        ("1,112,112", r"property: tells of 1 people, but the records have labels up to 1"),
        ("", "wanted one line"),
        ("2,112", "wanted one line"),
        ("two,112,112", "wanted one line"),
    ],
)
def test_property(tmp_path: Path, text: str, message: str) -> None:
    record_file(tmp_path, emore([(0, 2), (1, 1)]))
    (tmp_path / "property").write_text(text)
    if message:
        with pytest.raises(DataSetError, match=message):
            identities_from_records(tmp_path)
    else:
        assert identities_from_records(tmp_path).classes == 2


def test_a_picture_without_bytes_is_told(tmp_path: Path) -> None:
    record_file(tmp_path, emore([(0, 2)]) | {2: Record(0.0, 2, 0, b"")})
    found = identities_from_records(tmp_path)
    with pytest.raises(DataSetError, match="record 2 should be a picture"):
        found.read(1)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    root = tmp_path / "people"
    for name in (
        "10/b.jpg",
        "10/a.PNG",
        "2/x.jpeg",
        "2/notes.txt",
        "2/.hidden.jpg",
        "Zoë/é.webp",
        ".git/x.jpg",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (root / "readme.jpg").write_bytes(b"no person")
    return root


def test_a_folder_a_person(folders: Path) -> None:
    found = identities_from_folders(folders)
    assert found.classes == 3
    assert found.labels.tolist() == [0, 0, 1, 2]
    assert [found.read(i).decode() for i in range(4)] == ["10/a.PNG", "10/b.jpg", "2/x.jpeg", "Zoë/é.webp"]


def test_a_folder_name_that_is_no_unicode(folders: Path) -> None:
    path = folders / os.fsdecode(b"\xff\xfe") / os.fsdecode(b"\xfd.jpg")
    path.parent.mkdir()
    path.write_bytes(b"odd")
    found = identities_from_folders(folders)
    assert found.read(4) == b"odd"
    path.unlink()
    with pytest.raises(DataSetError, match="cannot be read") as told:
        found.read(4)
    str(told.value).encode()


def test_folders_that_are_no_set(folders: Path, tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="cannot be read"):
        identities_from_folders(tmp_path / "none")
    with pytest.raises(DataSetError, match="found 0 folders without"):
        identities_from_folders(folders / "10")
    (tmp_path / "blank" / "empty").mkdir(parents=True)
    with pytest.raises(DataSetError, match="found 1 folders without"):
        identities_from_folders(tmp_path / "blank")


def test_every_ending_and_deeper_folders_count(tmp_path: Path) -> None:
    for number, ending in enumerate(PICTURE_ENDINGS):
        path = tmp_path / "a" / "deep" / "er" / f"{number}{ending.upper() if number % 2 else ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.jfif").write_bytes(b"x")
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    found = identities_from_folders(tmp_path)
    assert found.classes == 2 and found.notes == ()
    read = sorted(found.read(i) for i in range(len(found)))
    assert read == sorted([b"x", *(b"%d" % n for n in range(len(PICTURE_ENDINGS)))])


def test_what_is_left_out_is_told_and_ends_nothing(folders: Path) -> None:
    before = identities_from_folders(folders)
    (folders / "11").mkdir()
    os.mkfifo(folders / "2" / "pipe.jpg")
    (folders / "self").symlink_to(folders / "self")
    found = identities_from_folders(folders)
    assert found.labels.tolist() == before.labels.tolist() and found.classes == 3
    assert [found.read(i) for i in range(4)] == [before.read(i) for i in range(4)]
    files, empty = found.notes
    assert "4 files are left out, such as readme.jpg" in files  # and a note, a pipe and a link
    assert "1 folders hold no picture (such as 11)" in empty
    assert join([found, found]).notes == (files, empty, files, empty)


def test_the_photos_of_people(shared: Path) -> None:
    root = shared / "data/photos/people"
    found = identities_from_folders(root)
    assert found.classes == 15
    wanted = [path.read_bytes() for path in sorted(root.glob("*/*")) if path.suffix != ".txt"]
    assert [found.read(i) for i in range(len(found))] == wanted


def test_joined_sets_keep_their_people_apart(folders: Path, tmp_path: Path) -> None:
    record_file(tmp_path, emore([(5, 2), (1, 1)]))
    records, people = identities_from_records(tmp_path), identities_from_folders(folders)
    joined = join([records, people, records])
    assert joined.classes == 2 + 3 + 2
    assert joined.labels.tolist() == [1, 1, 0, 2, 2, 3, 4, 6, 6, 5]
    assert joined.labels.dtype == np.int64
    parts = [(one, i) for one in (records, people, records) for i in range(len(one))]
    assert [joined.read(k) for k in range(len(joined))] == [one.read(i) for one, i in parts]
    nested = join([join([records, people]), records])
    assert np.array_equal(nested.labels, joined.labels)
    assert [nested.read(k) for k in range(10)] == [joined.read(k) for k in range(10)]


def test_joined_sets_go_to_other_processes(folders: Path, tmp_path: Path) -> None:
    record_file(tmp_path, emore([(5, 2), (1, 1)]))
    joined = join([identities_from_records(tmp_path), identities_from_folders(folders)])
    again: IdentitySet = pickle.loads(pickle.dumps(joined))  # noqa: S301 - made in this line
    assert [again.read(i) for i in range(len(again))] == [joined.read(i) for i in range(len(joined))]


def test_nothing_to_join() -> None:
    with pytest.raises(UsageError, match="got none"):
        join([])

"""WebDataset's shards as sets of people."""

import copy
import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from multiface.datasets import open_files
from multiface.datasets.opening import open_identities
from multiface.datasets.tar_identities import identities_from_tars
from multiface.errors import DataSetError
from tests.datasets.shard_files import write_samples, write_tar


def test_pictures_and_numbers(tmp_path: Path) -> None:
    one = write_samples(tmp_path / "a.tar", [("x/000", 7, b"A"), ("x/001", 3, b"BB")])
    two = write_samples(tmp_path / "b.tar", [("x/000", 3, b"CCC")])
    found = identities_from_tars([one, two])
    assert found.labels.tolist() == [1, 0, 0]  # people by their numbers, without gaps
    assert (found.classes, len(found), found.notes) == (2, 3, ())
    assert [found.read(k) for k in (2, 0, 1)] == [b"CCC", b"A", b"BB"]
    assert [copy.deepcopy(found).read(k) for k in range(3)] == [b"A", b"BB", b"CCC"]


def test_the_field_s_conventions(tmp_path: Path) -> None:
    """The key ends at the first dot; endings in capitals; JSON with other things; .cls before .json; the rest passed
    over; files of a sample apart from each other."""
    path = write_tar(
        tmp_path / "a.tar",
        [
            ("d.1/k0.json", b'{"label": "bo", "width": 3}'),
            ("d.1/k1.JPEG", b"1"),
            ("d.1/k0.png", b"0"),
            ("d.1/k1.cls", b" anna\n"),
            ("d.1/k1.json", b'{"label": 9}'),
            ("d.1/k2.webp", b"2"),
            ("d.1/k2.json", b'"bo"'),
            ("d.1/k2.mask.png", b"other"),
            ("d.1/._k2.png", b"other"),
            ("README", b"other"),
            ("k3.cls", b"5"),
            ("__meta__.json", b"{}"),
        ],
    )
    found = identities_from_tars([path])
    assert found.labels.tolist() == [1, 0, 1]
    assert [found.read(k) for k in range(3)] == [b"0", b"1", b"2"]
    assert found.notes == (f"{tmp_path}: 1 labels without a picture are left out",)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([("a.jpg", b"1")], "a.tar: a.jpg has no label; wanted a.cls"),
        ([("a.jpg", b"1"), ("a.json", b"{}")], "a.jpg has no label"),
        ([("a.jpg", b"1"), ("a.png", b"1"), ("a.cls", b"1")], "a.png is the second picture of its key"),
        ([("a.jpg", b"1"), ("a.cls", b"1"), ("a.cls", b"1")], "a.cls is the second .cls of its key"),
        ([("a.json", b"{}"), ("a.json", b"{}")], "a.json is the second .json of its key"),
        ([("a.jpg", b"1"), ("a.cls", b"-1")], "has the label -1; wanted a whole number from 0 on"),
        ([("a.jpg", b"1"), ("a.cls", b" ")], "a.cls is empty or not text"),
        ([("a.jpg", b"1"), ("a.json", b"{")], "a.json is no JSON"),
        ([("a.jpg", b"1"), ("a.json", b"[" * 9999)], "a.json is no JSON"),
        ([("a.jpg", b"1"), ("a.json", b"true")], "has 'True' as its label"),
        ([("a.jpg", b"1"), ("a.json", b'{"label": 1.5}')], "has '1.5' as its label"),
        (
            [("a.jpg", b"1"), ("a.cls", b"5"), ("b.jpg", b"1"), ("b.cls", b"bo")],
            "has the name 'bo' as its label",
        ),
        ([("a.cls", b"1" * (2 << 20))], "a label has 1,048,576 at most"),
        ([("README", b"1")], "no picture is in it"),
    ],
)
def test_what_does_not_do_is_named(files: list[tuple[str, bytes]], says: str, tmp_path: Path) -> None:
    with pytest.raises(DataSetError) as caught:
        identities_from_tars([write_tar(tmp_path / "a.tar", files)])
    assert says in str(caught.value)


def test_a_picture_of_a_giant_size_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "a.tar").open("wb") as file:
        member = tarfile.TarInfo("a.jpg")
        member.size = 200_000_001
        file.write(member.tobuf(tarfile.USTAR_FORMAT))
        file.truncate(512 + 200_000_512 + 1024)  # a hole, not bytes
    with pytest.raises(DataSetError, match=r"a.jpg has 200,000,001 bytes; a picture has 200,000,000 at most"):
        identities_from_tars([tmp_path / "a.tar"])


def test_links_and_odd_paths_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, kind, target in (
            ("a.jpg", tarfile.SYMTYPE, str(tmp_path / "secret.jpg")),
            ("b.jpg", tarfile.LNKTYPE, "../secret.jpg"),
            ("c.jpg", tarfile.FIFOTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            tar.addfile(member)
        for name, content in (("/etc/../d.jpg", b"D"), ("/etc/../d.cls", b"1"), ("a.cls", b"1")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    found = identities_from_tars([tmp_path / "a.tar"])
    assert [found.read(k) for k in range(len(found))] == [b"D"]
    assert len(found.notes) == 1


def test_a_shard_that_changes_is_noticed(tmp_path: Path) -> None:
    path = write_samples(tmp_path / "a.tar", [("a", 0, b"A")])
    found = identities_from_tars([path])
    write_samples(path, [("b", 0, b"x" * 20_000)])
    with pytest.raises(DataSetError, match=r"a.tar: has changed since the set was opened"):
        found.read(0)
    path.unlink()
    with pytest.raises(DataSetError, match=r"a.tar: cannot be read"):
        copy.deepcopy(found).read(0)


def test_more_shards_than_may_stand_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_files, "_OPEN", 3)
    for shard in range(12):
        write_samples(tmp_path / f"train-{shard:02}.tar", [("k", shard, b"%d" % shard)])
    found = open_identities(tmp_path / "train-{00..11}.tar")
    order = [k * 5 % 12 for k in range(48)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(found.read, order)) == [b"%d" % k for k in order]


def test_which_files_a_place_stands_for(tmp_path: Path) -> None:
    write_samples(tmp_path / "train-0.tar", [("k", 0, b"0")])
    write_samples(tmp_path / "train-1.tar", [("k", 1, b"1")])
    write_samples(tmp_path / "val-0.tar", [("k", 2, b"2")])
    folder = open_identities(tmp_path)
    assert len(folder) == 2
    assert folder.notes == (
        f"{tmp_path}: 1 files that do not begin with `train` are left out, such as val-0.tar",
    )
    assert len(open_identities(tmp_path / "val-0.tar")) == 1
    assert len(open_identities(tmp_path / "train-{0..1}.tar")) == 2
    for place, says in (
        ("train-{0..2}.tar", r"train-2.tar: there is no such file"),
        ("train-{2..0}.tar", r"the range from 2 to 0 is empty or too long"),
        ("train.tar.gz", r"is a compressed tar"),
        ("none", r"none: no such folder"),
    ):
        with pytest.raises(DataSetError, match=says):
            open_identities(tmp_path / place)
    (tmp_path / "some.parquet").touch()
    with pytest.raises(DataSetError, match=r"has .tar and .parquet files"):
        open_identities(tmp_path)

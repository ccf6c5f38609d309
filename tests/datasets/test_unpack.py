"""Record files and packs to disk and back, on files written by MXNet and by several Pythons."""

import hashlib
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from multiface.datasets.bin_pack import write_bin
from multiface.datasets.identities import identities_from_records
from multiface.datasets.pack_folder import pack_folder
from multiface.datasets.recordio import Record, RecordWriter
from multiface.datasets.unpack import unpack_pack, unpack_records
from multiface.errors import DataSetError, UsageError
from multiface.images import load_picture
from tests.datasets.literal_records import EACH, pictures

RECORDS = ("emore_scalar", "emore_vector", "no_record0", "record0_is_image")
PACKS = (
    "py2_pickle_proto2",
    "py2_cpickle_proto2",
    "py2_pickle_proto0",
    "py2_numpy_proto2",
    "py3_proto2",
    "py3_proto5",
    "py3_numpy1_proto4",
    "py3_numpy2_proto5",
    "py3_issame_npbool_proto4",
    "py3_issame_nparray_proto4",
    "py3_list_of_list_proto4",
)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def jpeg(colour: tuple[int, int, int], side: int = 112) -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (side, side), colour).save(file, "JPEG", quality=90)
    return file.getvalue()


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_pictures_of_records_are_their_bytes(shared, tmp_path):
    for case in RECORDS:
        source = shared / "golden" / "records" / case
        items = json.loads((source / "expected.json").read_text())["items"]
        wanted = {}
        for item in items:
            if item["payload_len"]:
                label = item["label"][0] if isinstance(item["label"], list) else item["label"]
                ending = {"jpeg": "jpg", "png": "png"}[item["format"]]
                wanted[f"{int(label)}/{item['key']}.{ending}"] = item["payload_sha256"]

        unpacked = unpack_records(source, tmp_path / case)

        assert {name: sha(content) for name, content in tree(tmp_path / case / "imgs").items()} == wanted
        assert (unpacked.pictures, unpacked.written, unpacked.mended) == (len(wanted), len(wanted), 0)
        assert unpacked.groups == len({name.split("/")[0] for name in wanted})


def test_pictures_of_a_training_set_are_their_bytes(emore, tmp_path):
    unpacked = unpack_records(emore, tmp_path)
    ending = {17: "png"}
    assert tree(tmp_path / "imgs") == {
        f"{(key - 1) // EACH}/{key}.{ending.get(key, 'jpg')}": content for key, content in pictures().items()
    }
    assert (unpacked.pictures, unpacked.written, unpacked.mended, unpacked.groups) == (40, 40, 0, 8)


def test_colours_are_not_swapped(emore, tmp_path):
    """The reference writes red as blue (golden README, section 6)."""
    unpack_records(emore, tmp_path)
    for key in pictures():
        (path,) = (tmp_path / "imgs" / str((key - 1) // EACH)).glob(f"{key}.*")
        mean = load_picture(path).reshape(-1, 3).mean(axis=0)
        assert np.abs(mean - (200 - 2 * key, 90, 30 + 3 * key)).max() < 2


def test_a_second_run_writes_what_is_missing_or_cut_short_and_nothing_else(emore, tmp_path):
    unpack_records(emore, tmp_path)
    whole = tree(tmp_path)
    old = time.time() - 1000
    for path in (tmp_path / "imgs").rglob("*.*"):
        os.utime(path, (old, old))
    one, other, *_ = sorted((tmp_path / "imgs" / "3").iterdir())
    one.unlink()
    other.write_bytes(other.read_bytes()[:100])

    again = unpack_records(emore, tmp_path)

    assert (again.written, again.mended, again.kept) == (1, 1, 38)
    assert tree(tmp_path) == whole
    touched = {p for p in (tmp_path / "imgs").rglob("*.*") if p.stat().st_mtime > old + 1}
    assert touched == {one, other}


def test_a_killed_run_is_finished_by_the_next(tmp_path):
    """Killed after 128 of 300 pictures, with half of the next one under its hidden name."""
    payloads = {key: jpeg((key % 250, 9, 70)) for key in range(1, 301)}
    with RecordWriter(tmp_path / "train.rec", tmp_path / "train.idx") as writer:
        for key, payload in payloads.items():
            writer.write(key, Record(float(key // 10), key, 0, payload))
    code = (
        "import sys; from pathlib import Path; from multiface.datasets.unpack import unpack_records\n"
        "def wait(done, total):\n"
        "    if done == 128: print(flush=True); sys.stdin.read()\n"
        "unpack_records(Path(sys.argv[1]), Path(sys.argv[1]) / 'out', wait)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout.readline() == b"\n"
        running.kill()
    pictures = tmp_path / "out" / "imgs"
    assert len(list(pictures.rglob("*.jpg"))) == 128
    (pictures / "12" / ".129.jpg.part").write_bytes(payloads[129][:200])

    finished = unpack_records(tmp_path, tmp_path / "out")

    assert (finished.kept, finished.written, finished.mended, finished.groups) == (128, 172, 0, 31)
    assert tree(pictures) == {f"{key // 10}/{key}.jpg": payload for key, payload in payloads.items()}


def test_a_picture_that_cannot_be_written_whole_is_not_there(emore, tmp_path, monkeypatch):
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(UsageError, match="No space left"):
            unpack_records(emore, tmp_path)
    assert tree(tmp_path) == {}
    assert unpack_records(emore, tmp_path).written == 40


def test_two_record_files_are_not_mixed(emore, tmp_path):
    with RecordWriter(tmp_path / "train.rec", tmp_path / "train.idx") as writer:
        writer.write(1, Record(0.0, 1, 0, jpeg((200, 9, 70))))
    unpack_records(emore, tmp_path / "out")
    before = tree(tmp_path / "out")
    with pytest.raises(UsageError, match="choose another --out"):
        unpack_records(tmp_path, tmp_path / "out")
    assert tree(tmp_path / "out") == before


def test_a_record_that_is_no_picture_is_named(tmp_path):
    with RecordWriter(tmp_path / "train.rec", tmp_path / "train.idx") as writer:
        writer.write(7, Record(0.0, 7, 0, b"not a picture"))
    with pytest.raises(DataSetError, match="record 7 has 13 bytes that are not a picture"):
        unpack_records(tmp_path, tmp_path / "out")


def test_pictures_of_packs_are_their_bytes(shared, tmp_path):
    for case in PACKS:
        bins = shared / "golden" / "bins"
        expected = json.loads((bins / "expected.json").read_text())
        # The text-protocol pack holds the first two pairs only.
        issame = expected["issame"][: 2 if case == "py2_pickle_proto0" else None]
        images = expected["images"][: 2 * len(issame)]

        unpacked = unpack_pack(bins / f"{case}.bin", tmp_path)

        names = [f"{k:06d}.{'png' if k == 5 else 'jpg'}" for k in range(len(images))]
        assert [sha((tmp_path / case / name).read_bytes()) for name in names] == [i["sha256"] for i in images]
        assert (unpacked.pictures, unpacked.groups) == (len(images), len(issame))
        stated = json.loads((tmp_path / case / "pairs.json").read_text())
        assert stated == {
            "name": case,
            "pairs": [
                {"left": names[2 * k], "right": names[2 * k + 1], "same": bool(same)}
                for k, same in enumerate(issame)
            ],
        }
        same = np.load(tmp_path / f"{case}_list.npy", allow_pickle=False)
        assert same.dtype == bool and same.tolist() == [bool(value) for value in issame]


@pytest.mark.parametrize("protocol", range(6))
def test_an_evil_pack_is_refused_and_leaves_nothing(tmp_path, protocol):
    class Evil:
        def __reduce__(self):
            return os.getenv, ("HOME", "executed")

    pair = [jpeg((250, 0, 0)), jpeg((0, 250, 0))]
    for number, value in enumerate((Evil(), (pair, [Evil()]), ([pair[0], Evil()], [True]))):
        (tmp_path / f"{number}.bin").write_bytes(pickle.dumps(value, protocol))
        with pytest.raises(DataSetError):
            unpack_pack(tmp_path / f"{number}.bin", tmp_path / "out")
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("name", ["..bin", "...bin", ".hidden.bin"])
def test_no_name_of_a_pack_leads_out_of_the_folder(tmp_path, name):
    write_bin(tmp_path / name, [jpeg((250, 0, 0)), jpeg((0, 250, 0))], [True])
    with pytest.raises(UsageError, match="cannot name a file or folder"):
        unpack_pack(tmp_path / name, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_pack_of_the_same_name_replaces_what_differs_though_sizes_agree(tmp_path):
    red, blue, green = jpeg((250, 0, 0)), jpeg((0, 0, 250)), jpeg((0, 250, 0))
    assert len(red) == len(blue)
    (tmp_path / "a").mkdir()
    write_bin(tmp_path / "a" / "set.bin", [red, green], [True])
    unpack_pack(tmp_path / "a" / "set.bin", tmp_path / "out")
    write_bin(tmp_path / "a" / "set.bin", [blue, green], [False])

    again = unpack_pack(tmp_path / "a" / "set.bin", tmp_path / "out")

    assert (again.written, again.mended, again.kept) == (0, 1, 1)
    assert (tmp_path / "out" / "set" / "000000.jpg").read_bytes() == blue
    assert np.load(tmp_path / "out" / "set_list.npy").tolist() == [False]


def test_decoded_pictures_come_out_without_loss(tmp_path):
    random = np.random.default_rng(5)
    pixels = [random.integers(0, 256, (112, 112, 3), np.uint8) for _ in range(4)]
    (tmp_path / "raw.bin").write_bytes(pickle.dumps((pixels, [True, False]), protocol=4))

    unpacked = unpack_pack(tmp_path / "raw.bin", tmp_path)
    (tmp_path / "raw" / "000001.png").write_bytes(b"half")
    again = unpack_pack(tmp_path / "raw.bin", tmp_path)

    assert (unpacked.written, again.mended, again.kept) == (4, 1, 3)
    for k, wanted in enumerate(pixels):
        assert np.array_equal(load_picture(tmp_path / "raw" / f"{k:06d}.png"), wanted)


@pytest.mark.parametrize("writer", ["mxnet", "a second one"])
def test_unpacked_and_packed_again_equals_what_was_written(writer, request, tmp_path):
    """Layout, keys, labels, headers and order of the field's files: byte for byte."""
    if writer == "mxnet":
        source = request.getfixturevalue("shared") / "golden" / "records" / "emore_scalar"
    else:
        source = request.getfixturevalue("emore")
    unpack_records(source, tmp_path)

    packed = pack_folder(tmp_path / "imgs", tmp_path / "again", workers=2)

    for name in ("train.rec", "train.idx", "property"):
        assert (tmp_path / "again" / name).read_bytes() == (source / name).read_bytes(), name
    assert (packed.pictures, len(packed.people), packed.width, packed.height) == (40, 8, 112, 112)


def test_people_are_numbered_in_natural_order_and_empty_ones_left_out(tmp_path):
    for number, name in enumerate(["2", "10", "1", "3"]):
        (tmp_path / "in" / name).mkdir(parents=True)
        if name != "3":
            (tmp_path / "in" / name / "a.jpg").write_bytes(jpeg((number * 40, 9, 9)))
    (tmp_path / "in" / "1" / "notes.txt").write_text("not a picture")
    (tmp_path / "in" / "1" / ".hidden.jpg").write_bytes(b"x")

    packed = pack_folder(tmp_path / "in", tmp_path / "out", workers=1)

    assert packed.people == ("1", "2", "10")
    assert [path.name for path in packed.ignored] == ["notes.txt"]
    read = identities_from_records(tmp_path / "out")
    assert read.labels.tolist() == [0, 1, 2] and read.classes == 3
    assert read.read(2) == (tmp_path / "in" / "10" / "a.jpg").read_bytes()
    assert (tmp_path / "out" / "property").read_text() == "3,112,112\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("other_size.jpg", jpeg((1, 2, 3), 96), "is 96x96 pixels, those before are 112x112"),
        ("cut.jpg", jpeg((1, 2, 3))[:500], "fetch or make it again"),
        ("empty.jpg", b"", "is empty"),
        ("picture.gif", b"GIF89a" + bytes(20), "is a GIF picture"),
    ],
)
def test_a_picture_that_cannot_be_packed_is_left_out(tmp_path, name, content, message):
    (tmp_path / "in" / "anna").mkdir(parents=True)
    (tmp_path / "in" / "anna" / "a.jpg").write_bytes(jpeg((1, 2, 3)))
    pack_folder(tmp_path / "in", tmp_path / "out", workers=2)
    before = tree(tmp_path / "out")
    odd = tmp_path / "in" / "anna" / name
    odd.write_bytes(content)
    (tmp_path / "in" / "self").symlink_to(tmp_path / "in" / "self")
    packed = pack_folder(tmp_path / "in", tmp_path / "out", workers=2)
    assert [path for path, _ in packed.left_out] == [odd] and message in packed.left_out[0][1]
    assert tree(tmp_path / "out") == before


def test_a_folder_without_a_whole_picture_leaves_older_records_as_they_were(tmp_path):
    picture = tmp_path / "in" / "anna" / "a.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(jpeg((1, 2, 3)))
    pack_folder(tmp_path / "in", tmp_path / "out", workers=2)
    before = tree(tmp_path / "out")
    picture.write_bytes(b"")
    with pytest.raises(DataSetError, match=r"found none .*a\.jpg: is empty"):
        pack_folder(tmp_path / "in", tmp_path / "out", workers=2)
    assert tree(tmp_path / "out") == before


def test_a_folder_without_people_is_refused(tmp_path):
    with pytest.raises(DataSetError, match="found none"):
        pack_folder(tmp_path, tmp_path / "out", workers=1)
    assert not (tmp_path / "out" / "train.rec").exists()
    shutil.rmtree(tmp_path / "out")
    with pytest.raises(DataSetError, match="check the path"):
        pack_folder(tmp_path / "nowhere", tmp_path / "out", workers=1)

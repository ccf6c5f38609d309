"""Real photos to aligned crops, stopped, spoiled, changed and run again."""

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from multiface.datasets.bin_pack import read_bin
from multiface.datasets.lfw import read_pairs
from multiface.errors import DataSetError, PictureError, UsageError
from multiface.evaluate.photos import Reason, prepare_lfw, prepare_photos
from multiface.faces.detector import Detector
from multiface.faces.face import Faces, Image
from multiface.faces.opening import open_detector
from multiface.images import load_picture, save_picture
from multiface.weights.session import Engine
from multiface.weights.spec import ARCFACE_TEMPLATE
from multiface.weights.store import Store

MIN_FACE = 20.0


@pytest.fixture(scope="module")
def detector(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Detector:
    store = Store(tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("cache"))
    store.pull("scrfd_2.5g", shared / "data" / "weights")
    return open_detector(store, "scrfd_2.5g", Engine("cpu", 1), MIN_FACE)


class Counted:
    """A real detector that counts the photos it was shown, and may stop the run."""

    def __init__(self, detector: Detector, stop_at: int | None = None) -> None:
        self.detector = detector
        self.stop_at = stop_at
        self.seen = 0

    @property
    def name(self) -> str:
        return self.detector.name

    min_face = 20.0

    @property
    def sure(self) -> float:
        return self.detector.sure

    def detect(self, image: Image, smallest: float | None = None) -> Faces:
        self.seen += 1
        if self.seen == self.stop_at:
            raise KeyboardInterrupt
        return self.detector.detect(image, smallest)


@pytest.fixture
def people(shared: Path, tmp_path: Path) -> Path:
    """Two people of two photos, a group picture, a picture without a face, a broken one, one deep down."""
    source = shared / "data" / "photos"
    folder = tmp_path / "photos"
    for person in (source / "people" / "biden", source / "people" / "howard"):
        target = folder / person.name
        target.mkdir(parents=True)
        for photo in sorted(person.iterdir())[:2]:
            shutil.copy(photo, target / photo.name)
    anna = folder / "Anna Grün"
    (anna / "more").mkdir(parents=True)
    lfw = shared / "data" / "lfw"
    shutil.copy(lfw / "Hal_Sutton" / "Hal_Sutton_0002.jpg", anna / "x.jpg")
    shutil.copy(lfw / "Hal_Sutton" / "Hal_Sutton_0002.jpg", anna / "more" / "x.jpg")
    save_picture(load_picture(anna / "x.jpg"), anna / "x.png")
    (anna / "broken.jpg").write_bytes((anna / "x.jpg").read_bytes()[:2000])
    save_picture(np.full((200, 200, 3), 90, np.uint8), anna / "wall.png")
    face = load_picture(anna / "x.jpg")
    save_picture(np.concatenate([face, face], axis=1), anna / "twins.png")
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_crops_are_aligned_and_what_is_dropped_is_listed(people, tmp_path, detector):
    out = tmp_path / "out"
    steps: list[tuple[int, int]] = []
    prepared = prepare_photos(people, out, detector, MIN_FACE, 2, lambda *step: steps.append(step))

    anna = [f"imgs/Anna Grün/{name}" for name in ("more_x.jpg", "x.jpg", "x_2.jpg")]
    crops = {name for name in tree(out) if name.startswith("imgs/")}
    assert set(anna) <= crops and len(crops) == prepared.crops == 7
    assert (prepared.people, prepared.photos, prepared.without_crop) == (3, 10, ())
    assert {(one.photo, one.reason) for one in prepared.dropped} == {
        ("Anna Grün/broken.jpg", Reason.BROKEN),
        ("Anna Grün/wall.png", Reason.NO_FACE),
        ("Anna Grün/twins.png", Reason.SEVERAL_FACES),
    }
    with (out / "dropped.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["photo"], row["reason"]) for row in rows] == [(d.photo, d.reason) for d in prepared.dropped]
    assert steps[-1] == (10, 10)
    for name in crops:
        crop = load_picture(out / name)
        assert crop.shape == (112, 112, 3)
        # Oracle: the detector itself sees the five points of the crop where the template has them.
        canvas = np.zeros((336, 336, 3), np.uint8)
        canvas[112:224, 112:224] = crop
        points = detector.detect(canvas).landmarks[0] - 112
        assert np.abs(points - np.array(ARCFACE_TEMPLATE)).mean() < 5, name


def test_crops_keep_their_colours(people, tmp_path, detector):
    """The face in the photo and the middle of its crop are as much redder than blue."""
    prepare_photos(people, tmp_path / "out", detector, MIN_FACE, 2)
    photo = load_picture(people / "Anna Grün" / "x.jpg")
    x0, y0, x1, y1 = detector.detect(photo).boxes[0].round().astype(int)
    crop = load_picture(tmp_path / "out" / "imgs" / "Anna Grün" / "x.jpg")
    wanted = photo[y0:y1, x0:x1].reshape(-1, 3).mean(axis=0)
    got = crop[10:105, 20:92].reshape(-1, 3).mean(axis=0)
    assert wanted[0] - wanted[2] > 30
    assert abs((wanted[0] - wanted[2]) - (got[0] - got[2])) < 8


def test_a_second_run_looks_at_nothing_and_changes_nothing(people, tmp_path, detector):
    prepare_photos(people, tmp_path / "out", detector, MIN_FACE, 2)
    before = tree(tmp_path / "out")
    counted = Counted(detector)
    again = prepare_photos(people, tmp_path / "out", counted, MIN_FACE, 2)
    # What could not be read is tried again.
    assert (counted.seen, again.made, again.crops, len(again.dropped)) == (0, 1, 7, 3)
    assert tree(tmp_path / "out") == before


def test_only_what_is_missing_spoiled_or_changed_is_looked_at_again(people, tmp_path, detector):
    out = tmp_path / "out"
    prepare_photos(people, out, detector, MIN_FACE, 2)
    before = tree(out / "imgs")
    (out / "imgs" / "Anna Grün" / "x.jpg").write_bytes(b"half")
    (out / "imgs" / "Anna Grün" / "x_2.jpg").unlink()
    again = prepare_photos(people, out, detector, MIN_FACE, 2)
    assert again.made == 3 and tree(out / "imgs") == before

    shutil.copy(people / "Anna Grün" / "wall.png", people / "Anna Grün" / "x.png")
    shutil.copy(people / "Anna Grün" / "x.jpg", people / "Anna Grün" / "a new one.JPG")
    changed = prepare_photos(people, out, detector, MIN_FACE, 2)
    assert changed.made == 3 and changed.crops == 7
    assert set(tree(out / "imgs")) == set(before) - {"Anna Grün/x_2.jpg"} | {"Anna Grün/a new one.jpg"}
    assert "Anna Grün/x.png" in {one.photo for one in changed.dropped}


def test_a_stopped_run_goes_on(people, tmp_path, detector, monkeypatch):
    monkeypatch.setattr("multiface.evaluate.photos._BATCH", 2)
    prepare_photos(people, tmp_path / "whole", detector, MIN_FACE, 1)
    with pytest.raises(KeyboardInterrupt):
        prepare_photos(people, tmp_path / "out", Counted(detector, stop_at=10), MIN_FACE, 1)
    there = len(tree(tmp_path / "out").keys() & tree(tmp_path / "whole").keys())
    assert there > 1
    notes = tmp_path / "out" / "photos.jsonl"
    notes.write_bytes(notes.read_bytes() + b'{"photo": "Anna Gr')
    rest = prepare_photos(people, tmp_path / "out", detector, MIN_FACE, 1)
    assert 0 < rest.made < 10
    assert tree(tmp_path / "out" / "imgs") == tree(tmp_path / "whole" / "imgs")


def test_another_smallest_face_starts_anew(people, tmp_path, detector):
    prepare_photos(people, tmp_path / "out", detector, MIN_FACE, 2)
    assert prepare_photos(people, tmp_path / "out", detector, 30.0, 2).made == 10


def test_folders_that_cannot_be_meant_are_refused(people, tmp_path, detector):
    with pytest.raises(UsageError, match="choose another --out"):
        prepare_photos(people, people / "out", detector, MIN_FACE, 1)
    # Crops would be written over the photos.
    before = tree(tmp_path)
    people.rename(tmp_path / "imgs")
    with pytest.raises(UsageError, match="choose another --out"):
        prepare_photos(tmp_path / "imgs", tmp_path, detector, MIN_FACE, 1)
    (tmp_path / "imgs").rename(people)
    assert tree(tmp_path) == before
    with pytest.raises(DataSetError, match="is not a folder"):
        prepare_photos(tmp_path / "nowhere", tmp_path / "out", detector, MIN_FACE, 1)
    with pytest.raises(DataSetError, match="no photos in folders of people"):
        prepare_photos(people / "Anna Grün" / "more", tmp_path / "out", detector, MIN_FACE, 1)


@pytest.fixture
def small_lfw(shared: Path, tmp_path: Path) -> Path:
    """One fold of LFW's first five pairs of each kind."""
    source = shared / "data" / "lfw"
    lines = (source / "pairs.txt").read_text().splitlines()
    chosen = lines[1:6] + lines[301:306]
    folder = tmp_path / "lfw"
    folder.mkdir()
    (folder / "pairs.txt").write_text("\n".join(["5", *chosen]) + "\n")
    for name, number in read_pairs(folder / "pairs.txt").pictures:
        (folder / name).mkdir(exist_ok=True)
        shutil.copy(source / name / f"{name}_{number:04d}.jpg", folder / name)
    return folder


def test_lfw_becomes_crops_and_a_pack_of_its_pairs(small_lfw, tmp_path, detector):
    pairs = read_pairs(small_lfw / "pairs.txt")
    name, number = pairs.pictures[3]
    without = f"{name}/{name}_{number:04d}.jpg"
    wall = np.zeros((250, 250, 3), np.uint8)
    wall[:, :125], wall[:, 125:] = (10, 20, 30), (90, 20, 30)
    PIL.Image.fromarray(wall).save(small_lfw / without, quality=95)
    out = tmp_path / "out"

    prepared = prepare_lfw(small_lfw, out, detector, MIN_FACE, 2)

    pack = read_bin(out / "lfw.bin")
    assert prepared.middle == (without,)
    middle = load_picture(out / "lfw_aligned" / without).astype(int)
    assert abs(middle[:, :54, 0] - 10).max() < 12
    assert abs(middle[:, 58:, 0] - 90).max() < 12
    assert pack.issame.tolist() == pairs.issame.tolist()
    crops = [out / "lfw_aligned" / n / f"{n}_{k:04d}.jpg" for n, k in pairs.pictures]
    for place, (left, right) in enumerate(zip(pairs.left, pairs.right, strict=True)):
        assert pack.pictures[2 * place] == crops[left].read_bytes()
        assert pack.pictures[2 * place + 1] == crops[right].read_bytes()
    assert all(load_picture(crop).shape == (112, 112, 3) for crop in crops)
    assert (prepared.pictures, prepared.pairs, prepared.made) == (len(crops), 10, len(crops))

    counted = Counted(detector)
    again = prepare_lfw(small_lfw, out, counted, MIN_FACE, 2)
    assert (again.made, counted.seen, again.middle) == (0, 0, (without,))


def test_lfw_with_a_broken_picture_is_refused_and_goes_on_when_mended(small_lfw, tmp_path, detector):
    name, number = read_pairs(small_lfw / "pairs.txt").pictures[-1]
    path = small_lfw / name / f"{name}_{number:04d}.jpg"
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    with pytest.raises(PictureError, match=path.name):
        prepare_lfw(small_lfw, tmp_path / "out", detector, MIN_FACE, 1)
    assert not (tmp_path / "out" / "lfw.bin").exists()
    path.write_bytes(whole)
    os.utime(path)
    assert len(read_bin(prepare_lfw(small_lfw, tmp_path / "out", detector, MIN_FACE, 1).pack)) == 10

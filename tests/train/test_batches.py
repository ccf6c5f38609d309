"""The loader: the same pixels whatever the workers and processes, and what happens to pictures that are
none.
"""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from multiface.datasets.identities import IdentitySet, identities_from_records
from multiface.errors import DataSetError, PictureError
from multiface.images import load_picture
from multiface.train.augment import AugmentConfig, Draws, augment, augment_pixels
from multiface.train.batches import Batch, Share, batches
from multiface.train.crops import decode_crops, decode_pixels
from multiface.train.order import Order
from multiface.train.training_set import open_training_set

EVERYTHING = AugmentConfig(crop=0.5, low_resolution=0.5, blur=0.5, colour=0.5, erase=0.5)
Writer = Callable[[Path, list[tuple[int, bytes]]], Path]


def loaded(pictures: IdentitySet, share: Share, steps: range, workers: int = 0) -> list[Batch]:
    return list(batches(pictures, EVERYTHING, share, 7, steps, workers))


def joined(parts: list[Batch]) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    samples = np.concatenate([part.samples for part in parts])
    return torch.cat([p.pixels for p in parts]), torch.cat([p.labels for p in parts]), samples


def test_workers_processes_parts_and_a_later_start_change_no_pixel(records: Path) -> None:
    pictures = identities_from_records(records)
    whole = loaded(pictures, Share(8, 1, 0, 1), range(9))
    pixels, labels, samples = joined(whole)
    assert pixels.shape == (72, 112, 112, 3) and pixels.dtype == torch.uint8 and labels.dtype == torch.int64

    for workers in (1, 3):
        other = joined(loaded(pictures, Share(8, 1, 0, 1), range(9), workers))
        assert torch.equal(other[0], pixels) and torch.equal(other[1], labels)
        assert np.array_equal(other[2], samples)
    later = joined(loaded(pictures, Share(8, 1, 0, 1), range(5, 9)))
    assert torch.equal(later[0], pixels[40:])

    # Two processes with two parts each: part a of process r is faces (2 a + r) x 2 .. of the step.
    shares = [loaded(pictures, Share(8, 2, rank, 2), range(9)) for rank in (0, 1)]
    ordered = [shares[rank][2 * step + part] for step in range(9) for part in (0, 1) for rank in (0, 1)]
    assert torch.equal(joined(ordered)[0], pixels) and torch.equal(joined(ordered)[1], labels)


def test_a_batch_that_cannot_be_shared_equally_is_shared_all_the_same(records: Path) -> None:
    """Seven faces a part in two processes, 4 and 3, or in three, 3, 2 and 2: the same step."""
    pictures = identities_from_records(records)
    whole = joined(loaded(pictures, Share(14, 2, 0, 1), range(3)))
    for processes, sizes in ((2, (4, 3)), (3, (3, 2, 2))):
        shares = [Share(14, 2, rank, processes) for rank in range(processes)]
        assert shares[0].sizes == sizes
        found = [loaded(pictures, share, range(3)) for share in shares]
        ordered = [
            found[rank][2 * step + part] for step in range(3) for part in (0, 1) for rank in range(processes)
        ]
        assert torch.equal(joined(ordered)[0], whole[0]) and torch.equal(joined(ordered)[1], whole[1])


def test_each_picture_comes_once_an_epoch_with_its_label_and_never_twice_the_same(records: Path) -> None:
    pictures = identities_from_records(records)
    pixels, labels, samples = joined(loaded(pictures, Share(9, 1, 0, 1), range(10)))  # 3 epochs of 30
    for epoch in range(3):
        rows = samples[30 * epoch : 30 * epoch + 30]
        assert (rows[:, 0] == epoch).all() and sorted(rows[:, 1]) == list(range(30))
    assert not np.array_equal(samples[:30, 1], samples[30:60, 1])
    assert np.array_equal(labels.numpy(), pictures.labels[samples[:, 1]])
    of_first = [pixels[row] for row in np.flatnonzero(samples[:, 1] == 0)]
    assert not torch.equal(of_first[0], of_first[1])


@given(st.integers(1, 50), st.integers(0, 200), st.integers(1, 60), st.integers(0, 2**60))
def test_the_order_hangs_on_the_position_alone(pictures: int, start: int, length: int, seed: int) -> None:
    whole = Order(pictures, seed).samples(0, start + length)
    assert Order(pictures, seed).samples(start, start + length) == whole[start:]
    first = [sample.picture for sample in whole[:pictures]]
    assert len(set(first)) == len(first)


def test_draws_are_those_of_numpys_philox() -> None:
    draws = Draws(9)
    for epoch, sample in ((0, 0), (3, 7), (0, 0), (2**40, 2**33)):
        generator = np.random.Generator(np.random.Philox(key=9, counter=[0, epoch, sample, 0]))
        assert np.array_equal(draws.of(epoch, sample), generator.random(24))


def test_each_kind_of_augmentation_does_what_it_says() -> None:
    rng = np.random.default_rng(0)
    pixels = np.asarray(
        Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).resize(
            (112, 112), Image.Resampling.BICUBIC
        )
    )
    picture = Image.fromarray(pixels)
    draw = Draws(1).of(0, 0)

    def done(**settings: float) -> np.ndarray:
        return np.asarray(augment(picture, AugmentConfig(**{"flip": 0.0, **settings}), draw)).astype(int)

    assert np.array_equal(done(), pixels)
    assert np.array_equal(done(flip=1.0), pixels[:, ::-1])
    assert np.array_equal(done(crop=1.0, crop_smallest=1.0), pixels)
    assert np.array_equal(done(colour=1.0, colour_strength=0.0), pixels)
    erased = done(erase=1.0, erase_largest=0.4)
    changed = (erased != pixels).any(2)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    box = erased[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert 0.01 < changed.mean() < 0.17 and (box == box[0, 0]).all()

    def detail(values: np.ndarray) -> float:
        return float(np.abs(np.diff(values, axis=0)).sum())

    assert detail(done(blur=1.0)) < detail(pixels.astype(int))
    small = done(low_resolution=1.0, low_resolution_smallest=0.05)
    assert small.shape == pixels.shape and detail(small) < detail(pixels.astype(int))
    got = done(colour=1.0)
    b, c, s = 1 + 0.3 * (2 * draw[6:9] - 1)
    weights = np.array([0.299, 0.587, 0.114])
    bright = b * pixels.astype(float)
    contrasted = c * bright + (1 - c) * (bright @ weights).mean()
    wanted = s * contrasted + (1 - s) * (contrasted @ weights)[..., None]
    assert np.abs(got - np.clip(wanted, 0, 255)).max() < 1.5 and np.abs(got - pixels).mean() > 1
    # Switching one on leaves the numbers of the others as they were.
    both = done(flip=1.0, erase=1.0)
    assert np.array_equal(both[changed], done(erase=1.0)[changed])


def test_the_fast_way_gives_the_pixels_of_the_careful_one(
    faces: list[tuple[int, bytes]], shared: Path
) -> None:
    pictures = identities_from_records(shared / "data" / "train")
    files = [data for _, data in faces] + [pictures.read(i) for i in range(0, len(pictures), 400)]
    for data in files:
        assert np.array_equal(decode_pixels(data), load_picture(data))


@settings(max_examples=80, deadline=None)
@given(
    quality=st.integers(5, 100),
    subsampling=st.sampled_from(("4:4:4", "4:2:2", "4:2:0", "4:1:1")),
    progressive=st.booleans(),
    restart=st.integers(0, 4),
    optimise=st.booleans(),
    seed=st.integers(0, 99),
    roughness=st.sampled_from((3, 14, 112)),
)
def test_any_jpeg_gives_the_pixels_of_pillow(
    quality: int, subsampling: str, progressive: bool, restart: int, optimise: bool, seed: int, roughness: int
) -> None:
    small = np.random.default_rng(seed).integers(0, 256, (roughness, roughness, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((112, 112), Image.Resampling.BICUBIC).save(
        file, "JPEG", quality=quality, subsampling=subsampling, progressive=progressive,
        restart_marker_blocks=restart, optimize=optimise,
    )  # fmt: skip
    wanted = np.asarray(Image.open(io.BytesIO(file.getvalue())))
    assert np.array_equal(decode_pixels(file.getvalue()), wanted)


def test_a_damaged_jpeg_takes_the_careful_way(faces: list[tuple[int, bytes]]) -> None:
    """Cut short, or with a byte changed: the pixels of the careful way, or its error."""
    whole = faces[0][1]
    chance = np.random.default_rng(0)
    for _ in range(150):
        data = bytearray(whole[: chance.integers(300, len(whole) + 1)])
        data[chance.integers(len(data))] ^= int(chance.integers(1, 256))
        try:
            wanted = load_picture(bytes(data))
        except PictureError:
            wanted = None
        try:
            got = decode_pixels(bytes(data))
        except DataSetError:
            assert wanted is None or wanted.shape != (112, 112, 3)
            continue
        assert got.shape == (112, 112, 3) and (wanted is None or np.array_equal(got, wanted))


@pytest.mark.parametrize("flip", [0.0, 0.5, 1.0])
def test_a_mirrored_picture_is_that_of_the_long_way(faces: list[tuple[int, bytes]], flip: float) -> None:
    draws, config = Draws(3), AugmentConfig(flip=flip)
    for number, (_, data) in enumerate(faces):
        pixels = decode_pixels(data)
        before = pixels.copy()
        pixels.flags.writeable = number % 2 == 0
        wanted = np.asarray(augment(Image.fromarray(pixels), config, draws.of(1, number)))
        assert np.array_equal(augment_pixels(pixels, config, draws.of(1, number)), wanted)
        assert np.array_equal(pixels, before)


def test_what_is_no_plain_jpeg_is_decoded_too(faces: list[tuple[int, bytes]]) -> None:
    pixels = load_picture(faces[0][1])
    for format_, mode in (("PNG", "RGB"), ("JPEG", "L"), ("WEBP", "RGB"), ("PNG", "L")):
        file = io.BytesIO()
        Image.fromarray(pixels).convert(mode).save(file, format_)
        got = decode_pixels(file.getvalue())
        assert got.shape == (112, 112, 3) and np.array_equal(got, load_picture(file.getvalue()))
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(pixels).save(file, "JPEG", exif=exif, quality=95)
    upright = decode_pixels(file.getvalue()).astype(int)
    assert np.abs(upright - pixels[::-1, ::-1]).mean() < 5
    with pytest.raises(DataSetError, match="number 1 has shape"):
        decode_crops([faces[0][1], np.zeros((96, 112, 3), np.uint8)], "pack")


@pytest.mark.parametrize("workers", [0, 2])
def test_unusable_pictures_are_replaced_by_the_next_and_named(
    tmp_path: Path, faces: list[tuple[int, bytes]], write_records: Writer, workers: int
) -> None:
    import io

    wide = io.BytesIO()
    Image.new("RGB", (112, 96)).save(wide, "JPEG")
    spoilt = list(faces)
    spoilt[3] = (spoilt[3][0], b"no picture at all")
    spoilt[4] = (spoilt[4][0], spoilt[4][1][: len(spoilt[4][1]) // 2])
    spoilt[29] = (spoilt[29][0], wide.getvalue())
    pictures = identities_from_records(write_records(tmp_path, spoilt))
    found = list(batches(pictures, AugmentConfig(flip=0.0), Share(6, 1, 0, 1), 7, range(5), workers))
    pixels, labels, samples = joined(found)
    reasons = {one.picture: one.reason for part in found for one in part.unusable}
    assert set(reasons) == {3, 4, 29}
    assert "not a picture" in reasons[3] and "damaged" in reasons[4] and "112 x 96" in reasons[29]
    replaced = {3: 5, 4: 5, 29: 0}
    for row, (_, picture) in enumerate(samples):
        used = replaced.get(int(picture), int(picture))
        assert labels[row] == pictures.labels[used]
        assert np.array_equal(pixels[row].numpy(), load_picture(spoilt[used][1]))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_set_without_usable_pictures_is_refused(
    tmp_path: Path, write_records: Writer, workers: int
) -> None:
    pictures = identities_from_records(write_records(tmp_path, [(k % 2, b"none") for k in range(120)]))
    with pytest.raises(DataSetError, match="cannot be used"):
        next(batches(pictures, EVERYTHING, Share(4, 1, 0, 1), 0, range(1), workers))


@pytest.mark.parametrize("workers", [0, 1])
def test_broken_records_are_a_clear_error_not_a_hang(
    tmp_path: Path, faces: list[tuple[int, bytes]], write_records: Writer, workers: int
) -> None:
    """A record whose magic is wrong reads as damage; with all of them damaged the set is refused."""
    folder = write_records(tmp_path, faces)
    pictures = identities_from_records(folder)
    rec = folder / "train.rec"
    data = bytearray(rec.read_bytes())
    offset = pictures.pictures.file.index.offset(10)  # type: ignore[attr-defined]
    data[offset] ^= 0xFF
    rec.write_bytes(bytes(data))
    found = list(batches(pictures, EVERYTHING, Share(6, 1, 0, 1), 7, range(5), workers))
    (broken,) = {(one.picture, one.reason) for part in found for one in part.unusable}
    assert broken[0] == 10 and "wanted the magic" in broken[1] and "train.rec" in broken[1]


def test_sets_that_cannot_be_learned_from_are_refused_at_the_start(
    tmp_path: Path, faces: list[tuple[int, bytes]], write_records: Writer
) -> None:
    from multiface.errors import UsageError

    with pytest.raises(UsageError, match="nothing to learn from"):
        open_training_set([])
    with pytest.raises(DataSetError, match="no such folder"):
        open_training_set([str(tmp_path / "nowhere")])
    with pytest.raises(DataSetError, match="all pictures are of one person"):
        open_training_set([str(write_records(tmp_path / "one", faces[:5]))])
    cut = write_records(tmp_path / "cut", faces)
    (cut / "train.rec").write_bytes((cut / "train.rec").read_bytes()[:-40])
    # The index still fits, so the last picture is found to be cut off when its label is read.
    with pytest.raises(DataSetError, match="cut off"):
        open_training_set([str(cut)])
    magic = write_records(tmp_path / "magic", faces)
    (magic / "train.rec").write_bytes(b"\0\0\0\0" + (magic / "train.rec").read_bytes()[4:])
    with pytest.raises(DataSetError, match="magic"):
        open_training_set([str(magic)])
    outside = write_records(tmp_path / "outside", faces)
    (outside / "train.idx").write_text("0\t0\n1\t99999999\n")
    with pytest.raises(DataSetError, match="offset 99999999"):
        open_training_set([str(outside)])


def test_gaps_in_the_labels_and_people_with_one_picture_are_taken(
    tmp_path: Path, faces: list[tuple[int, bytes]], write_records: Writer
) -> None:
    rows = [(10 * label, data) for label, data in faces[:10]] + [(90, faces[12][1])]
    pictures = open_training_set([str(write_records(tmp_path, rows))])
    assert pictures.classes == 3 and pictures.labels.tolist() == [0] * 5 + [1] * 5 + [2]


def test_a_crop_in_place_leaves_the_face_where_it_is_and_black_around_it() -> None:
    """As AdaFace: a rectangle of the picture, unchanged, with the stated areas and sides."""
    pixels = np.random.default_rng(0).integers(1, 256, (112, 112, 3), np.uint8)  # nowhere black
    config = AugmentConfig(flip=0.0, crop=1.0, crop_smallest=0.45, crop_in_place=True)
    areas, ratios, corners = [], [], set()
    for number in range(300):
        changed = np.asarray(augment(Image.fromarray(pixels), config, Draws(3).of(0, number)))
        kept = changed.any(2)
        rows, columns = (np.flatnonzero(kept.any(axis)) for axis in (1, 0))
        inside = np.ix_(rows, columns)
        assert kept.sum() == len(rows) * len(columns) and kept[inside].all()
        assert np.array_equal(changed[inside], pixels[inside])
        areas.append(kept.sum() / 112**2)
        ratios.append(len(columns) / len(rows))
        corners.add((int(rows[0]), int(columns[0])))
    assert 0.19 < min(areas) < 0.25 and max(areas) > 0.85 and 0.5 < np.mean(areas) < 0.65
    assert 0.73 < min(ratios) < 0.8 and 1.25 < max(ratios) < 1.37 and abs(np.mean(np.log(ratios))) < 0.03
    assert len(corners) > 200

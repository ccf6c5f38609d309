"""Packs measured with real weights, and the figures of others that stand beside."""

import io
import json
import pickle
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from multiface.datasets.bin_pack import BinPack, read_bin, write_bin
from multiface.errors import DataSetError, UsageError
from multiface.evaluate.packs import crop_for, embed_pack, evaluate_packs
from multiface.evaluate.protocol import PairSet, evaluate_pairs, score_pairs
from multiface.evaluate.published import PUBLISHED, SETS, published_for
from multiface.faces.embedder import Embedder
from multiface.faces.opening import open_embedder
from multiface.images import load_picture
from multiface.weights.catalogue import CATALOGUE
from multiface.weights.session import Engine
from multiface.weights.spec import ARCFACE_TEMPLATE, InputSpec
from multiface.weights.store import Store

NAME = "mobilefacenet_128_ms1m"
PAIRS = 60
OTHER = ((47.0, 46.0), (103.0, 46.0), (75.0, 78.0), (51.0, 106.0), (99.0, 106.0))
"""Five points in a crop of 150 x 150."""


@pytest.fixture(scope="module")
def store(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("cache"))
    store.pull(NAME, shared / "data" / "weights")
    return store


@pytest.fixture(scope="module")
def embedder(store: Store) -> Embedder:
    return open_embedder(store, NAME, Engine("cpu", 1))


@pytest.fixture(scope="module")
def heldout(shared: Path) -> BinPack:
    """Three pairs of each kind of each of the ten folds (of 100 genuine, then 100 impostor pairs)."""
    whole = read_bin(shared / "data" / "train" / "heldout.bin")
    pairs = [200 * fold + kind + k for fold in range(10) for kind in (0, 100) for k in range(3)]
    return BinPack(tuple(whole.pictures[2 * q + side] for q in pairs for side in (0, 1)), whole.issame[pairs])


@pytest.fixture(scope="module")
def pack(heldout: BinPack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pack") / "heldout.bin"
    write_bin(path, heldout.pictures, heldout.issame)
    return path


def jpeg(side: int, seed: int = 0) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), np.uint8)
    PIL.Image.fromarray(pixels).resize((side, side)).save(file, "JPEG", quality=95)
    return file.getvalue()


def test_figures_are_those_of_the_embeddings_one_by_one(pack, heldout, embedder):
    """Oracle: pictures embedded alone, distances by hand, the best threshold of each fold by trying all."""
    pixels = [load_picture(picture) for picture in heldout.pictures]
    unit = np.concatenate([embedder.embed(one[None], flip=False) for one in pixels]).astype(np.float64)
    squared = ((unit[0::2] - unit[1::2]) ** 2).sum(axis=1)
    thresholds = np.arange(0, 4, 0.01)
    right = (squared[None] < thresholds[:, None]) == heldout.issame
    accuracies = []
    for fold in np.array_split(np.arange(PAIRS), 10):
        others = np.setdiff1d(np.arange(PAIRS), fold)
        accuracies.append(right[right[:, others].mean(axis=1).argmax()][fold].mean())

    (one,) = evaluate_packs([pack], [embedder], [False], 2)
    result = one.result

    assert (result.name, result.pairs, result.genuine, result.people) == ("heldout", PAIRS, 30, None)
    assert result.accuracy == pytest.approx(np.mean(accuracies), abs=1e-9)
    assert result.accuracy > 0.9
    assert result.accuracy_interval.low <= result.accuracy <= result.accuracy_interval.high


def test_plain_and_flipped_side_by_side_equal_the_embedder_s_own_flips(pack, heldout, embedder):
    pixels = np.stack([load_picture(picture) for picture in heldout.pictures])
    pairs = PairSet.from_pack("heldout", heldout.issame)
    done: list[tuple[int, int]] = []

    results = list(evaluate_packs([pack], [embedder], [False, True], 2, lambda *step: done.append(step)))

    assert [one.flip for one in results] == [False, True]
    for one in results:
        wanted = evaluate_pairs(score_pairs(embedder.embed(pixels, one.flip), pairs), pairs)
        assert one.result.accuracy == wanted.accuracy
        assert one.result.eer == pytest.approx(wanted.eer)
        assert (one.weights, one.resized, one.recropped) == (NAME, 0, False)
        assert one.fingerprint == embedder.fingerprint
    different = len(set(heldout.pictures))
    assert different < 2 * PAIRS
    assert done[-1] == (different, different)


def test_all_spellings_of_a_pack_give_the_same_embeddings(shared, embedder):
    bins = shared / "golden" / "bins"
    first = embed_pack(read_bin(bins / "py2_pickle_proto2.bin"), "p", embedder, False, 1)
    assert first.mirrored is None and first.plain.shape == (12, 128) and first.plain.dtype == np.float32
    for name in ("py3_proto2", "py3_proto5", "py3_numpy2_proto5", "py3_list_of_list_proto4"):
        other = embed_pack(read_bin(bins / f"{name}.bin"), name, embedder, False, 2)
        np.testing.assert_array_equal(other.plain, first.plain)


def test_pictures_are_fed_as_rgb(shared, embedder):
    bins = shared / "golden" / "bins"
    pack = read_bin(bins / "py3_proto5.bin")
    swapped = BinPack(tuple(load_picture(one)[..., ::-1] for one in pack.pictures), pack.issame)
    plain = embed_pack(pack, "p", embedder, False, 1).plain
    assert np.abs(plain - embed_pack(swapped, "p", embedder, False, 1).plain).max() > 0.05
    for image, picture in zip(
        json.loads((bins / "expected.json").read_text())["images"], pack.pictures, strict=True
    ):
        crop = crop_for(embedder.spec, load_picture(picture))
        assert np.abs(crop.reshape(-1, 3).mean(axis=0) - image["mean_rgb"]).max() < 1


def test_pictures_of_another_size_are_counted(tmp_path, embedder):
    pictures = [jpeg(96 if k % 5 == 0 else 112, k) for k in range(40)]
    write_bin(tmp_path / "mixed.bin", pictures, [True, False] * 10)
    (one,) = evaluate_packs([tmp_path / "mixed.bin"], [embedder], [False], 1)
    assert one.resized == 8


def test_weights_with_another_template_get_the_crop_of_their_own():
    """A white dot on each of the usual points must lie on the points of the other template."""
    spec = InputSpec(150, 150, "rgb", (0.0,) * 3, (1.0,) * 3, OTHER, 128)
    for source, target in zip(ARCFACE_TEMPLATE, OTHER, strict=True):
        picture = np.zeros((112, 112, 3), np.uint8)
        x, y = round(source[0]), round(source[1])
        picture[y - 1 : y + 2, x - 1 : x + 2] = 255
        crop = crop_for(spec, picture)
        assert crop.shape == (150, 150, 3)
        rows, columns = np.nonzero(crop[..., 0] > 60)
        # The templates are not similar figures; the least-squares transform misses by a pixel or two.
        assert abs(columns.mean() - target[0]) < 3 and abs(rows.mean() - target[1]) < 3


def test_the_usual_crop_is_handed_on_untouched(embedder):
    picture = np.random.default_rng(1).integers(0, 256, (112, 112, 3), np.uint8)
    assert crop_for(embedder.spec, picture) is picture


def test_broken_and_too_small_packs_are_refused(tmp_path, shared, embedder):
    broken = [jpeg(112, k) for k in range(40)]
    broken[13] = broken[13][:300]
    write_bin(tmp_path / "broken.bin", broken, [True, False] * 10)
    with pytest.raises(DataSetError, match=r"broken\.bin: picture 13"):
        list(evaluate_packs([tmp_path / "broken.bin"], [embedder], [True], 2))
    with pytest.raises(UsageError, match="10"):
        list(evaluate_packs([shared / "golden" / "bins" / "py3_proto5.bin"], [embedder], [False], 1))
    (tmp_path / "other.bin").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(DataSetError, match="no place in a pack"):
        list(evaluate_packs([tmp_path / "other.bin"], [embedder], [False], 1))


def test_published_figures_are_per_cent_of_known_sets_and_name_their_source():
    names = {entry.name for entry in CATALOGUE if entry.kind == "embedder"}
    for row in PUBLISHED:
        assert row.accuracy and set(row.accuracy) <= set(SETS)
        assert all(80 < value < 100 for value in row.accuracy.values())
        assert row.source and set(row.weights) <= names
    assert len({(row.network, row.head, row.source) for row in PUBLISHED}) == len(PUBLISHED)


def test_published_figures_agree_with_the_catalogue():
    for entry in CATALOGUE:
        row = published_for(entry.name)
        if row is not None:
            assert f"LFW {row.accuracy['lfw']:.2f} %" in entry.published, entry.name
    assert published_for(NAME) is None

"""Portraits to embeddings on real pictures, against detection, alignment and embedding one by one."""

from pathlib import Path

import numpy as np
import pytest

from multiface.errors import PictureError
from multiface.evaluate.measure import MIDDLE, embed_portraits
from multiface.faces.align import align
from multiface.faces.detector import Detector
from multiface.faces.embedder import Embedder
from multiface.faces.main_face import central_face
from multiface.faces.opening import open_detector, open_embedder
from multiface.images import load_picture, save_picture
from multiface.weights.session import Engine
from multiface.weights.store import Store


@pytest.fixture(scope="module")
def networks(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Detector, Embedder]:
    store = Store(tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("cache"))
    for name in ("scrfd_500m", "mobilefacenet_128_ms1m"):
        store.pull(name, shared / "data" / "weights")
    engine = Engine(threads=1)
    return open_detector(store, "scrfd_500m", engine), open_embedder(store, "mobilefacenet_128_ms1m", engine)


@pytest.fixture(scope="module")
def paths(shared: Path) -> list[Path]:
    """Seventy pictures, so that more than one batch is needed; some people have two."""
    return sorted((shared / "data" / "lfw").glob("*/*.jpg"))[:70]


def test_the_same_as_step_by_step(networks: tuple[Detector, Embedder], paths: list[Path]) -> None:
    detector, embedder = networks
    told: list[tuple[int, int]] = []
    portraits = embed_portraits(paths, detector, embedder, True, 2, lambda *numbers: told.append(numbers))
    assert portraits.embeddings.shape == (70, 128) and portraits.embeddings.dtype == np.float32
    assert portraits.without_face == portraits.second_looks == ()
    assert told == [(64, 70), (70, 70)]
    for k in (0, 1, 31, 63, 64, 69):
        image = load_picture(paths[k])
        faces = detector.detect(image)
        landmarks = faces.landmarks[central_face(faces, image.shape[1], image.shape[0])]
        (wanted,) = embedder.embed(align(image, landmarks, embedder.spec.template, (112, 112)))
        np.testing.assert_allclose(portraits.embeddings[k], wanted, atol=1e-4)


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_workers_do_not_show(networks: tuple[Detector, Embedder], paths: list[Path], workers: int) -> None:
    """Also when there are more workers than pictures."""
    wanted = embed_portraits(paths[:5], *networks, False, 1)
    found = embed_portraits(paths[:5], *networks, False, workers)
    np.testing.assert_allclose(found.embeddings, wanted.embeddings, atol=1e-4)


def test_people_are_told_apart(networks: tuple[Detector, Embedder], shared: Path) -> None:
    people = shared / "data" / "photos" / "people"
    paths = [people / "raj" / f"raj{k}.png" for k in (1, 2, 3)]
    paths += [people / "penny" / f"penny{k}.png" for k in (1, 2, 3)]
    embeddings = embed_portraits(paths, *networks, True, 2).embeddings
    same = np.kron(np.eye(2), np.ones((3, 3))) > 0
    similarities = embeddings @ embeddings.T
    assert similarities[same].min() > similarities[~same].max()


def test_a_picture_without_a_face_counts_by_its_middle(
    networks: tuple[Detector, Embedder], paths: list[Path], tmp_path: Path
) -> None:
    """The crop holds the middle of the picture, upright, `MIDDLE` of its shorter side wide: of a ramp with a
    disc in the middle, the same crop is drawn here anew."""
    _, embedder = networks
    ramp = np.zeros((300, 400, 3), np.uint8)
    ramp[..., 0] = np.linspace(0, 200, 400)
    ramp[..., 1] = np.linspace(0, 200, 300)[:, None]
    ramp[np.hypot(np.arange(400) - 199.5, np.arange(300)[:, None] - 149.5) < 30, 2] = 255
    save_picture(ramp, tmp_path / "ramp.png")
    portraits = embed_portraits([paths[0], tmp_path / "ramp.png", paths[1]], *networks, False, 2)
    assert portraits.without_face == (1,)
    step = MIDDLE * 300 / 112
    x = 399 / 2 + (np.arange(112) - 55.5) * step
    y = 299 / 2 + (np.arange(112) - 55.5) * step
    crop = np.zeros((1, 112, 112, 3), np.uint8)
    crop[..., 0] = x * 200 / 399
    crop[..., 1] = (y * 200 / 299)[:, None]
    crop[0, np.hypot(x - 199.5, (y - 149.5)[:, None]) < 30, 2] = 255
    (wanted,) = embedder.embed(crop, False)
    assert float(wanted @ portraits.embeddings[1]) > 0.99


def test_a_face_that_needs_a_second_look_is_listed(
    networks: tuple[Detector, Embedder], paths: list[Path], tmp_path: Path
) -> None:
    detector, _ = networks
    image = load_picture(paths[0])
    box = detector.detect(image).boxes[0].round().astype(int)
    close = image[box[1] : box[3], box[0] : box[2]]
    save_picture(np.repeat(np.repeat(close, 8, axis=0), 8, axis=1), tmp_path / "close.png")
    portraits = embed_portraits([paths[1], tmp_path / "close.png", paths[0]], *networks, True, 1)
    assert (portraits.second_looks, portraits.without_face) == ((1,), ())
    assert float(portraits.embeddings[1] @ portraits.embeddings[2]) > 0.8


def test_a_file_that_is_no_picture_stops_it(
    networks: tuple[Detector, Embedder], paths: list[Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(paths[0].read_bytes()[:400])
    with pytest.raises(PictureError, match=r"broken\.jpg"):
        embed_portraits([paths[0], broken], *networks, True, 2)


def test_no_pictures_give_no_embeddings(networks: tuple[Detector, Embedder]) -> None:
    portraits = embed_portraits([], *networks, True, 2)
    assert portraits.embeddings.shape == (0, 128)
    assert portraits.without_face == portraits.second_looks == ()


def test_files_that_are_no_pictures_are_listed_where_asked(
    networks: tuple[Detector, Embedder], paths: list[Path], tmp_path: Path
) -> None:
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(paths[0].read_bytes()[:500])
    mixed = [paths[0], cut, paths[1]]
    found = embed_portraits(mixed, *networks, True, 2, strict=False)
    ((number, reason),) = found.broken
    assert number == 1 and "cut.jpg" in reason
    assert not found.embeddings[1].any()
    whole = embed_portraits(paths[:2], *networks, True, 2)
    assert whole.broken == ()
    np.testing.assert_allclose(found.embeddings[[0, 2]], whole.embeddings, atol=1e-4)

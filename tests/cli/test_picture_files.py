"""`detect`, `align`, `embed`: what is written can be read by others."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from multiface.images import load_picture
from multiface.weights.spec import ARCFACE_TEMPLATE, InputSpec

BOXES = [[250, 80, 350, 250], [650, 80, 750, 250]]
"""About where the two faces of two_people.jpg were drawn."""


def test_detect(call: Callable[..., Any], groups: Path, tmp_path: Path) -> None:
    source, out = groups / "two_people.jpg", tmp_path / "boxes.jpg"
    done = call("detect", source, "--out", out, "--json")
    (picture,) = done.document()["pictures"]
    assert len(picture["faces"]) == 2
    for face in picture["faces"]:
        assert np.shape(face["landmarks"]) == (5, 2)
        assert 0.5 < face["score"] <= 1
        assert max(overlap(face["box"], box) for box in BOXES) > 0.5
        x0, y0, x1, y1 = face["box"]
        assert all(x0 < x < x1 and y0 < y < y1 for x, y in face["landmarks"])
        assert face["landmarks"][0][0] < face["landmarks"][1][0]
    scores = [face["score"] for face in picture["faces"]]
    assert scores == sorted(scores, reverse=True)
    assert load_picture(out).shape == (300, 1000, 3)


def overlap(a: list[float], b: list[float]) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def test_detect_finds_no_face_in_a_wall(call: Callable[..., Any], empty_wall: Path) -> None:
    done = call("detect", empty_wall, "--json")
    assert done.code == 0
    assert done.document()["pictures"][0]["faces"] == []


def test_detect_says_that_it_turned_the_picture(
    call: Callable[..., Any], portrait: Path, tmp_path: Path
) -> None:
    """MTCNN knows no faces that stand on their head."""
    PIL.Image.open(portrait).rotate(180).save(tmp_path / "turned.png")
    done = call("detect", "turned.png", "--detector", "mtcnn", "--json", "--no-quiet")
    (picture,) = done.document()["pictures"]
    assert picture["turn"] in (1, 2, 3)
    x0, y0, x1, y1 = picture["faces"][0]["box"]
    assert 512 - 280 < (x0 + x1) / 2 < 512 - 170 and 512 - 190 < (y0 + y1) / 2 < 512 - 50
    assert "after turning the picture" in done.err


def test_min_face(call: Callable[..., Any], portrait: Path) -> None:
    assert call("detect", portrait, "--min-face", "500", "--json").document()["pictures"][0]["faces"] == []


def test_align(call: Callable[..., Any], groups: Path, tmp_path: Path) -> None:
    done = call("align", groups / "two_people.jpg", groups / "cleo_with_dora.jpg", "--out", "crops", "--json")
    written = [file for picture in done.document()["pictures"] for file in picture["crops"]]
    assert [Path(file).name for file in written] == [
        "two_people_0.png",
        "two_people_1.png",
        "cleo_with_dora_0.png",
        "cleo_with_dora_1.png",
    ]
    for file in written:
        assert load_picture(tmp_path / file).shape == (112, 112, 3)


def test_align_for_given_weights(call: Callable[..., Any], portrait: Path, tmp_path: Path) -> None:
    larger = tuple((x * 150 / 112, y * 150 / 112) for x, y in ARCFACE_TEMPLATE)
    spec = InputSpec(150, 150, "rgb", (0.0,) * 3, (1.0,) * 3, larger, 128)
    (tmp_path / "larger.onnx").write_bytes(b"align reads the spec only")
    (tmp_path / "larger.onnx.json").write_text(spec.to_json())
    (picture,) = call("align", portrait, "--out", "crops", "--weights", "larger.onnx", "--json").document()[
        "pictures"
    ]
    assert load_picture(tmp_path / picture["crops"][0]).shape == (150, 150, 3)


def test_an_aligned_crop_is_the_person_still(
    call: Callable[..., Any], portrait: Path, tmp_path: Path
) -> None:
    (file,) = call("align", portrait, "--out", "crops", "--json").document()["pictures"][0]["crops"]
    assert call("verify", portrait, tmp_path / file).code == 0


@pytest.mark.parametrize("flip", ["--flip", "--no-flip"])
def test_embed_npz(flip: str, call: Callable[..., Any], groups: Path, portrait: Path, tmp_path: Path) -> None:
    sources = [groups / "two_people.jpg", portrait]
    done = call("embed", *sources, "--out", "v.npz", "--raw", flip, "--json")
    document = done.document()
    assert [one["faces"] for one in document["pictures"]] == [2, 1]
    with np.load(tmp_path / "v.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    vectors = arrays["embeddings"]
    assert vectors.shape == (3, 128) and vectors.dtype == np.float32
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-5
    assert arrays["boxes"].shape == (3, 4) and arrays["scores"].shape == (3,)
    assert arrays["paths"].tolist() == [str(sources[0])] * 2 + [str(sources[1])]
    assert (str(arrays["fingerprint"]), str(arrays["weights"])) == (
        document["fingerprint"],
        "sface",
    )
    raw = arrays["features"]
    assert raw.shape == (3, 128) and np.allclose(arrays["norms"], np.linalg.norm(raw, axis=1))
    likeness = (raw / np.linalg.norm(raw, axis=1, keepdims=True) * vectors).sum(axis=1)
    if flip == "--no-flip":
        assert likeness.min() > 1 - 1e-5
    else:
        assert likeness.min() > 0.8 and likeness.max() < 1 - 1e-5


def test_embed_jsonl(call: Callable[..., Any], groups: Path, tmp_path: Path) -> None:
    assert call("embed", groups / "two_people.jpg", "--out", "v.jsonl").code == 0
    lines = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["face"] for line in lines] == [0, 1]
    for line in lines:
        assert abs(np.linalg.norm(line["embedding"]) - 1) < 1e-5
        assert line.keys() >= {"path", "box", "score", "weights", "fingerprint"}
    document = call("embed", groups / "two_people.jpg", "--json").document()
    for face, line in zip(document["faces"], lines, strict=True):  # both to the last bit of float32
        assert (np.float32(face["embedding"]) == np.float32(line["embedding"])).all()


def test_embed_of_pictures_without_faces(call: Callable[..., Any], empty_wall: Path, tmp_path: Path) -> None:
    assert call("embed", empty_wall, "--out", "v.npz", "--raw").code == 0
    with np.load(tmp_path / "v.npz", allow_pickle=False) as file:
        assert file["embeddings"].shape == (0, 128)
        assert file["features"].shape == (0, 128)
        assert file["paths"].shape == (0,)


@pytest.mark.skipif(os.name == "nt", reason="permissions as POSIX has them")
@pytest.mark.parametrize("name", ["v.npz", "v.jsonl"])
def test_vectors_are_for_their_owner_alone(
    name: str, call: Callable[..., Any], portrait: Path, tmp_path: Path
) -> None:
    (tmp_path / name).touch(0o644)
    before = os.umask(0)
    try:
        assert call("embed", portrait, "--out", name).code == 0
    finally:
        os.umask(before)
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_a_face_that_fills_its_picture_is_said(
    call: Callable[..., Any], people: Path, portrait: Path, tmp_path: Path
) -> None:
    """SCRFD misses it at the first look and finds it with a border: every command says so."""
    network = ("--detector", "scrfd_2.5g")
    (face,) = call("detect", portrait, *network, "--json", "--no-quiet").document()["pictures"][0]["faces"]
    x0, y0, x1, y1 = face["box"]
    dx, dy = 0.2 * (x1 - x0), 0.2 * (y1 - y0)
    crop = PIL.Image.open(portrait).crop((round(x0 - dx), round(y0 - dy), round(x1 + dx), round(y1 + dy)))
    crop.resize((640, 640)).save(tmp_path / "near.png")
    said = "found only with a border around the picture"
    for command in (
        ("detect", "near.png"),
        ("align", "near.png", "--out", "crops"),
        ("embed", "near.png", "--out", "v.npz"),
        ("identify", "near.png", "--people", people),
    ):
        done = call(*command, *network, "--json", "--no-quiet")
        picture = done.document()["pictures"][0]
        assert (picture["bordered"], picture["turn"]) == (True, 0), done
        assert f"near.png: 1 {'crop' if command[0] == 'align' else 'face'} ({said})" in done.err
    done = call("verify", portrait, "near.png", *network, "--json", "--no-quiet")
    look = {"turn": 0, "damaged": None, "face": 1, "faces": 1, "too_poor": None}
    assert done.document()["pictures"] == [
        look | {"path": str(portrait), "bordered": False},
        look | {"path": "near.png", "bordered": True},
    ]
    assert done.err.count(said) == 1 and f"near.png: the face was {said}" in done.err


def test_an_older_file_is_replaced_whole(call: Callable[..., Any], portrait: Path, tmp_path: Path) -> None:
    (tmp_path / "v.npz").write_text("old")
    assert call("embed", portrait, "--out", "v.npz").code == 0
    assert np.load(tmp_path / "v.npz")["embeddings"].shape == (1, 128)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith((".v", "v"))) == ["v.npz"]

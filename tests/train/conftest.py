"""A tiny training set of smooth random faces, and a recipe for a tiny network on it."""

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from multiface.datasets.record_format import Record
from multiface.datasets.recordio import RecordWriter
from multiface.train.recipe import Recipe, recipe_from_toml

PEOPLE, PICTURES = 6, 5

TINY = """
[data]
workers = 0
[network]
width = 0.1
embedding = 16
[head]
kind = "arcface"
slices = 2
scale = 16
[head.margin]
margin = 0.2
[optimiser]
rate = 0.05
[schedule]
epochs = 4
shape = "cosine"
warmup_epochs = 0.5
[augment]
crop = 0.5
colour = 0.3
[run]
batch = 8
log_every = 2
checkpoint_every = 3
seed = 5
"""


def jpeg(pixels: npt.NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


def face(person: int, picture: int) -> npt.NDArray[np.uint8]:
    """A person's smooth pattern with a little noise of the picture's own."""
    base = np.random.default_rng(person).integers(0, 256, (6, 6, 3), np.uint8)
    noise = np.random.default_rng(1000 * person + picture).integers(-25, 26, (6, 6, 3))
    small = np.clip(base.astype(int) + noise, 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((112, 112), Image.Resampling.BICUBIC))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def tiny_recipe() -> Callable[..., Recipe]:
    """The tiny recipe with some settings changed: `tiny_recipe(run={"batch": 4})`."""

    def make(**changes: dict[str, Any]) -> Recipe:
        recipe = recipe_from_toml(TINY)
        for section, values in changes.items():
            changed = dataclasses.replace(getattr(recipe, section), **values)
            recipe = dataclasses.replace(recipe, **{section: changed})
        return recipe

    return make


@pytest.fixture(scope="session")
def faces() -> list[tuple[int, bytes]]:
    """(person, JPEG file), in the order of the people."""
    return [(person, jpeg(face(person, k))) for person in range(PEOPLE) for k in range(PICTURES)]


@pytest.fixture(scope="session")
def write_records() -> Callable[[Path, list[tuple[int, bytes]]], Path]:
    """Writes a folder with train.rec and train.idx of (label, picture file)."""

    def write(folder: Path, pictures: list[tuple[int, bytes]]) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        with RecordWriter(folder / "train.rec", folder / "train.idx") as writer:
            for key, (label, data) in enumerate(pictures):
                writer.write(key, Record(float(label), key, 0, data))
        return folder

    return write


@pytest.fixture(scope="session")
def records(
    tmp_path_factory: pytest.TempPathFactory,
    faces: list[tuple[int, bytes]],
    write_records: Callable[[Path, list[tuple[int, bytes]]], Path],
) -> Path:
    """A record folder of PEOPLE x PICTURES pictures."""
    return write_records(tmp_path_factory.mktemp("set") / "records", faces)

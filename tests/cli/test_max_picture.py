"""`--max-picture`: the bytes that decoding a picture may take; over the variable, over `multiface.toml`, over 2 GB."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from multiface.images import PictureLimits, limit_pictures

Call = Callable[..., Any]


@pytest.fixture(autouse=True)
def _usual_limits() -> Iterator[None]:
    yield
    limit_pictures(PictureLimits())


@pytest.fixture
def megapixel(tmp_path: Path) -> Path:
    """A JPEG of 1,000 x 1,000, whose decoding takes 8 MB."""
    path = tmp_path / "wall.jpg"
    PIL.Image.new("RGB", (1000, 1000), (90, 80, 70)).save(path)
    return path


def test_option_variable_file_and_default(call: Call, megapixel: Path, tmp_path: Path) -> None:
    assert call("detect", megapixel).code == 0
    done = call("detect", megapixel, "--max-picture", "7.9M")
    assert done.code == 3
    assert (
        "takes 8,000,000 bytes, more than the 7,900,000 allowed" in done.err and "--max-picture" in done.err
    )
    assert call("detect", megapixel).code == 0
    (tmp_path / "multiface.toml").write_text('max_picture = "7M"\n')
    assert "the 7,000,000 allowed" in call("detect", megapixel).err
    variable = {"MULTIFACE_MAX_PICTURE": "6000K"}
    assert "the 6,000,000 allowed" in call("detect", megapixel, env=variable).err
    assert call("detect", megapixel, "--max-picture", "8M", env=variable).code == 0


@pytest.mark.parametrize("size", ["much", "", "12X", "nan", "-1", "0"])
def test_sizes_that_cannot_be_meant(call: Call, megapixel: Path, size: str) -> None:
    assert call("detect", megapixel, "--max-picture", size).code == 2


def test_each_command_that_reads_pictures_has_it(
    call: Call, megapixel: Path, people: Path, tmp_path: Path
) -> None:
    gallery = ("--gallery", tmp_path / "g.sqlite")
    for command in (
        ("identify", megapixel, "--people", people),
        ("verify", megapixel, megapixel),
        ("align", megapixel, "--out", tmp_path / "crops"),
        ("embed", megapixel, "--json"),
        ("enroll", "wall", megapixel, *gallery),
        ("video", "-f", megapixel.parent, "--people", people),
    ):
        done = call(*command, "--max-picture", "5M")
        assert done.code == 3 and "the 5,000,000 allowed" in done.err, (command, done)


def test_packing_a_folder_has_it(call: Call, megapixel: Path, tmp_path: Path) -> None:
    for person in ("ada", "bob"):
        (tmp_path / "faces" / person).mkdir(parents=True)
        PIL.Image.new("RGB", (112, 112), (90, 80, 70)).save(tmp_path / "faces" / person / "1.jpg")
    megapixel.rename(tmp_path / "faces" / "ada" / "2.jpg")
    done = call("prepare", "rec", tmp_path / "faces", "--out", tmp_path / "out", "--max-picture", "5M")
    assert done.code == 3 and "the 5,000,000 allowed" in done.err
    assert (
        call("prepare", "bin", tmp_path / "none.bin", "--out", tmp_path / "b", "--max-picture", "x").code == 2
    )
    assert (
        call("train", "--data", tmp_path / "faces", "--out", tmp_path / "run", "--max-picture", "x").code == 2
    )

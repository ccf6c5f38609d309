"""What is saved comes back; a failure leaves the older file and nothing else."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from multiface.errors import PictureError, UsageError
from multiface.images import load_picture, save_picture

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_png_comes_back_equal(tmp_path: Path) -> None:
    for name in ("a.png", "B.PNG", "写 真.png", "x" * 251 + ".png"):
        save_picture(PIXELS, tmp_path / name)
        np.testing.assert_array_equal(load_picture(tmp_path / name), PIXELS)
    save_picture(PIXELS, str(tmp_path / "s.png"))
    assert (tmp_path / "s.png").stat().st_mode & 0o044, "others may read it as any new file"


@pytest.mark.parametrize("ending", ["jpg", "JPEG"])
def test_jpeg(tmp_path: Path, ending: str) -> None:
    y, x = np.mgrid[0:64, 0:64]
    smooth = np.stack([x * 4, y * 4, 252 - x * 2 - y * 2], axis=-1).astype(np.uint8)
    path = tmp_path / f"a.{ending}"
    save_picture(smooth, path)
    assert path.read_bytes()[:3] == b"\xff\xd8\xff"
    assert np.abs(load_picture(path).astype(int) - smooth).mean() < 3


def test_replaces_an_older_file_and_leaves_nothing_beside(tmp_path: Path) -> None:
    save_picture(PIXELS, tmp_path / "a.png")
    save_picture(PIXELS[::-1], tmp_path / "a.png")
    np.testing.assert_array_equal(load_picture(tmp_path / "a.png"), PIXELS[::-1])
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", ["a.gif", "a", "a.png.txt", ".png"])
def test_other_endings(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"written as \.png, \.jpg or \.jpeg"):
        save_picture(PIXELS, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_failures_keep_the_older_file(tmp_path: Path) -> None:
    save_picture(PIXELS, tmp_path / "a.jpg")
    before = (tmp_path / "a.jpg").read_bytes()
    with pytest.raises(UsageError, match=r"a\.jpg: cannot be written"):
        save_picture(np.zeros((1, 70000, 3), np.uint8), tmp_path / "a.jpg")  # JPEG ends at 65535
    assert (tmp_path / "a.jpg").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]
    with pytest.raises(PictureError):
        save_picture(PIXELS.astype(np.float32), tmp_path / "b.png")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"b\.png: cannot be written"):
        save_picture(PIXELS, tmp_path / "no folder" / "b.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UsageError, match=r"folder\.png: cannot be written"):
        save_picture(PIXELS, tmp_path / "folder.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "folder.png"]


def test_readable_by_others_programs(tmp_path: Path) -> None:
    save_picture(PIXELS, tmp_path / "a.png")
    with PIL.Image.open(tmp_path / "a.png") as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (30, 20))

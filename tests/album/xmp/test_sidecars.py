"""Which file beside a picture holds its XMP."""

from pathlib import Path

import pytest

from multiface.album.xmp.sidecars import sidecar_to_write, sidecars


@pytest.mark.parametrize(
    ("beside", "read", "written"),
    [
        ([], [], "photo.jpg.xmp"),
        (["photo.jpg.xmp"], ["photo.jpg.xmp"], "photo.jpg.xmp"),
        (["photo.xmp"], ["photo.xmp"], "photo.xmp"),
        (["photo.xmp", "photo.jpg.xmp"], ["photo.jpg.xmp", "photo.xmp"], "photo.jpg.xmp"),
        (["photo.xmp", "photo.CR2"], ["photo.xmp"], "photo.jpg.xmp"),
        (["photo.xmp", "photo.heic"], ["photo.xmp"], "photo.jpg.xmp"),
        (["other.xmp", "photo2.jpg.xmp"], [], "photo.jpg.xmp"),
    ],
)
def test_the_sidecars_of_a_picture(tmp_path: Path, beside: list[str], read: list[str], written: str) -> None:
    picture = tmp_path / "photo.jpg"
    for name in ["photo.jpg", *beside]:
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in sidecars(picture)] == read
    assert sidecar_to_write(picture).name == written


def test_a_name_that_leaves_no_room_has_no_sidecar(tmp_path: Path) -> None:
    assert sidecars(tmp_path / ("a" * 250 + ".jpg")) == []

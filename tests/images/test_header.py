"""What a picture's header says agrees with what decoding it gives."""

import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pillow_heif
import pytest
from PIL import PngImagePlugin

from multiface.album.xmp.regions import Area, Stored, box_of
from multiface.errors import PictureError, PictureTooLarge, UndecodablePicture
from multiface.images import PictureLimits, load_picture
from multiface.images.header import read_header
from tests.album.xmp.turned import HEIGHT, RED, WIDTH, turned

KINDS = ("jpg", "png", "tif", "webp", "avif", "heic")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", KINDS)
def test_stored_size_and_orientation_lead_to_the_upright_picture(
    tmp_path: Path, kind: str, orientation: int
) -> None:
    """The red rectangle of the stored picture, turned by what the header says, is where decoding shows red."""
    path = turned(tmp_path / f"a.{kind}", orientation)
    header = read_header(path)
    assert (header.width, header.height, header.orientation) == (WIDTH, HEIGHT, orientation)
    x0, y0, x1, y1 = RED
    area = Area((x0 + x1) / 2 / WIDTH, (y0 + y1) / 2 / HEIGHT, (x1 - x0) / WIDTH, (y1 - y0) / HEIGHT)
    box = box_of(area, Stored(header.width, header.height, header.orientation))
    pixels = load_picture(path)
    rows, columns = np.nonzero((pixels[..., 0] > 180) & (pixels[..., 1] < 90))
    assert box == pytest.approx((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), abs=1.01)


@pytest.mark.parametrize("kind", KINDS)
def test_xmp_inside_comes_out(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    picture = PIL.Image.new("RGB", (32, 32))
    if kind == "heic":
        heic = pillow_heif.from_pillow(picture)
        heic.info["xmp"] = packet
        heic.save(path)
    elif kind == "tif":
        picture.save(path, tiffinfo={700: packet})
    elif kind == "png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
        picture.save(path, pnginfo=info)
    else:
        picture.save(path, xmp=packet)
    assert read_header(path).xmp == packet
    assert read_header(turned(tmp_path / f"without.{kind}")).xmp is None


def test_xmp_behind_the_pixels_of_png(tmp_path: Path) -> None:
    """Where ExifTool puts it."""
    path = turned(tmp_path / "a.png")
    data = path.read_bytes()
    content = b"iTXtXML:com.adobe.xmp\0\0\0\0\0<late/>"
    chunk = (len(content) - 4).to_bytes(4, "big") + content + zlib.crc32(content).to_bytes(4, "big")
    end = data.index(b"IEND") - 4
    path.write_bytes(data[:end] + chunk + data[end:])
    assert read_header(path).xmp == b"<late/>"


def test_heic_without_a_turn_of_its_own_is_not_turned(tmp_path: Path) -> None:
    """As decoding it: EXIF alone turns no HEIC."""
    path = turned(tmp_path / "a.heic", 6)
    path.write_bytes(path.read_bytes().replace(b"irot", b"free"))
    header = read_header(path)
    assert header.orientation == 1
    assert load_picture(path).shape[:2] == (header.height, header.width)


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    text = tmp_path / "a.jpg"
    text.write_text("no picture")
    for path, kind in (
        (tmp_path / "none.jpg", PictureError),
        (tmp_path, PictureError),
        (text, UndecodablePicture),
    ):
        with pytest.raises(kind) as caught:
            read_header(path)
        assert caught.value.path == path
    text.write_bytes(turned(tmp_path / "b.png").read_bytes()[:40])
    with pytest.raises(UndecodablePicture):
        read_header(text)
    with pytest.raises(PictureTooLarge):
        read_header(tmp_path / "b.png", PictureLimits(max_decoded=1000))

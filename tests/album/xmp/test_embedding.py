"""XMP into a JPEG itself: one segment changes and nothing else."""

import io
import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from multiface.album.xmp.embedding import embed_xmp
from multiface.album.xmp.people import with_people
from multiface.album.xmp.reading import read_regions
from multiface.album.xmp.regions import Region, Stored
from multiface.errors import InputError, MultifaceError
from multiface.images import load_picture
from multiface.images.jpeg_segments import segments
from tests.album.xmp.exiftool import exiftool, needs_exiftool, xmp_of
from tests.album.xmp.turned import HEIGHT, WIDTH, turned, with_xmp

ANNA = Region("Anna", (16, 8, 48, 24))
PACKET = with_people(None, [ANNA], Stored(WIDTH, HEIGHT), "p").packet
OTHER = with_people(None, [Region("Bo", (1, 1, 20, 20))], Stored(WIDTH, HEIGHT), "p").packet
MARK = b"http://ns.adobe.com/xap/1.0/\0"


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def without_xmp(data: bytes) -> bytes:
    for one in segments(data):
        if one.content.startswith(MARK):
            return without_xmp(data[: one.start] + data[one.start + 4 + len(one.content) :])
    return data


@pytest.mark.parametrize("orientation", [1, 6])
def test_only_the_segment_is_new(tmp_path: Path, orientation: int) -> None:
    photo = turned(tmp_path / "photo.jpg", orientation)
    before, pixels = photo.read_bytes(), load_picture(photo)
    assert embed_xmp(photo, PACKET)
    after = photo.read_bytes()
    assert len(after) == len(before) + len(PACKET) + 4 + len(MARK)
    assert without_xmp(after) == before
    assert np.array_equal(load_picture(photo), pixels)
    markers = [(one.marker, one.content[:4]) for one in segments(after)]
    assert markers[0] == (0xE0, b"JFIF") and markers[1] == (0xE1, b"Exif") and markers[2][1] == b"http"
    os.utime(photo, (1, 1))
    assert not embed_xmp(photo, PACKET)
    assert photo.stat().st_mtime == 1
    assert embed_xmp(photo, OTHER)
    assert photo.stat().st_mtime > 1
    assert without_xmp(photo.read_bytes()) == before
    assert [one.name for one in read_regions(photo).own] == ["Bo"]


def test_a_packet_is_replaced_where_it_stands_and_doubles_go(tmp_path: Path) -> None:
    photo = with_xmp(tmp_path / "photo.jpg", PACKET)
    data = photo.read_bytes()
    before = without_xmp(data)
    at = data.index(MARK) - 4
    photo.write_bytes(data[:at] + segment(0xEC, b"between") + data[at:] + b"a film behind it")
    photo.write_bytes(
        data[:at] + segment(0xEC, b"between") + segment(0xE1, MARK + b"<a/>") + data[at:] + b"film"
    )
    assert embed_xmp(photo, OTHER)
    after = photo.read_bytes()
    assert without_xmp(after) == before[:at] + segment(0xEC, b"between") + before[at:] + b"film"
    assert after.count(MARK) == 1
    assert after.index(b"between") < after.index(MARK)


def test_extended_xmp_is_left_alone(tmp_path: Path) -> None:
    photo = turned(tmp_path / "photo.jpg")
    data = photo.read_bytes()
    extension = segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(50))
    photo.write_bytes(data[:20] + extension + data[20:])
    before = photo.read_bytes()
    embed_xmp(photo, PACKET)
    assert without_xmp(photo.read_bytes()) == before


def test_pictures_behind_the_first_do_not_move(tmp_path: Path) -> None:
    """Their places are counted from the segment that lists them, so XMP goes before it or not at all."""
    content = io.BytesIO()
    pictures = [PIL.Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    pictures[0].save(content, "MPO", save_all=True, append_images=pictures[1:])
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(content.getvalue())
    assert embed_xmp(photo, PACKET)
    with PIL.Image.open(photo) as several:
        several.seek(1)
        assert several.convert("RGB").getpixel((5, 5))[2] > 200
    data = content.getvalue()
    index = next(one for one in segments(data) if one.content.startswith(b"MPF\0"))
    end = index.start + 4 + len(index.content)
    late = data[:end] + segment(0xE1, MARK + b"<a/>") + data[end:]
    photo.write_bytes(late)
    with pytest.raises(InputError, match="further pictures"):
        embed_xmp(photo, PACKET)
    assert photo.read_bytes() == late


def test_what_is_refused(tmp_path: Path) -> None:
    photo = turned(tmp_path / "photo.jpg")
    before = photo.read_bytes()
    large = PACKET.replace(b"</rdf:RDF>", b"<!--" + b"x" * 65_000 + b"--></rdf:RDF>")
    for packet, words in (
        (b"<a", "the packet"),
        (b"<a/>", "rdf:RDF"),
        (large, "sidecar"),
        (b"", "the packet"),
    ):
        with pytest.raises(InputError, match=words):
            embed_xmp(photo, packet)
    assert photo.read_bytes() == before
    for kind in ("png", "tif", "webp", "heic"):
        other = turned(tmp_path / f"photo.{kind}")
        content = other.read_bytes()
        with pytest.raises(InputError, match="write a sidecar instead"):
            embed_xmp(other, PACKET)
        assert other.read_bytes() == content
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(before[:60])
    with pytest.raises(InputError, match="broken JPEG"):
        embed_xmp(cut, PACKET)
    with pytest.raises(MultifaceError):
        embed_xmp(tmp_path / "none.jpg", PACKET)


@pytest.mark.skipif(os.name == "nt", reason="links and modes as POSIX has them")
def test_a_symbolic_link_is_not_followed_and_permissions_stay(tmp_path: Path) -> None:
    photo = turned(tmp_path / "photo.jpg")
    photo.chmod(0o600)
    link = tmp_path / "link.jpg"
    link.symlink_to(photo)
    with pytest.raises(InputError, match="symbolic link"):
        embed_xmp(link, PACKET)
    embed_xmp(photo, PACKET)
    assert photo.stat().st_mode & 0o777 == 0o600


@needs_exiftool
def test_as_exiftool_reads_it(tmp_path: Path) -> None:
    photo = turned(tmp_path / "photo.jpg", 6)
    packet = with_people(None, [Region("Anna", (40, 16, 56, 48))], Stored(WIDTH, HEIGHT, 6), "p").packet
    embed_xmp(photo, packet)
    (region,) = xmp_of(photo)["XMP-mwg-rs:RegionInfo"]["RegionList"]
    assert (region["Name"], region["Area"]["X"], region["Area"]["Y"]) == ("Anna", 0.333333, 0.25)
    warnings = exiftool("-validate", "-warning", "-a", "-s3", photo).splitlines()[1:]
    # The picture's own EXIF lacks some tags, and Microsoft's address has two forms.
    assert [one for one in warnings if "IFD0" not in one and "xmlns:MicrosoftPhoto" not in one] == []

"""Folders made for each rule, and an order that does not depend on the file system."""

import os
from pathlib import Path

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiface.errors import PictureError
from multiface.images import expand, list_pictures
from multiface.images.endings import ENDINGS, PICTURE_ENDINGS, named_like_picture
from multiface.images.listing import _natural
from multiface.images.signature import SIGNATURE_BYTES, PictureKind, picture_kind


def put(path: Path, kind: str | None = "PNG") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind is None:
        path.write_bytes(b"not a picture")
    else:
        with path.open("wb") as file:
            PIL.Image.new("RGB", (2, 2)).save(file, kind)
    return path


def test_what_is_named_like_a_picture_is_listed_so_that_it_is_reported(tmp_path: Path) -> None:
    named = [tmp_path / f"a{ending}" for ending in PICTURE_ENDINGS]
    for path in named:
        path.write_bytes(b"not a picture")
    put(tmp_path / "b.txt", None)
    os.mkfifo(tmp_path / "c.jpg")
    listing = list_pictures(tmp_path)
    assert sorted(listing.pictures) == sorted(named)
    assert listing.ignored == (tmp_path / "b.txt", tmp_path / "c.jpg")


def test_every_kind_has_endings_of_its_own() -> None:
    assert set(ENDINGS) == set(PictureKind)
    assert len(set(PICTURE_ENDINGS)) == len(PICTURE_ENDINGS)
    assert {".jpe", ".jfif", ".hif", ".jp2"} <= set(PICTURE_ENDINGS)
    assert (
        named_like_picture("x/IMG.JPEG") and not named_like_picture("jpeg") and not named_like_picture("a.db")
    )


def test_a_path_that_is_given_twice_is_told(tmp_path: Path) -> None:
    picture = put(tmp_path / "people" / "a.png")
    folder = tmp_path / "people"
    listing = expand([folder, picture, tmp_path / "people" / ".." / "people"])
    assert listing.pictures == (picture,)
    assert listing.again == (tmp_path / "people" / ".." / "people",)


def test_recursive_by_content_and_in_natural_order(tmp_path: Path) -> None:
    wanted = [
        put(tmp_path / "Anna" / "2.jpg", "JPEG"),
        put(tmp_path / "Anna" / "10.jpg", "JPEG"),
        put(tmp_path / "bert" / "a b.txt", "GIF"),
        put(tmp_path / "img9"),
        put(tmp_path / "IMG10.png", "WEBP"),
        put(tmp_path / "写真.bmp", "BMP"),
    ]
    text = put(tmp_path / "Anna" / "notes.text", None)
    (tmp_path / "empty").touch()
    listing = list_pictures(tmp_path)
    assert list(listing.pictures) == wanted
    assert list(listing.ignored) == [text, tmp_path / "empty"]
    assert list_pictures(str(tmp_path)) == listing


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    put(tmp_path / ".hidden.png")
    put(tmp_path / ".cache" / "a.png")
    put(tmp_path / "__MACOSX" / "._a.png")
    shown = put(tmp_path / "a.png")
    listing = list_pictures(tmp_path)
    assert listing.pictures == (shown,)
    assert listing.ignored == ()
    assert len(list_pictures(tmp_path / ".cache").pictures) == 1, "a hidden folder that is named is read"


def test_link_loops_end_and_real_folders_keep_their_names(tmp_path: Path) -> None:
    real = put(tmp_path / "people" / "zoe" / "1.png")
    (tmp_path / "people" / "alias").symlink_to(tmp_path / "people" / "zoe")
    (tmp_path / "people" / "zoe" / "up").symlink_to(tmp_path)
    (tmp_path / "people" / "self").symlink_to(tmp_path / "people" / "self")
    (tmp_path / "people" / "gone.png").symlink_to(tmp_path / "nowhere")
    elsewhere = put(tmp_path / "archive" / "2.png")
    (tmp_path / "people" / "bo").symlink_to(tmp_path / "archive")
    (tmp_path / "people" / "link.png").symlink_to(elsewhere)
    people = tmp_path / "people"
    listing = list_pictures(people)
    assert listing.pictures[0] == people / "bo" / "2.png"
    assert people / "link.png" in listing.pictures
    assert real in listing.pictures
    assert not any("alias" in path.parts for path in listing.pictures)
    assert set(listing.ignored) == {people / "gone.png", people / "self"}


def test_many_links_to_one_another_stay_few(tmp_path: Path) -> None:
    for index in range(12):
        put(tmp_path / f"d{index}" / "a.png")
        for name in "xy":
            (tmp_path / f"d{index}" / name).symlink_to(tmp_path / f"d{(index + 1) % 12}")
    assert len(list_pictures(tmp_path).pictures) == 12
    assert len(list_pictures(tmp_path / "d0").pictures) == 12


@pytest.mark.skipif(os.name == "nt", reason="names are bytes on POSIX only")
def test_undecodable_names_and_pipes(tmp_path: Path) -> None:
    odd = put(tmp_path / "odd\udcff.png")
    os.mkfifo(tmp_path / "pipe.png")
    listing = list_pictures(tmp_path)
    assert listing.pictures == (odd,)
    assert listing.ignored == (tmp_path / "pipe.png",)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="nowhere: there is no such folder"):
        list_pictures(tmp_path / "nowhere")
    with pytest.raises(PictureError, match=r"a\.png: is not a folder"):
        list_pictures(put(tmp_path / "a.png"))


def test_expand_mixes_files_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = put(tmp_path / "f" / "1.png"), put(tmp_path / "f" / "2.png")
    text = put(tmp_path / "f" / "text", None)
    alone = put(tmp_path / "alone.png")
    listing = expand([alone, second, tmp_path / "f", str(alone)])
    assert listing.pictures == (alone, second, first)
    assert listing.ignored == (text,)
    assert expand([tmp_path / "f", text]).pictures == (first, second, text), (
        "a named file is never passed over"
    )
    assert expand([tmp_path / "f", text]).ignored == ()
    monkeypatch.chdir(tmp_path)
    assert expand(["f/../f/1.png", first]).pictures == (Path("f/../f/1.png"),)
    assert expand([]).pictures == ()
    with pytest.raises(PictureError, match="nowhere: there is no such file or folder"):
        expand([alone, tmp_path / "nowhere"])


@given(st.lists(st.text(alphabet="aB1٣0²-é", min_size=1, max_size=6), unique=True))
def test_order_is_total_and_stable(names: list[str]) -> None:
    paths = [Path(name) for name in names]
    backwards = paths[::-1]
    assert sorted(paths, key=_natural) == sorted(backwards, key=_natural)


def test_order_reads_numbers() -> None:
    names = ["a1", "a2", "a10", "A11", "b"]
    assert sorted(map(Path, reversed(names)), key=_natural) == [Path(name) for name in names]


@pytest.mark.parametrize(
    ("kind", "pillow_name"),
    [
        (PictureKind.JPEG, "JPEG"),
        (PictureKind.PNG, "PNG"),
        (PictureKind.GIF, "GIF"),
        (PictureKind.BMP, "BMP"),
        (PictureKind.TIFF, "TIFF"),
        (PictureKind.WEBP, "WEBP"),
        (PictureKind.AVIF, "AVIF"),
        (PictureKind.JPEG2000, "JPEG2000"),
        (PictureKind.PNM, "PPM"),
    ],
)
def test_signatures_of_real_files(kind: PictureKind, pillow_name: str, tmp_path: Path) -> None:
    data = put(tmp_path / "a", pillow_name).read_bytes()
    assert picture_kind(data[:SIGNATURE_BYTES]) is kind


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + major + b"\0\0\0\0" + b"".join(compatible)
    return (len(body) + 4).to_bytes(4, "big") + body + b"\0" * 20


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (ftyp(b"heic", b"mif1", b"heic"), PictureKind.HEIC),
        (ftyp(b"mif1", b"mif1", b"heic"), PictureKind.HEIC),
        (ftyp(b"mif1", b"avif", b"miaf"), PictureKind.AVIF),
        (ftyp(b"avif", b"mif1", b"heic"), PictureKind.AVIF),
        (ftyp(b"heix", b"avif"), PictureKind.HEIC),
        (ftyp(b"isom", b"mp42"), None),
        (ftyp(b"qt  "), None),
        (b"", None),
        (b"BM", None),
        (b"BMW is a car, and this a long enough text", None),
        (b"P5", None),
        (b"P5 is a kind", None),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"\x89PNG", None),
    ],
)
def test_signatures_that_need_a_second_look(head: bytes, kind: PictureKind | None) -> None:
    assert picture_kind(head) is kind


@given(st.binary(max_size=300))
def test_any_bytes_have_a_kind_or_none(head: bytes) -> None:
    assert picture_kind(head) in {*PictureKind, None}

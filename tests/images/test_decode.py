"""Every kind of picture against the pixels it was made from, and every refusal with its message."""

import io
import os
import struct
import subprocess
import sys
import textwrap
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageOps
import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import ImageCms, ImageDraw, PngImagePlugin

from multiface.errors import (
    ExtraMissing,
    InputError,
    PictureError,
    PictureTooLarge,
    UndecodablePicture,
    UsageError,
)
from multiface.images import PictureLimits, from_bgr, load_picture

Pixels = npt.NDArray[np.uint8]


def noise(h: int = 24, w: int = 40, channels: int = 3, seed: int = 0) -> Pixels:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (h, w, channels) if channels > 1 else (h, w), dtype=np.uint8)


def smooth(h: int = 48, w: int = 64) -> Pixels:
    """Gradients: what lossy formats keep nearly as it is."""
    y, x = np.mgrid[0:h, 0:w]
    return np.stack([x * 255 / w, y * 255 / h, 255 - (x + y) * 255 / (w + h)], axis=-1).astype(np.uint8)


def encoded(picture: PIL.Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + extra + body


# ---- kinds without loss


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_kinds_keep_every_pixel(kind: str) -> None:
    pixels = noise()
    loaded = load_picture(encoded(PIL.Image.fromarray(pixels), kind))
    np.testing.assert_array_equal(loaded, pixels)
    assert loaded.dtype == np.uint8
    assert loaded.flags.c_contiguous and loaded.flags.writeable


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_tiff(compression: str) -> None:
    pixels = noise()
    loaded = load_picture(encoded(PIL.Image.fromarray(pixels), "TIFF", compression=compression))
    np.testing.assert_array_equal(loaded, pixels)


def test_lossless_webp_and_jpeg_2000() -> None:
    pixels = noise()
    picture = PIL.Image.fromarray(pixels)
    np.testing.assert_array_equal(load_picture(encoded(picture, "WEBP", lossless=True)), pixels)
    np.testing.assert_array_equal(load_picture(encoded(picture, "JPEG2000")), pixels)


@pytest.mark.parametrize(("kind", "tolerance"), [("JPEG", 6), ("WEBP", 8), ("AVIF", 8)])
def test_lossy_kinds_keep_the_colours(kind: str, tolerance: int) -> None:
    pixels = smooth()
    loaded = load_picture(encoded(PIL.Image.fromarray(pixels), kind, quality=95))
    assert loaded.shape == pixels.shape
    assert np.abs(loaded.astype(int) - pixels).mean() < tolerance


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    pixels = noise()
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(PIL.Image.fromarray(pixels), "PNG"))
    np.testing.assert_array_equal(load_picture(path), pixels)
    np.testing.assert_array_equal(load_picture(str(path)), pixels)


def test_names_with_spaces_scripts_and_undecodable_bytes(tmp_path: Path) -> None:
    pixels = noise()
    for name in ("a b.png", "写真 फोटो.png", "bad\udcff.png"):
        path = tmp_path / name
        path.write_bytes(encoded(PIL.Image.fromarray(pixels), "PNG"))
        np.testing.assert_array_equal(load_picture(path), pixels)


# ---- modes


def test_grey_becomes_three_equal_channels() -> None:
    grey = noise(channels=1)
    loaded = load_picture(encoded(PIL.Image.fromarray(grey), "PNG"))
    np.testing.assert_array_equal(loaded, np.stack([grey] * 3, axis=-1))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM"])
def test_one_bit(kind: str) -> None:
    bits = noise(channels=1) > 127
    loaded = load_picture(encoded(PIL.Image.fromarray(bits), kind))
    np.testing.assert_array_equal(loaded, np.stack([bits * 255] * 3, axis=-1))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_not_clipped(kind: str) -> None:
    grey = np.array([[0, 1, 128, 129, 257, 32768, 65406, 65407, 65534, 65535]], np.uint16)
    loaded = load_picture(encoded(PIL.Image.fromarray(grey), kind))
    np.testing.assert_array_equal(loaded[:, :, 0], np.rint(grey / 257))
    assert loaded[0, -1].tolist() == [255, 255, 255]


def test_sixteen_bit_grey_of_either_byte_order() -> None:
    grey = np.arange(0, 65536, 1311, dtype=np.uint16)[np.newaxis]
    for mode, dtype in (("I;16", "<u2"), ("I;16B", ">u2")):
        picture = PIL.Image.frombytes(mode, (grey.shape[1], 1), grey.astype(dtype).tobytes())
        loaded = load_picture(encoded(picture, "TIFF"))
        np.testing.assert_array_equal(loaded[:, :, 1], np.rint(grey / 257))


def test_sixteen_bit_rgb_and_grey_alpha_png() -> None:
    values = np.array([0, 257, 32896, 65535], ">u2")
    rgb = b"\0" + b"".join(struct.pack(">HHH", v, 0, 65535 - v) for v in values.tolist())
    loaded = load_picture(png(4, 1, 16, 2, rgb))
    np.testing.assert_array_equal(loaded[0], [[0, 0, 255], [1, 0, 254], [128, 0, 127], [255, 0, 0]])
    grey_alpha = b"\0" + struct.pack(">HHHH", 0, 65535, 65535, 65535)
    np.testing.assert_array_equal(load_picture(png(2, 1, 16, 4, grey_alpha))[0, :, 0], [0, 255])


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_in_the_lower_bits_of_sixteen_is_as_bright_as_it_was(bits: int, kind: str) -> None:
    white = (1 << bits) - 1
    grey = np.linspace(0, white, 64).round().astype(np.uint16)[np.newaxis]
    loaded = load_picture(encoded(PIL.Image.fromarray(grey), kind))
    assert np.abs(loaded[0, :, 0] - grey[0] / white * 255).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("channels", [2, 3, 4])
def test_colour_in_the_lower_bits_of_sixteen_keeps_both_its_bytes(bits: int, channels: int) -> None:
    """PNG with 16 bits a sample; alpha has all 16 of them."""
    white = (1 << bits) - 1
    samples = np.random.default_rng(0).integers(0, white + 1, (6, 9, channels)).astype(">u2")
    samples[0, 0] = white
    colours = channels - 1 + channels % 2
    samples[:, :, colours:] = 65535
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    loaded = load_picture(png(9, 6, 16, {2: 4, 3: 2, 4: 6}[channels], rows))
    wanted = np.broadcast_to(samples[:, :, :colours] / white * 255, (6, 9, 3))
    assert np.abs(loaded - wanted).max() <= (1 if bits == 16 else 0.5 + 1e-9)  # of 16 the upper byte is kept


def tiff_of_sixteen_bit_colour(samples: npt.NDArray[np.uint16], order: str, deflated: bool) -> bytes:
    """TIFF 6.0, one strip. order: "<" or ">"."""
    pixels = samples.astype(order + "u2").tobytes()
    pixels = zlib.compress(pixels) if deflated else pixels
    bits = struct.pack(order + "3H", 16, 16, 16)
    height, width = samples.shape[:2]
    entries = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, 3, 8),  # where `bits` lies
        (259, 3, 1, 8 if deflated else 1),
        (262, 3, 1, 2),
        (273, 4, 1, 14),
        (277, 3, 1, 3),
        (278, 3, 1, height),
        (279, 4, 1, len(pixels)),
    ]
    directory = struct.pack(order + "H", len(entries))
    for tag, kind, count, value in entries:
        directory += struct.pack(order + "HHI", tag, kind, count)
        directory += struct.pack(
            order + ("HH" if (kind, count) == (3, 1) else "I0I"), *_padded(kind, count, value)
        )
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 14 + len(pixels))
    return head + bits + pixels + directory + bytes(4)


def _padded(kind: int, count: int, value: int) -> tuple[int, ...]:
    return (value, 0) if (kind, count) == (3, 1) else (value,)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflated", [False, True])
def test_twelve_bit_colour_in_tiff(order: str, deflated: bool) -> None:
    samples = np.random.default_rng(0).integers(0, 4096, (6, 9, 3)).astype(np.uint16)
    samples[0, 0] = 4095
    loaded = load_picture(tiff_of_sixteen_bit_colour(samples, order, deflated))
    assert np.abs(loaded - samples / 4095 * 255).max() <= 0.5 + 1e-9


def test_a_turned_twelve_bit_picture_is_upright() -> None:
    grey = np.arange(6, dtype=np.uint16).reshape(2, 3) * 800
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    loaded = load_picture(encoded(PIL.Image.fromarray(grey), "TIFF", exif=exif))
    np.testing.assert_array_equal(loaded[:, :, 0], np.rot90(np.rint(grey / 4095 * 255), -1))


def test_sixteen_bit_pnm_keeps_its_scale_even_when_dark() -> None:
    dark = np.array([[0, 100, 200, 250]], ">u2")
    loaded = load_picture(b"P5\n4 1\n65535\n" + dark.tobytes())
    np.testing.assert_array_equal(loaded[0, :, 0], [0, 0, 1, 1])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0.0, 0.25, 1.0]], np.float32), [0, 64, 255]),
        (np.array([[0.0, 100.4, 255.0]], np.float32), [0, 100, 255]),
        (np.array([[0.0, 257.0, 65535.0]], np.float32), [0, 1, 255]),
        (np.array([[-1.0, 0.0, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[np.nan, 0.0, 1.0]], np.float32), [0, 0, 255]),
        (np.array([[np.nan, np.inf, -np.inf]], np.float32), [0, 0, 0]),
        (np.array([[-7.0, -7.0]], np.float32), [0, 0]),
        (np.array([[0, 1, 255]], np.int32), [0, 1, 255]),
        (np.array([[0, 257, 65535]], np.int32), [0, 1, 255]),
        (np.array([[-100, 0, 100]], np.int32), [0, 128, 255]),
        (np.array([[-(2**31), 2**31 - 1]], np.int32), [0, 255]),
    ],
)
def test_thirty_two_bit_numbers(values: npt.NDArray[np.float32], expected: list[int]) -> None:
    loaded = load_picture(encoded(PIL.Image.fromarray(values), "TIFF"))
    np.testing.assert_array_equal(loaded[0], np.repeat(np.array(expected)[:, None], 3, axis=1))


def test_palette_with_and_without_transparency() -> None:
    picture = PIL.Image.new("P", (3, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.putdata([0, 1, 2])
    np.testing.assert_array_equal(
        load_picture(encoded(picture, "PNG"))[0], [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    )
    for kind in ("PNG", "GIF"):
        loaded = load_picture(encoded(picture, kind, transparency=1))
        np.testing.assert_array_equal(loaded[0], [[255, 0, 0], [255, 255, 255], [0, 0, 255]])
    loaded = load_picture(encoded(picture, "PNG", transparency=b"\xff\x80\x00"))
    np.testing.assert_array_equal(loaded[0], [[255, 0, 0], [127, 255, 127], [255, 255, 255]])


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_alpha_lies_over_white(kind: str) -> None:
    rgba = noise(channels=4)
    rgba[:, :10, 3] = 0
    rgba[:, 10:20, 3] = 255
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    loaded = load_picture(encoded(PIL.Image.fromarray(rgba), kind, **options))
    alpha = rgba[:, :, 3:] / 255
    expected = rgba[:, :, :3] * alpha + 255 * (1 - alpha)
    assert np.abs(loaded - expected).max() <= 1
    np.testing.assert_array_equal(loaded[:, 10:20], rgba[:, 10:20, :3])


def test_grey_with_alpha_and_grey_with_one_transparent_value() -> None:
    grey_alpha = np.array([[[0, 0], [10, 255], [0, 128]]], np.uint8)
    loaded = load_picture(encoded(PIL.Image.frombytes("LA", (3, 1), grey_alpha.tobytes()), "PNG"))
    np.testing.assert_array_equal(loaded[0, :, 0], [255, 10, 127])
    grey = PIL.Image.fromarray(np.array([[0, 10, 200]], np.uint8))
    loaded = load_picture(encoded(grey, "PNG", transparency=10))
    np.testing.assert_array_equal(loaded[0, :, 0], [0, 255, 200])


def test_cmyk_jpeg_as_adobe_programs_invert_it() -> None:
    """Pillow writes CMYK JPEG the Adobe way: inverted, with the Adobe marker."""
    cmyk = np.zeros((16, 64, 4), np.uint8)
    cmyk[:, 16:32, 1:3] = 255  # magenta and yellow: red
    cmyk[:, 32:48, 0] = 255  # cyan
    cmyk[:, 48:, 3] = 255  # black
    data = encoded(PIL.Image.frombytes("CMYK", (64, 16), cmyk.tobytes()), "JPEG", quality=100)
    assert b"Adobe" in data
    loaded = load_picture(data)
    for column, colour in ((8, (255, 255, 255)), (24, (255, 0, 0)), (40, (0, 255, 255)), (56, (0, 0, 0))):
        assert np.abs(loaded[8, column].astype(int) - colour).max() < 6, column


def test_cmyk_tiff_and_lab_tiff() -> None:
    cmyk = PIL.Image.new("CMYK", (2, 1), (0, 255, 255, 0))
    np.testing.assert_array_equal(load_picture(encoded(cmyk, "TIFF"))[0, 0], [255, 0, 0])
    lab = PIL.Image.merge(
        "LAB", [PIL.Image.new("L", (2, 1), value) for value in (255, 128, 128)]
    )  # L = 100, a = b = 0: white
    assert load_picture(encoded(lab, "TIFF")).min() >= 253


# ---- several frames


def test_first_frame_of_animations_and_first_page_of_tiff() -> None:
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    frames = [PIL.Image.new("RGB", (20, 10), colour) for colour in colours]
    for kind, options in (
        ("GIF", {}),
        ("PNG", {}),
        ("TIFF", {}),
        ("WEBP", {"lossless": True}),
        ("AVIF", {"quality": 100}),
    ):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        loaded = load_picture(data)
        assert loaded.shape == (10, 20, 3)
        assert np.abs(loaded.astype(int) - colours[0]).max() <= 4, kind


# ---- orientation

ORIENTED = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.fliplr(np.rot90(a, -1)),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.fliplr(np.rot90(a, 1)),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_all_eight_orientations(kind: str, orientation: int) -> None:
    pixels = noise(7, 11)
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(PIL.Image.fromarray(pixels), kind, exif=exif, **options)
    np.testing.assert_array_equal(load_picture(data), ORIENTED[orientation](pixels))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_of_jpeg(orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    picture = PIL.Image.fromarray(smooth())
    plain = load_picture(encoded(picture, "JPEG"))
    turned = load_picture(encoded(picture, "JPEG", exif=exif))
    np.testing.assert_array_equal(turned, ORIENTED[orientation](plain))


@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_orientation_of_avif_and_heic_counts_once(kind: str, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    picture = PIL.Image.fromarray(smooth())
    if kind == "HEIF":
        file = io.BytesIO()
        pillow_heif.from_pillow(picture).save(file, exif=exif.tobytes(), quality=95)
        data = file.getvalue()
    else:
        data = encoded(picture, "AVIF", exif=exif, quality=95)
    expected = ORIENTED[orientation](smooth())
    loaded = load_picture(data)
    assert loaded.shape == expected.shape
    assert np.abs(loaded.astype(int) - expected).mean() < 8


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow says so, as it should
@pytest.mark.parametrize(
    "exif", [b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0nonsense", b"Exif\0\0MM\0*\0\0\0\x08"]
)
def test_broken_exif_is_no_reason_to_refuse(exif: bytes) -> None:
    picture = PIL.Image.fromarray(smooth())
    plain = load_picture(encoded(picture, "JPEG"))
    np.testing.assert_array_equal(load_picture(encoded(picture, "JPEG", exif=exif)), plain)


@pytest.mark.parametrize("value", [0, 9, 200])
def test_orientation_out_of_range_counts_as_upright(value: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = value
    pixels = noise()
    np.testing.assert_array_equal(
        load_picture(encoded(PIL.Image.fromarray(pixels), "PNG", exif=exif)), pixels
    )


# ---- colour profiles


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """sRGB with the colorants of red and blue exchanged: the same picture with red and blue exchanged."""
    profile = bytearray(srgb_profile())
    entries = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * profile[131], 12)}
    red, blue = entries[b"rXYZ"], entries[b"bXYZ"]
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


def test_srgb_profile_leaves_the_pixels_exactly() -> None:
    pixels = noise()
    data = encoded(PIL.Image.fromarray(pixels), "PNG", icc_profile=srgb_profile())
    np.testing.assert_array_equal(load_picture(data), pixels)


def test_another_profile_is_followed_to_srgb() -> None:
    pixels = noise()
    data = encoded(PIL.Image.fromarray(pixels), "PNG", icc_profile=swapped_profile())
    assert np.abs(load_picture(data).astype(int) - pixels[:, :, ::-1]).max() <= 2


def test_profile_and_alpha_together() -> None:
    rgba = noise(channels=4)
    rgba[:, :, 3] = 255
    rgba[:, :5, 3] = 0
    data = encoded(PIL.Image.fromarray(rgba), "PNG", icc_profile=swapped_profile())
    loaded = load_picture(data)
    assert loaded[:, :5].min() == 255
    assert np.abs(loaded[:, 5:].astype(int) - rgba[:, 5:, 2::-1]).max() <= 2


@pytest.mark.parametrize(
    "profile", [b"nonsense", srgb_profile()[:200], b"\0" * 400], ids=["words", "cut", "zeros"]
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_broken_profile_is_ignored(profile: bytes, mode: str) -> None:
    picture = PIL.Image.fromarray(smooth()).convert(mode)
    plain = load_picture(encoded(picture, "JPEG"))
    np.testing.assert_array_equal(load_picture(encoded(picture, "JPEG", icc_profile=profile)), plain)


@pytest.mark.parametrize("mode", ["L", "CMYK", "LA"])
def test_profile_of_another_colour_space_is_ignored(mode: str) -> None:
    picture = PIL.Image.fromarray(smooth()).convert(mode)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    plain = load_picture(encoded(picture, kind))
    np.testing.assert_array_equal(load_picture(encoded(picture, kind, icc_profile=srgb_profile())), plain)


# ---- HEIC


def heic() -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(PIL.Image.fromarray(smooth())).save(file, quality=95)
    return file.getvalue()


def test_heic_and_pillow_stays_as_it_was() -> None:
    before = dict(PIL.Image.OPEN)
    loaded = load_picture(heic())
    assert np.abs(loaded.astype(int) - smooth()).mean() < 8
    assert before == PIL.Image.OPEN


def test_heic_over_the_limit_and_cut_short() -> None:
    with pytest.raises(PictureTooLarge, match="64 x 48"):
        load_picture(heic(), PictureLimits(max_decoded=16 * 64 * 48 - 1))
    data = heic()
    with pytest.raises(UndecodablePicture, match="HEIC"):
        load_picture(data[: len(data) // 2])


def test_without_pillow_heif_the_error_names_the_extra(tmp_path: Path) -> None:
    path = tmp_path / "a.heic"
    path.write_bytes(heic())
    script = f"""
        import sys
        sys.modules["pillow_heif"] = None
        from multiface.errors import ExtraMissing
        from multiface.images import load_picture
        try:
            load_picture({str(path)!r})
        except ExtraMissing as error:
            assert "pip install '.[heic]'" in str(error), error
            assert "a.heic" in str(error), error
        else:
            raise SystemExit("no error")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)
    assert not issubclass(ExtraMissing, InputError)


# ---- what is refused


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM"])
def test_cut_short(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    data = encoded(PIL.Image.fromarray(noise(64, 64)), kind)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UndecodablePicture, match=r"cut\.jpg: (cannot be decoded as a .* picture|is damaged)"):
        load_picture(path)


def test_files_that_are_no_pictures(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.touch()
    with pytest.raises(UndecodablePicture, match=r"empty\.jpg: is empty"):
        load_picture(empty)
    with pytest.raises(UndecodablePicture, match="is empty"):
        load_picture(b"")
    with pytest.raises(PictureError, match=r"is a folder"):
        load_picture(tmp_path)
    with pytest.raises(PictureError, match=r"missing\.jpg: there is no such file"):
        load_picture(tmp_path / "missing.jpg")
    with pytest.raises(PictureError, match=r"missing\\udcff\.jpg: there is no such file"):
        load_picture(tmp_path / "missing\udcff.jpg")
    with pytest.raises(PictureError, match=r"empty\.jpg/a: cannot be read"):
        load_picture(empty / "a")
    with pytest.raises(PictureError, match="cannot be read"):
        load_picture("a\0b.jpg")
    with pytest.raises(PictureError, match="cannot be read"):
        load_picture("a" * 5000)
    text = tmp_path / "text.jpg"
    for content in (
        b"hello",
        b"BM is not a bitmap, this is text",
        b"P5",
        b"%PDF-1.7",
        b"%!PS-Adobe-3.0 EPSF-3.0",
    ):
        text.write_bytes(content)
        with pytest.raises(
            UndecodablePicture, match=r"not a picture of a kind that MultiFace reads.*JPEG, PNG"
        ):
            load_picture(text)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PictureError, match="not a regular file"):
        load_picture(tmp_path / "pipe.jpg")


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="no user ids")
def test_file_without_permission(tmp_path: Path) -> None:
    """In a process of its own, which gives up the rights of root if it has them."""
    script = """
        import os, sys
        from multiface.errors import PictureError
        from multiface.images import load_picture
        os.chdir(sys.argv[1])
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            load_picture("secret.png")
        except PictureError as error:
            assert "secret.png: may not be read" in str(error), error
        else:
            raise SystemExit("no error")
    """
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(PIL.Image.fromarray(noise()), "PNG"))
    path.chmod(0)
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], check=True)


def test_zero_size() -> None:
    with pytest.raises(UndecodablePicture):
        load_picture(png(0, 10, 8, 2, b""))
    with pytest.raises(UndecodablePicture):
        load_picture(b"P5\n0 4\n255\n")
    gif = bytearray(encoded(PIL.Image.new("P", (1, 1)), "GIF"))
    gif[6:8] = b"\0\0"
    at = gif.rindex(b",") + 5
    gif[at : at + 2] = b"\0\0"
    with pytest.raises(UndecodablePicture):
        load_picture(bytes(gif))


def webp_header(width: int, height: int) -> bytes:
    body = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0"
    body += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def tiff_header(width: int, height: int) -> bytes:
    tags = [
        (256, width),
        (257, height),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, height),
        (279, 1),
    ]
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + b"\0\0\0\0"


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (png(1_000_000, 1_000_000, 1, 0, b"\0"), "1000000 x 1000000"),
        (b"GIF89a\xff\xff\xff\xff\0\0\0,", "65535 x 65535"),
        (tiff_header(1_000_000, 1_000_000), "1000000 x 1000000"),
        (webp_header(1 << 24, 200), "16777216 x 200"),
        (
            b"BM" + b"\0" * 12 + struct.pack("<IiiHHIIIIII", 40, 60000, 60000, 1, 24, 0, 0, 0, 0, 0, 0),
            "60000 x 60000",
        ),
        (b"P6\n60000 60000\n255\n", "60000 x 60000"),
    ],
    ids=["png", "gif", "tiff", "webp", "bmp", "pnm"],
)
def test_pixel_bombs_are_refused_by_their_header(data: bytes, size: str) -> None:
    with pytest.raises(PictureTooLarge, match=f"{size} pixels, .* more than the 2,000,000,000 allowed"):
        load_picture(data)


def test_gif_whose_frame_is_larger_than_its_screen() -> None:
    gif = bytearray(encoded(PIL.Image.new("P", (2, 2)), "GIF"))
    at = gif.rindex(b",") + 5
    gif[at : at + 4] = struct.pack("<HH", 9000, 9000)
    with pytest.raises(PictureTooLarge, match="9000 x 9000"):
        load_picture(bytes(gif), PictureLimits(max_decoded=12_000_000))


@pytest.mark.parametrize("before_pixels", [True, False])
@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_text_and_profile_bombs_in_png(kind: bytes, before_pixels: bool) -> None:
    bomb = chunk(kind, b"name\0\0" + zlib.compress(b"\0" * 50_000_000, 9))
    data = png(4, 4, 8, 0, b"\0\0\0\0\0" * 4, extra=bomb if before_pixels else b"")
    if not before_pixels:
        data = data[:-12] + bomb + data[-12:]
        if kind == b"iCCP":
            return  # a profile after the pixels is not read
    with pytest.raises(UndecodablePicture, match="too large"):
        load_picture(data)


def test_many_text_chunks_in_png() -> None:
    texts = PngImagePlugin.PngInfo()
    for index in range(70):
        texts.add_text(f"k{index}", "x" * 1_000_000, zip=True)
    with pytest.raises(UndecodablePicture, match=r"[Tt]oo much memory"):
        load_picture(encoded(PIL.Image.new("L", (2, 2)), "PNG", pnginfo=texts))


def test_own_limits_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noise(10, 10)
    data = encoded(PIL.Image.fromarray(pixels), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(
        PictureTooLarge, match=r"10 x 10 pixels, .* takes 800 bytes, more than the 799 allowed"
    ):
        load_picture(data, PictureLimits(max_decoded=799))
    with pytest.raises(PictureTooLarge, match=r"a\.png: has .* bytes or more"):
        load_picture(path, PictureLimits(max_file=len(data) - 1))
    with pytest.raises(PictureTooLarge, match="bytes or more"):
        load_picture(data, PictureLimits(max_file=len(data) - 1))
    np.testing.assert_array_equal(load_picture(path, PictureLimits(len(data), 800)), pixels)
    # Pillow's own limit, whatever the host program has set it to, plays no part
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 7)
    for kind in ("PNG", "JPEG", "TIFF", "BMP", "JPEG2000", "AVIF", "PPM", "GIF"):
        assert load_picture(encoded(PIL.Image.fromarray(pixels), kind)).shape == (10, 10, 3)


def test_ten_thousand_by_ten_thousand_passes() -> None:
    """Warnings are errors here: Pillow's warning above 89 million pixels would fail this test."""
    side = 10_000
    row = b"\0" + b"\xff" * (side // 8)
    loaded = load_picture(png(side, side, 1, 0, row * side))
    assert loaded.shape == (side, side, 3)
    assert loaded[0, 0, 0] == loaded[-1, -1, 2] == 255


@pytest.mark.parametrize(("max_file", "max_decoded"), [(0, 1), (1, 0), (-1, 5)])
def test_limits_are_positive(max_file: int, max_decoded: int) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        PictureLimits(max_file, max_decoded)


# ---- arrays


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 8), st.integers(1, 8), st.just(3))))
def test_rgb_arrays_come_back_as_they_are(pixels: Pixels) -> None:
    assert load_picture(pixels) is pixels
    turned = load_picture(pixels[::-1, ::2])
    np.testing.assert_array_equal(turned, pixels[::-1, ::2])
    assert turned.flags.c_contiguous


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 8), st.integers(1, 8), st.just(4))))
def test_rgba_arrays_lie_over_white(rgba: Pixels) -> None:
    alpha = rgba[:, :, 3:] / 255
    assert np.abs(load_picture(rgba) - (rgba[:, :, :3] * alpha + 255 * (1 - alpha))).max() <= 1


def test_grey_arrays() -> None:
    grey = noise(channels=1)
    np.testing.assert_array_equal(load_picture(grey), np.stack([grey] * 3, axis=-1))
    np.testing.assert_array_equal(load_picture(grey[:, :, np.newaxis]), np.stack([grey] * 3, axis=-1))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((4, 4, 3), 1.01), "floats holds 0..1, got 1.01 to 1.01; divide by 255"),
        (np.full((4, 4, 3), -0.01, np.float32), "floats holds 0..1"),
        (np.full((4, 4, 3), np.nan), "floats holds 0..1"),
        (np.zeros((4, 4, 3), bool), "got bool numbers"),
        (np.zeros((4, 4, 3), np.int64), "got int64 numbers"),
        (np.zeros((4, 4, 2), np.uint8), r"got shape \(4, 4, 2\)"),
        (np.zeros((3, 4, 4, 3), np.uint8), "one picture at a time"),
        (np.zeros((4,), np.uint8), r"got shape \(4,\)"),
        (np.zeros((0, 4, 3), np.uint8), "at least one pixel"),
        (np.zeros((4, 0), np.uint8), "at least one pixel"),
    ],
)
def test_other_arrays_are_refused(array: npt.NDArray[np.uint8], message: str) -> None:
    with pytest.raises(PictureError, match=message):
        load_picture(array)


@pytest.mark.parametrize("source", [None, 3, [1, 2], {"a": 1}])
def test_other_sources_are_refused(source: object) -> None:
    with pytest.raises(PictureError, match=f"got {type(source).__name__}"):
        load_picture(source)  # type: ignore[arg-type]


def test_a_picture_is_one_thing_however_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    PIL.Image.fromarray(noise(3)).save(path)
    wanted = load_picture(path)
    data = path.read_bytes()
    behind = io.BytesIO(b"xx" + data)
    behind.seek(2)
    with path.open("rb") as file, PIL.Image.open(path) as opened:
        for source in (
            str(path),
            data,
            bytearray(data),
            memoryview(data),
            file,
            behind,
            opened,
            wanted / 255,
        ):
            np.testing.assert_array_equal(load_picture(source), wanted)
    np.testing.assert_array_equal(load_picture((wanted / 255).astype(np.float32)), wanted)
    np.testing.assert_array_equal(from_bgr(wanted[:, :, ::-1]), wanted)
    above = np.dstack([wanted[:, :, ::-1], np.full(wanted.shape[:2], 255, np.uint8)])
    np.testing.assert_array_equal(from_bgr(above), wanted)


def test_a_pillow_picture_is_turned_upright_as_its_file_is(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.fromarray(noise(3)[:, :5]).save(tmp_path / "turned.png", exif=exif)
    with PIL.Image.open(tmp_path / "turned.png") as opened:
        np.testing.assert_array_equal(load_picture(opened), load_picture(tmp_path / "turned.png"))


def test_files_that_give_no_picture_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    PIL.Image.fromarray(noise(3)).save(path)
    with (
        path.open("r", errors="replace") as text,
        pytest.raises(PictureError, match="open it in binary mode"),
    ):
        load_picture(text)  # type: ignore[arg-type]
    closed = io.BytesIO(path.read_bytes())
    closed.close()
    with pytest.raises(PictureError, match="its file cannot be read"):
        load_picture(closed)
    with pytest.raises(PictureTooLarge, match="bytes"):
        load_picture(io.BytesIO(path.read_bytes()), PictureLimits(max_file=20))
    with PIL.Image.open(io.BytesIO(path.read_bytes()[:-40])) as cut, pytest.raises(UndecodablePicture):
        load_picture(cut)
    with pytest.raises(PictureError, match="a BGR picture"):
        from_bgr(np.zeros((4, 4), np.uint8))


# ---- threads


def test_many_threads_give_the_same_answers() -> None:
    picture = PIL.Image.fromarray(smooth(120, 160))
    ImageDraw.Draw(picture).ellipse((20, 20, 90, 90), fill="red")
    data = [encoded(picture, kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "AVIF")]
    data += [encoded(picture, "JPEG", icc_profile=swapped_profile()), heic()]
    expected = [load_picture(one) for one in data]
    with ThreadPoolExecutor(8) as pool:
        for index, loaded in enumerate(pool.map(load_picture, data * 12)):
            np.testing.assert_array_equal(loaded, expected[index % len(data)])


# ---- strips


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_of_several_strips_are_turned_as_a_whole(orientation: int) -> None:
    pixels = noise(1700, 1501)
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    content = encoded(PIL.Image.fromarray(pixels), "PNG", exif=exif, compress_level=1)
    turned = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(content)))
    np.testing.assert_array_equal(load_picture(content), np.asarray(turned))


def test_the_scale_of_numbers_is_that_of_all_strips() -> None:
    values = np.zeros((1700, 1501), np.float32)
    values[900:], values[0, 0], values[-1, -1] = 400, -100, 900
    content = encoded(PIL.Image.fromarray(values), "TIFF")
    loaded = load_picture(content)
    assert (loaded[0, 0, 0], loaded[0, 1, 0], loaded[1000, 0, 0], loaded[-1, -1, 0]) == (0, 26, 128, 255)
    deep = np.full((1700, 1501), 600, np.uint16)
    deep[-1, -1] = 1023
    loaded = load_picture(encoded(PIL.Image.fromarray(deep), "PNG", compress_level=1))
    assert (loaded[0, 0, 0], loaded[-1, -1, 0]) == (150, 255)

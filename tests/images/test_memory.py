"""What decoding takes of memory is what is counted by the header, and what is refused takes none."""

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from multiface.errors import PictureTooLarge
from multiface.images import PictureLimits, load_picture

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak in /proc")

WIDTH, HEIGHT = 5000, 4000
BESIDE = 120_000_000
"""Bytes for the decoder itself and for the strips that are worked on."""

PEAK = """
import sys
from pathlib import Path
from multiface.errors import PictureTooLarge
from multiface.images import PictureLimits, load_picture
def peak():  # ru_maxrss would count the parent's memory too
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
data = Path(sys.argv[1]).read_bytes()
load_picture(Path(sys.argv[2]))  # the decoders are loaded
Path("/proc/self/clear_refs").write_text("5")
before = peak()
counted = int(sys.argv[3])
for limit in (counted - 1, counted):
    try:
        load_picture(data, PictureLimits(max_decoded=limit))
    except PictureTooLarge:
        print("refused", peak() - before)
    else:
        print("decoded", peak() - before)
"""


def picture(mode: str) -> PIL.Image.Image:
    """Broad stripes, quick to write."""
    row = np.repeat(np.arange(50, dtype=np.uint8) * 5, WIDTH // 50)
    return PIL.Image.fromarray(np.broadcast_to(row, (HEIGHT, WIDTH)).copy()).convert(mode)


def saved(kind: str, mode: str = "RGB", **options: Any) -> Callable[[], bytes]:
    def make() -> bytes:
        content = BytesIO()
        picture(mode).save(content, kind, **options)
        return content.getvalue()

    return make


def float_tiff() -> bytes:
    content = BytesIO()
    values = np.asarray(picture("L")).astype(np.float32) / 255
    PIL.Image.fromarray(values).save(content, "TIFF", compression="tiff_adobe_deflate")
    return content.getvalue()


def deep_png(faint: bool = False) -> bytes:
    """RGBA of 16 bits a channel, or of 10 in 16."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    row = b"\0" + (np.asarray(picture("RGBA"))[0].astype(">u2") * (3 if faint else 200)).tobytes()
    packer = zlib.compressobj(1)
    pixels = b"".join(packer.compress(row) for _ in range(HEIGHT)) + packer.flush()
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def heic() -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    content = BytesIO()
    pillow_heif.from_pillow(picture("RGB")).save(content, quality=20, enc_params={"preset": "ultrafast"})
    return content.getvalue()


COUNTED: dict[str, tuple[int, Callable[[], bytes]]] = {
    "JPEG": (8, saved("JPEG")),
    "JPEG, progressive": (18, saved("JPEG", progressive=True, subsampling=0)),
    "PNG": (8, saved("PNG", "RGBA", compress_level=1)),
    "PNG, 16 bits": (8, deep_png),
    "PNG, 10 of 16 bits": (8, lambda: deep_png(faint=True)),
    "GIF": (12, saved("GIF", "P")),
    "BMP": (8, saved("BMP")),
    "TIFF, floats": (12, float_tiff),
    "TIFF, one strip": (12, saved("TIFF", compression="tiff_lzw", strip_size=1 << 30)),
    "WebP": (20, saved("WEBP", method=0)),
    "WebP, lossless with alpha": (20, saved("WEBP", "RGBA", lossless=True, method=0, quality=0)),
    "JPEG 2000": (24, saved("JPEG2000", irreversible=True, quality_layers=[80])),
    "JPEG 2000, alpha": (24, saved("JPEG2000", "RGBA", irreversible=True, quality_layers=[80])),
    "AVIF": (16, saved("AVIF", speed=10, quality=20)),
    "HEIC": (16, heic),
    "PNM": (8, saved("PPM")),
}


@pytest.mark.parametrize("kind", COUNTED)
def test_the_peak_is_what_was_counted(kind: str, tmp_path: Path) -> None:
    per_pixel, make = COUNTED[kind]
    (tmp_path / "large").write_bytes(make())
    with PIL.Image.open(BytesIO(saved("JPEG")())) as small:
        small.resize((64, 64)).save(tmp_path / "small.jpg")
    counted = per_pixel * WIDTH * HEIGHT
    command = [sys.executable, "-c", PEAK, tmp_path / "large", tmp_path / "small.jpg", str(counted)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    refused, refusing, decoded, decoding = done.stdout.split()
    assert (refused, decoded) == ("refused", "decoded")
    assert int(refusing) <= 30_000_000 and int(decoding) <= counted + BESIDE, done.stdout


def test_two_hundred_megapixels_of_a_phone_pass_and_more_does_not() -> None:
    assert PictureLimits().max_decoded >= 8 * 16_400 * 12_300
    content = BytesIO()
    PIL.Image.new("L", (65_000, 4_000)).save(content, "JPEG")
    with pytest.raises(PictureTooLarge, match=r"65000 x 4000 pixels, .* \(--max-picture\)"):
        load_picture(content.getvalue())

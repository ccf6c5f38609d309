"""2,000 pictures with flipped bits, cut ends and foreign headers: each one decodes or raises PictureError."""

import io
import time

import numpy as np
import PIL.Image
import pytest

from multiface.errors import PictureError
from multiface.images import PictureLimits, load_picture

_LIMITS = PictureLimits(max_file=1_000_000, max_decoded=30_000_000)
_SECONDS_EACH = 5.0


def _bases() -> list[bytes]:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:32, 0:32]
    pixels = np.stack([x * 8, y * 8, rng.integers(0, 256, (32, 32))], axis=-1).astype(np.uint8)
    picture = PIL.Image.fromarray(pixels)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    wanted: list[tuple[PIL.Image.Image, str, dict[str, object]]] = [
        (picture, "JPEG", {"exif": exif}),
        (picture, "JPEG", {"progressive": True}),
        (picture, "PNG", {"exif": exif}),
        (picture.quantize(16), "PNG", {}),
        (picture, "GIF", {"save_all": True, "append_images": [picture.rotate(90)]}),
        (picture, "WEBP", {"exif": exif}),
        (picture, "WEBP", {"save_all": True, "append_images": [picture.rotate(90)], "lossless": True}),
        (picture, "TIFF", {"compression": "tiff_lzw", "exif": exif}),
        (picture, "TIFF", {}),
        (picture, "BMP", {}),
    ]
    data = []
    for one, kind, options in wanted:
        file = io.BytesIO()
        one.save(file, kind, **options)
        data.append(file.getvalue())
    return data


def _mutated(bases: list[bytes], rng: np.random.Generator) -> bytes:
    data = bytearray(bases[rng.integers(len(bases))])
    match rng.integers(5):
        case 0:  # bits anywhere
            for _ in range(int(rng.integers(1, 20))):
                data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        case 1:  # bits in the header
            for _ in range(int(rng.integers(1, 6))):
                data[rng.integers(min(len(data), 120))] = int(rng.integers(256))
        case 2:  # cut
            del data[int(rng.integers(1, len(data))) :]
        case 3:  # the head of another
            other = bases[rng.integers(len(bases))]
            length = int(rng.integers(2, 64))
            data[:length] = other[:length]
        case _:  # a piece missing or twice
            start, end = sorted(int(n) for n in rng.integers(0, len(data), 2))
            data[start:end] = b"" if rng.random() < 0.5 else data[start:end] * 2
    return bytes(data)


@pytest.mark.filterwarnings("ignore")  # Pillow warns about broken metadata, as it should
@pytest.mark.parametrize("seed", range(4))
def test_five_hundred_mutated_pictures(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bases = _bases()
    decoded = refused = 0
    for _ in range(500):
        data = _mutated(bases, rng)
        start = time.perf_counter()
        try:
            picture = load_picture(data, _LIMITS)
        except PictureError as error:
            assert str(error).startswith("the picture: ")
            refused += 1
        else:
            assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
            assert 0 < picture.nbytes <= _LIMITS.max_decoded
            decoded += 1
        assert time.perf_counter() - start < _SECONDS_EACH
    # both ways are really taken
    assert decoded > 50
    assert refused > 50

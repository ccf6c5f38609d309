"""How many pictures a second one core reads from a record file, decodes and augments; next to other decoders.

    python benchmarks/loader_speed.py FOLDER [--pictures N] [--rounds R] [--json FILE]

FOLDER holds train.rec. Times are processor time of this process (other work on the machine does not count), without
workers; each round measures everything once, in turns, and medians and ratios over the rounds are shown. What is
wanted: 7,500 a second and core plain (read, decoded, mirrored, in a batch).

"plain" is what a simple loader does: read from the record, decode, mirror, into a batch. The decoders are those that
are installed: simplejpeg, opencv-python-headless, imagecodecs, kornia-rs, torchvision. The ratio is to Pillow's
decoder, told size and format. Beside the time, how far the pixels are from Pillow's: the largest difference of a value,
and the share of values that differ.
"""

import argparse
import io
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from multiface.datasets.identities import IdentitySet, identities_from_records
from multiface.train import batches as loader
from multiface.train.augment import AugmentConfig
from multiface.train.batches import Share, batches
from multiface.train.crops import decode_pixels

BATCH = 100
Decode = Callable[[bytes], Any]
"""A JPEG file to RGB uint8 (112, 112, 3)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    pictures = identities_from_records(given.folder)
    kinds = {
        "mirror image (the original's)": AugmentConfig(),
        "of the recipe small": AugmentConfig(
            crop=0.5, crop_smallest=0.8, colour=0.3, erase=0.2, erase_largest=0.3
        ),
        "of the recipe modern": AugmentConfig(
            crop=0.2, crop_smallest=0.7, low_resolution=0.2, blur=0.05, colour=0.2, erase=0.1
        ),
        "everything always": AugmentConfig(
            1.0, crop=1.0, low_resolution=1.0, blur=1.0, colour=1.0, erase=1.0
        ),
    }
    work: dict[str, Callable[[], None]] = {}
    for name, config in kinds.items():
        work[f"our loader, {name}"] = lambda config=config: load(pictures, config, given.pictures)
    known = dict(decoders())
    for name in list(kinds)[:3]:
        work[f"our loader with Pillow, {name}"] = lambda config=kinds[name]: load_with(
            known["Pillow, known size"], pictures, config, given.pictures
        )
    for name, decode in known.items():
        work[f"plain, {name}"] = lambda decode=decode: plainly(pictures, decode, given.pictures)
    work["plain, reading alone"] = lambda: plainly(pictures, lambda _: np.uint8(0), given.pictures)
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(given.rounds):
        for name, one in work.items():
            start = time.process_time()
            one()
            times[name].append(time.process_time() - start)
    of_ours = times["plain, Pillow, known size"]
    rows = []
    for name, found in times.items():
        ratios = [ours / other for ours, other in zip(of_ours, found, strict=True)]
        row: dict[str, Any] = {
            "what": name,
            "pictures_per_second": round(given.pictures / statistics.median(found)),
            "times_as_fast": [round(one, 2) for one in (statistics.median(ratios), min(ratios), max(ratios))],
        }
        decode = known.get(name.removeprefix("plain, "))
        if decode is not None:
            row["largest_difference"], row["share_different"] = difference(pictures, decode)
        rows.append(row)
        middle, low, high = row["times_as_fast"]
        pixels = (
            f"  pixels: {row['largest_difference']} at most, {row['share_different']:.2%} differ"
            if decode is not None
            else ""
        )
        print(
            f"{row['pictures_per_second']:8,} pictures/s  {middle:.2f} ({low:.2f}-{high:.2f})  {name}{pixels}"
        )
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


def decoders() -> Iterator[tuple[str, Decode]]:
    """Those that are installed. Ours first."""
    yield "ours (simplejpeg behind a look at the markers)", decode_pixels
    yield (
        "Pillow, known size",
        lambda data: np.asarray(Image.frombytes("RGB", (112, 112), data, "jpeg", "RGB", "")),
    )
    yield "Pillow, Image.open", lambda data: np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    try:
        import simplejpeg

        yield "simplejpeg", lambda data: simplejpeg.decode_jpeg(data, "RGB")
        yield (
            "simplejpeg, quick transforms",
            lambda data: simplejpeg.decode_jpeg(data, "RGB", fastdct=True, fastupsample=True),
        )
    except ImportError:
        pass
    try:
        import cv2

        cv2.setNumThreads(1)
        flag = cv2.IMREAD_COLOR_RGB
        yield "OpenCV", lambda data: cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except ImportError:
        pass
    try:
        import imagecodecs

        yield "imagecodecs", imagecodecs.jpeg8_decode
    except ImportError:
        pass
    try:
        from kornia_rs.io import ImageDecoder

        turbo = ImageDecoder()
        yield "kornia-rs", lambda data: np.asarray(turbo.decode(data))
    except ImportError:
        pass
    try:
        import torch
        from torchvision.io import ImageReadMode, decode_jpeg

        yield (
            "torchvision",
            lambda data: (
                decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), ImageReadMode.RGB)
                .permute(1, 2, 0)
                .numpy()
            ),
        )
    except (ImportError, RuntimeError, OSError):
        pass


def difference(pictures: IdentitySet, decode: Decode) -> tuple[int, float]:
    """The largest difference of a value to Pillow's, and the share of values that differ, over 300 pictures."""
    largest, different = 0, []
    for number in range(min(300, len(pictures))):
        data = pictures.read(number)
        ours = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
        far = np.abs(np.asarray(decode(data)).astype(int) - ours)
        largest = max(largest, int(far.max()))
        different.append(float((far > 0).mean()))
    return largest, statistics.mean(different)


def load(pictures: IdentitySet, config: AugmentConfig, count: int) -> None:
    for _ in batches(pictures, config, Share(BATCH, 1, 0, 1), 0, range(count // BATCH), 0):
        pass


def load_with(decode: Decode, pictures: IdentitySet, config: AugmentConfig, count: int) -> None:
    """The same with another decoder."""
    ours = loader.decode_pixels
    loader.decode_pixels = decode
    try:
        load(pictures, config, count)
    finally:
        loader.decode_pixels = ours


def plainly(pictures: IdentitySet, decode: Decode, count: int) -> None:
    rng = np.random.default_rng(0)
    batch = np.empty((BATCH, 112, 112, 3), np.uint8)
    for row, number in enumerate(rng.permutation(len(pictures))[:count].tolist()):
        picture = decode(pictures.read(number))
        batch[row % BATCH] = picture[:, ::-1] if picture.ndim and rng.random() < 0.5 else picture


if __name__ == "__main__":
    main()

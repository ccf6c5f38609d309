"""How many pictures a second one core reads from a record file, decodes and augments; next to plain Pillow.

    python benchmarks/loader_speed.py FOLDER [--pictures N]

FOLDER holds train.rec. Times are processor time of this process (other work on the machine does not count),
the best of five rounds, without workers. What is wanted: 4,000 a second with the original's augmentation (a
mirror image).
"""

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from multiface.datasets.identities import IdentitySet, identities_from_records
from multiface.train.augment import AugmentConfig
from multiface.train.batches import Share, batches

ROUNDS = 5
BATCH = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=2000)
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
        "everything always": AugmentConfig(1.0, 1.0, 0.8, 1.0, 0.2, 1.0, 2.0, 1.0, 0.3, 1.0),
    }
    for name, config in kinds.items():
        speed = best(lambda config=config: load(pictures, config, given.pictures), given.pictures)
        print(f"{speed:8,.0f} pictures/s  multiface, {name}")
    speed = best(lambda: plainly(pictures, given.pictures), given.pictures)
    print(f"{speed:8,.0f} pictures/s  Pillow's Image.open, mirrored by NumPy (what a plain loader does)")


def load(pictures: IdentitySet, config: AugmentConfig, count: int) -> None:
    for _ in batches(pictures, config, Share(BATCH, 1, 0, 1), 0, range(count // BATCH), 0):
        pass


def plainly(pictures: IdentitySet, count: int) -> None:
    rng = np.random.default_rng(0)
    batch = np.empty((BATCH, 112, 112, 3), np.uint8)
    for row, number in enumerate(rng.permutation(len(pictures))[:count].tolist()):
        picture = np.asarray(Image.open(io.BytesIO(pictures.read(number))).convert("RGB"))
        batch[row % BATCH] = picture[:, ::-1] if rng.random() < 0.5 else picture


def best(work: Callable[[], None], count: int) -> float:
    """Pictures a second of the fastest round."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return count / min(times)


if __name__ == "__main__":
    main()

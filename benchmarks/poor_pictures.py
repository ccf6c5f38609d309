"""Does a stated false-match rate hold for two poor pictures? The table is in docs/limits.md.

    python benchmarks/poor_pictures.py LFW-FOLDER --detector yunet_onet --weights sface

600 people, one picture each. Each aligned crop is made worse (shrunk and enlarged again, blurred, darkened,
compressed); counted is the share of pairs of different people at or above the threshold for a false-match rate of
1e-3: both crops poor, and one poor, one as it is. Sizes are pixels of the 112 x 112 crop, where the eyes lie 35
pixels apart.
"""

import io
from collections.abc import Callable

import numpy as np
from chosen_pair import chosen_pair
from PIL import Image, ImageFilter

from multiface.datasets.people import portraits_by_person
from multiface.faces.align import align
from multiface.faces.finding import find_faces
from multiface.faces.main_face import central_face
from multiface.images import load_picture
from multiface.weights.session import Engine

PEOPLE = 600
RATE = 1e-3
EYES = 35.2
"""Pixels between the eyes in a crop."""

Worse = Callable[[Image.Image], Image.Image]


def shrunk(eyes: float) -> Worse:
    """As if the eyes had lain this many pixels apart."""
    side = round(112 * eyes / EYES)
    small = Image.Resampling.BOX
    return lambda crop: crop.resize((side, side), small).resize((112, 112), Image.Resampling.BICUBIC)


def blurred(sigma: float) -> Worse:
    return lambda crop: crop.filter(ImageFilter.GaussianBlur(sigma))


def darkened(share: float) -> Worse:
    return lambda crop: crop.point(lambda value: value * share)


def compressed(quality: int) -> Worse:
    def worse(crop: Image.Image) -> Image.Image:
        file = io.BytesIO()
        crop.save(file, "JPEG", quality=quality)
        return Image.open(file).convert("RGB")

    return worse


KINDS: dict[str, Worse] = {
    "as they are": lambda crop: crop,
    **{f"eyes {eyes} pixels apart": shrunk(eyes) for eyes in (20, 12, 10, 8, 6)},
    **{f"blurred, sigma {sigma}": blurred(sigma) for sigma in (1.5, 2.5, 3.5)},
    **{f"{100 * share:.0f} % of the light": darkened(share) for share in (0.2, 0.08)},
    **{f"JPEG at quality {quality}": compressed(quality) for quality in (10, 4)},
}


def main() -> None:
    pair = chosen_pair(__doc__, Engine("cpu", 1))
    pictures = portraits_by_person(pair.folder)
    first = {picture.person: picture.path for picture in reversed(pictures)}
    paths = [first[person] for person in sorted(first)]
    crops = []
    for k in np.linspace(0, len(paths) - 1, PEOPLE).astype(int):
        image = load_picture(paths[k])
        faces = find_faces(pair.detector, image).faces
        if len(faces):
            main_face = central_face(faces, image.shape[1], image.shape[0])
            crops.append(align(image, faces.landmarks[main_face][None])[0])
    threshold = pair.calibration().threshold_for_verify(RATE).similarity
    good = pair.embedder.embed(np.stack(crops), pair.embedder.flip)
    pairs = np.triu_indices(len(crops), 1)
    print(f"{pair.title}, {len(crops)} people, {len(pairs[0]):,} pairs, similarity {threshold:.3f}")
    print("| crops | both poor | one poor |\n|---|---|---|")
    for name, worse in KINDS.items():
        made = np.stack([np.asarray(worse(Image.fromarray(crop))) for crop in crops])
        poor = pair.embedder.embed(made, pair.embedder.flip)
        both, one = ((a @ b.T)[pairs] >= threshold for a, b in ((poor, poor), (poor, good)))
        print(f"| {name} | {1000 * both.mean():.2f}e-3 | {1000 * one.mean():.2f}e-3 |", flush=True)


if __name__ == "__main__":
    main()

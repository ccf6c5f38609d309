"""Does a stated false-match rate hold for two poor pictures? The table is in docs/limits.md.

    python benchmarks/poor_pictures.py LFW-FOLDER --detector yunet_onet --weights sface

1,000 people, one picture each. Each aligned crop is made worse (shrunk and enlarged again, blurred, darkened,
compressed, noisy); counted is the share of pairs of different people at or above the threshold for a false-match rate
of 1e-3: both crops poor, one poor and one as it is, and both let through by the limits of the calibration, with the
share that is let through. Sizes are pixels of the 112 x 112 crop, where the eyes lie 35 pixels apart. The last row is
not made: the tenth of all people whose heads are turned most, by where the nose lies between the eyes.
"""

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from chosen_pair import chosen_pair
from PIL import Image, ImageFilter

from multiface.arrays import Floats
from multiface.datasets.people import portraits_by_person
from multiface.faces.align import align
from multiface.faces.finding import find_faces
from multiface.faces.main_face import central_face
from multiface.faces.picture_quality import PictureQuality
from multiface.images import load_picture
from multiface.recognition.picture_faults import picture_faults
from multiface.weights.session import Engine

PEOPLE = 1000
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


def noisy(sigma: float) -> Worse:
    rng = np.random.default_rng(0)

    def worse(crop: Image.Image) -> Image.Image:
        values = np.asarray(crop) + rng.normal(0, sigma, (crop.height, crop.width, 3))
        return Image.fromarray(values.clip(0, 255).astype(np.uint8))

    return worse


KINDS: dict[str, Worse] = {
    "as they are": lambda crop: crop,
    **{f"eyes {eyes} pixels apart": shrunk(eyes) for eyes in (20, 16, 12, 10, 9, 8, 6)},
    **{f"blurred, sigma {sigma}": blurred(sigma) for sigma in (1.5, 2.5, 3.5)},
    **{f"{100 * share:.0f} % of the light": darkened(share) for share in (0.2, 0.08)},
    **{f"JPEG at quality {quality}": compressed(quality) for quality in (10, 4)},
    **{f"noise, sigma {sigma}": noisy(sigma) for sigma in (20, 40)},
}


def turned(landmarks: Floats) -> Floats:
    """How far the nose lies from the middle of the eyes, in distances between the eyes; of landmarks (n, 5, 2)."""
    eyes = landmarks[:, 1] - landmarks[:, 0]
    nose = landmarks[:, 2] - landmarks[:, :2].mean(axis=1)
    along: Floats = np.abs((nose * eyes).sum(axis=1)) / (eyes**2).sum(axis=1)
    return along


def main() -> None:
    pair = chosen_pair(__doc__, Engine("cpu", 1))
    calibration = pair.calibration()
    limits = calibration.limits
    if limits is None:
        raise SystemExit("this calibration has no limits to measure")
    threshold = calibration.threshold_for_verify(RATE).similarity
    pictures = portraits_by_person(pair.folder)
    first = {picture.person: picture.path for picture in reversed(pictures)}
    found, cut = [], []
    for person in sorted(first):
        image = load_picture(first[person])
        faces = find_faces(pair.detector, image).faces
        if len(faces):
            main_face = central_face(faces, image.shape[1], image.shape[0])
            found.append(faces.landmarks[main_face])
            cut.append(align(image, faces.landmarks[main_face][None])[0])
    landmarks, every = np.stack(found), np.stack(cut)
    chosen = np.linspace(0, len(every) - 1, PEOPLE).astype(int)
    crops = every[chosen]
    good = pair.embedder.embed(crops, pair.embedder.flip)

    def say(name: str, made: npt.NDArray[np.uint8], points: Floats, one_poor: bool = True) -> None:
        poor, norms = pair.embedder.embed_with_norms(made, pair.embedder.flip)
        faults = picture_faults(limits, PictureQuality.of(points, made, norms))
        through = np.array([fault is None for fault in faults])
        both = _share(poor, poor, threshold)
        one = _share(poor, good, threshold) if one_poor else ""
        passed = _share(poor[through], poor[through], threshold)
        print(f"| {name} | {both} | {one} | {100 * through.mean():.0f} % | {passed} |", flush=True)

    print(f"{pair.title}, {PEOPLE} of {len(every):,} people, similarity {threshold:.3f}; {limits}")
    print("| crops | both poor | one poor | let through | both let through |\n|---|---|---|---|---|")
    for name, worse in KINDS.items():
        say(name, np.stack([np.asarray(worse(Image.fromarray(crop))) for crop in crops]), landmarks[chosen])
    most = np.argsort(turned(landmarks))[-len(every) // 10 :]
    say("the tenth of heads turned most", every[most], landmarks[most], one_poor=False)


def _share(a: Floats, b: Floats, threshold: float) -> str:
    """Of pairs of two people; rows stand for people, in the same order. With fewer than 1,000 pairs it says nothing."""
    pairs = np.triu_indices(len(a), 1)
    return f"{1000 * np.mean((a @ b.T)[pairs] >= threshold):.2f}e-3" if len(pairs[0]) >= 1000 else "too few"


if __name__ == "__main__":
    main()

"""How much masks and small faces cost: recognition on LFW pairs with one picture of each pair made worse.

    python benchmarks/limits.py LFW-FOLDER --detector yunet_onet --weights sface

In one picture of every genuine pair of the first two folds the crop is changed: everything below the middle of the
nose
is covered with one colour (a mask; the face was found and aligned without it, so detection is not part of the
figure),
or the crop is shrunk so that the eyes are a few pixels apart and enlarged again. Printed is the share of genuine
pairs
still accepted at the threshold of the shipped calibration for a false-match rate of 1 in 1,000, with its Wilson
interval.
"""

import numpy as np
from chosen_pair import chosen_pair
from PIL import Image

from multiface.datasets.lfw import LfwFolder
from multiface.faces.align import align
from multiface.faces.finding import find_faces
from multiface.faces.main_face import central_face
from multiface.images import load_picture
from multiface.metrics import wilson
from multiface.weights.session import Engine


def main() -> None:
    pair = chosen_pair(__doc__, Engine())
    detector, embedder = pair.detector, pair.embedder
    spec = embedder.spec
    lfw = LfwFolder.open(pair.folder)
    chosen = np.flatnonzero((lfw.pairs.fold < 2) & lfw.pairs.issame)

    def crop(index: int) -> np.ndarray | None:
        image = load_picture(lfw.paths[index])
        faces = find_faces(detector, image).faces
        if not len(faces):
            return None
        k = central_face(faces, image.shape[1], image.shape[0])
        return align(image, faces.landmarks[k : k + 1], spec.template, (spec.width, spec.height))[0]

    pairs = [(crop(lfw.pairs.left[k]), crop(lfw.pairs.right[k])) for k in chosen]
    left = np.stack([a for a, b in pairs if a is not None and b is not None])
    right = np.stack([b for a, b in pairs if a is not None and b is not None])
    threshold = pair.calibration(None).threshold_for_verify(1e-3).similarity
    eyes = spec.template[1][0] - spec.template[0][0]
    cases = {"as it is": right, "mask": np.stack([masked(one, spec.template[2][1]) for one in right])}
    for distance in (24, 16, 12, 8, 6):
        cases[f"eyes {distance} pixels apart"] = np.stack([shrunk(one, distance / eyes) for one in right])
    known = embedder.embed(left)
    print(f"{pair.title}, {len(left)} genuine pairs, threshold {threshold:.4f}")
    print("| one picture of the pair | accepted |")
    print("|---|---|")
    for name, crops in cases.items():
        accepted = int(((known * embedder.embed(crops)).sum(axis=1) >= threshold).sum())
        interval = wilson(accepted, len(left))
        print(
            f"| {name} | {100 * accepted / len(left):.1f} % ({100 * interval.low:.1f} to {100 * interval.high:.1f}) |"
        )


def masked(crop: np.ndarray, nose: float) -> np.ndarray:
    covered = crop.copy()
    covered[round(nose) - 2 :, :] = (150, 180, 200)
    return covered


def shrunk(crop: np.ndarray, scale: float) -> np.ndarray:
    height, width = crop.shape[:2]
    small = Image.fromarray(crop).resize((round(width * scale), round(height * scale)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


if __name__ == "__main__":
    main()

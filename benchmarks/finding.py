"""Is a face found the right way up? LFW as it is, turned by quarter turns, and cut to the face.

    python benchmarks/finding.py LFW-FOLDER DETECTOR [PICTURES]

PICTURES (500 unless given) of LFW, evenly spaced. For each kind of picture the share whose orientation is right, with
its 95 % interval (Wilson). Close-ups are cut to the box that the detector gives on the whole picture.
"""

import sys

import numpy as np

from multiface.datasets.lfw import LfwFolder
from multiface.faces.detector import Detector
from multiface.faces.face import Image
from multiface.faces.finding import find_faces
from multiface.faces.main_face import central_face
from multiface.faces.opening import open_detector
from multiface.images import load_picture
from multiface.metrics import wilson
from multiface.weights.places import default_cache_folder, default_store_folder
from multiface.weights.session import Engine
from multiface.weights.store import Store


def main() -> None:
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    store = Store(default_store_folder(), default_cache_folder())
    detector = open_detector(store, sys.argv[2], Engine("cpu", 1))
    paths = LfwFolder.open(sys.argv[1]).paths
    wanted = int(sys.argv[3]) if len(sys.argv) == 4 else 500
    table(detector, [load_picture(paths[k * len(paths) // wanted]) for k in range(wanted)])


def table(detector: Detector, pictures: list[Image]) -> None:
    """Print the Markdown table for pictures that stand upright."""
    print(f"| {detector.name} | right | share (95 %) |\n|---|---|---|")
    closes = [close for picture in pictures if (close := _close_up(detector, picture)) is not None]
    kinds = [("upright", pictures, 0), *((f"turned by {90 * k}", pictures, k) for k in (1, 2, 3))]
    for kind, shown, turns in [*kinds, ("close-up", closes, 0)]:
        right = 0
        for picture in shown:
            found = find_faces(detector, np.ascontiguousarray(np.rot90(picture, turns)))
            right += len(found.faces) > 0 and found.turn == (4 - turns) % 4
        low_high = wilson(right, len(shown))
        print(
            f"| {kind} | {right} of {len(shown)} | {100 * right / len(shown):.2f} % "
            f"({100 * low_high.low:.2f} to {100 * low_high.high:.2f}) |",
            flush=True,
        )


def _close_up(detector: Detector, picture: Image) -> Image | None:
    height, width = picture.shape[:2]
    faces = detector.detect(picture)
    if not len(faces):
        return None
    x0, y0, x1, y1 = faces.boxes[central_face(faces, width, height)].round().astype(int)
    return np.ascontiguousarray(picture[max(0, y0) : y1, max(0, x0) : x1])


if __name__ == "__main__":
    main()

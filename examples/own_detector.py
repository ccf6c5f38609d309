"""A detector of another library in MultiFace: scikit-image's cascade, which gives boxes without landmarks.

Enrols a picture from memory, then names the faces of pictures that a generator makes.

python own_detector.py PICTURE NAME
"""

import sys
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import PIL.Image
from skimage.data import lbp_frontal_face_cascade_filename
from skimage.feature import Cascade

from multiface import Faces, Identification, Recognizer

# Where eyes, nose and corners of the mouth lie in the cascade's box, as shares of its width and height.
POINTS = np.array([[0.30, 0.37], [0.74, 0.37], [0.52, 0.65], [0.28, 0.78], [0.73, 0.78]], np.float32)


class CascadeDetector:
    name = "skimage cascade"
    sure = 0.5  # a best score from here on ends the search: no border, no quarter turns
    min_face = 40.0

    def __init__(self) -> None:
        self._cascade = Cascade(lbp_frontal_face_cascade_filename())  # type: ignore[no-untyped-call]

    def detect(self, image: npt.NDArray[np.uint8], smallest: float | None = None, /) -> Faces:
        least, most = int(max(self.min_face, smallest or 0)), min(image.shape[:2]) // 2
        found = self._cascade.detect_multi_scale(
            image, 1.2, 1, (least, least), (most, most), min_neighbor_number=8
        )
        corners = np.array([[box["c"], box["r"]] for box in found], np.float32).reshape(-1, 2)
        sizes = np.array([[box["width"], box["height"]] for box in found], np.float32).reshape(-1, 2)
        boxes = np.concatenate([corners, corners + sizes], axis=1)
        return Faces(boxes, np.ones(len(boxes), np.float32), corners[:, None] + POINTS * sizes[:, None])


def darker(picture: PIL.Image.Image) -> Iterator[npt.NDArray[np.uint8]]:
    """The picture as arrays, each darker than the one before."""
    pixels = np.asarray(picture)
    for share in (1.0, 0.7, 0.4):
        yield (pixels * share).astype(np.uint8)


def main(path: str, name: str) -> None:
    picture = PIL.Image.open(path).convert("RGB")
    with Recognizer(detector=CascadeDetector(), gallery="own_detector.sqlite", create=True) as recognizer:
        for which, why in recognizer.enroll(name, picture).refused:
            sys.exit(f"{which}: {why}")
        print(recognizer.caveat)
        for answer in recognizer.identify_many(darker(picture)):
            if isinstance(answer, Identification):
                print(", ".join(face.name or "unknown" for face in answer.faces) or "nobody")
            else:
                print(answer)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

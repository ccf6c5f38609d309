"""YuNet: a tiny anchor-free detector.

Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023. For the
strides 8, 16 and 32 the network gives a class score, an object score, a box and five landmarks for each
place: score = sqrt(class x object), centre = (place + offset) x stride, size = exp(log size) x stride,
landmark = (place + offset) x stride. Input: BGR, pixels as they are (0..255).
"""

import numpy as np

from multiface.errors import WeightsError
from multiface.faces.detector import check_limits, check_picture, smallest_wanted
from multiface.faces.face import Faces, Image
from multiface.faces.letterbox import letterbox
from multiface.weights.session import Session

STRIDES = (8, 16, 32)
OVERLAP = 0.3
"""Faces that overlap a better one by more than this (intersection over union) are dropped."""


class YuNet:
    """A YuNet network whose height and width are free.

    session: the network. name: as the catalogue has it. score: lowest score of a face, 0..1. min_face:
    shorter side of the smallest face, in pixels of the picture.
    """

    sure = 0.91

    def __init__(self, session: Session, name: str, score: float = 0.7, min_face: float = 20.0) -> None:
        wanted = [f"{part}_{stride}" for part in ("cls", "obj", "bbox", "kps") for stride in STRIDES]
        missing = set(wanted) - {output.name for output in session.get_outputs()}
        if missing:
            raise WeightsError(
                f"{name}: the network lacks the outputs {', '.join(sorted(missing))}", name=name
            )
        check_limits(name, score, min_face)
        self.name = name
        self.score = score
        self.min_face = min_face
        self._session = session
        self._input = session.get_inputs()[0].name
        self._outputs = wanted

    def detect(self, image: Image, smallest: float | None = None, /) -> Faces:
        """All faces of an (h, w, 3) uint8 RGB picture, best score first; smallest: as in `Detector`."""
        check_picture(self.name, image)
        working = letterbox(image, smallest_wanted(self.min_face, smallest))
        tensor = np.ascontiguousarray(working.image[..., ::-1].transpose(2, 0, 1)[None], np.float32)
        found = self._session.run(self._outputs, {self._input: tensor})
        by_part = [found[k : k + len(STRIDES)] for k in range(0, len(found), len(STRIDES))]
        boxes, scores, landmarks = [], [], []
        for stride, cls, obj, box, points in zip(STRIDES, *by_part, strict=True):
            score = np.sqrt(np.clip(cls[0, :, 0], 0, 1) * np.clip(obj[0, :, 0], 0, 1))
            kept = np.flatnonzero(score >= self.score)
            row, column = np.divmod(kept, working.image.shape[1] // stride)
            place = np.stack([column, row], axis=1).astype(np.float32)
            centre = (place + box[0, kept, :2]) * stride
            half = np.exp(box[0, kept, 2:]) * stride / 2
            boxes.append(np.concatenate([centre - half, centre + half], axis=1))
            scores.append(score[kept])
            landmarks.append((place[:, None] + points[0, kept].reshape(-1, 5, 2)) * stride)
        return working.settle(
            np.concatenate(boxes), np.concatenate(scores), np.concatenate(landmarks), self.min_face, OVERLAP
        )

"""SCRFD: one pass, three strides, distances from anchor centres.

Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", ICLR 2022. The exports of
this family give nine outputs: for the strides 8, 16 and 32 a score (n, 1), the distances to left, top, right
and bottom (n, 4) and five landmark offsets (n, 10), all in units of the stride; n runs over rows, columns and
two anchors at each place. Input: RGB, (pixel - 127.5) / 128.
"""

import numpy as np

from multiface.errors import WeightsError
from multiface.faces.detector import check_limits, check_picture, smallest_wanted
from multiface.faces.face import Faces, Image
from multiface.faces.letterbox import letterbox
from multiface.weights.session import Session

STRIDES = (8, 16, 32)
ANCHORS = 2
OVERLAP = 0.4
"""Faces that overlap a better one by more than this (intersection over union) are dropped."""


class Scrfd:
    """An SCRFD network whose height and width are free.

    session: the network. name: "scrfd_2.5g", ... score: lowest score of a face, 0..1. min_face: shorter side
    of the smallest face, in pixels of the picture.
    """

    sure = 0.8

    def __init__(self, session: Session, name: str, score: float = 0.5, min_face: float = 20.0) -> None:
        outputs = session.get_outputs()
        if len(outputs) != 9 or len(session.get_inputs()) != 1:
            raise WeightsError(
                f"{name}: an SCRFD network with landmarks has 1 input and 9 outputs, "
                f"this one has {len(session.get_inputs())} and {len(outputs)}",
                name=name,
            )
        check_limits(name, score, min_face)
        self.name = name
        self.score = score
        self.min_face = min_face
        self._session = session
        self._input = session.get_inputs()[0].name

    def detect(self, image: Image, smallest: float | None = None, /) -> Faces:
        """All faces of an (h, w, 3) uint8 RGB picture, best score first; smallest: as in `Detector`."""
        check_picture(self.name, image)
        working = letterbox(image, smallest_wanted(self.min_face, smallest))
        tensor = (working.image.transpose(2, 0, 1)[None].astype(np.float32) - 127.5) / 128.0
        outputs = [
            np.asarray(output, np.float32).reshape(-1, output.shape[-1])
            for output in self._session.run(None, {self._input: tensor})
        ]
        boxes, scores, landmarks = [], [], []
        for level, stride in enumerate(STRIDES):
            score = outputs[level][:, 0]
            kept = np.flatnonzero(score >= self.score)
            row, column = np.divmod(kept // ANCHORS, working.image.shape[1] // stride)
            centre = np.stack([column, row], axis=1).astype(np.float32) * stride
            distance = outputs[level + 3][kept] * stride
            boxes.append(np.concatenate([centre - distance[:, :2], centre + distance[:, 2:]], axis=1))
            scores.append(score[kept])
            landmarks.append(centre[:, None] + outputs[level + 6][kept].reshape(-1, 5, 2) * stride)
        return working.settle(
            np.concatenate(boxes), np.concatenate(scores), np.concatenate(landmarks), self.min_face, OVERLAP
        )

"""YuNet's faces with the landmarks of MTCNN's third network.

YuNet finds about as many faces as MTCNN in a fraction of its time, but its landmarks are less exact. O-Net looks at a
square around each of YuNet's boxes (same centre, the longer side) and gives five landmarks. Boxes and scores stay
YuNet's; its landmarks stay too where O-Net takes the square for no face (a score below 0.5) or its points cannot be
a face.
"""

import numpy as np

from multiface.arrays import Floats
from multiface.faces.face import Faces, Image
from multiface.faces.mtcnn import onet_landmarks
from multiface.faces.plausible import plausible
from multiface.faces.yunet import YuNet
from multiface.weights.session import Session


class YuNetOnet:
    """The two together, a detector like others.

    yunet: finds the faces; its limits hold. onet: the third of `MtcnnSessions`.
    """

    name = "yunet_onet"
    sure = YuNet.sure

    def __init__(self, yunet: YuNet, onet: Session) -> None:
        self.yunet = yunet
        self.min_face = yunet.min_face
        self._onet = onet

    def detect(self, image: Image, smallest: float | None = None, /) -> Faces:
        """All faces of an (h, w, 3) uint8 RGB picture, best score first; smallest: as in `Detector`."""
        faces = self.yunet.detect(image, smallest)
        logits, landmarks = onet_landmarks(self._onet, image, _squares(faces.boxes))
        refined = Faces(faces.boxes, faces.scores, landmarks)
        trusted = (logits >= 0) & plausible(refined)
        return Faces(faces.boxes, faces.scores, np.where(trusted[:, None, None], landmarks, faces.landmarks))


def _squares(boxes: Floats) -> Floats:
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    centre = (boxes[:, 2:] + boxes[:, :2]) / 2
    return np.concatenate([centre - half, centre + half], axis=1)

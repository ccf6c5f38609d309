"""MTCNN: faces and five landmarks by a cascade of three small networks.

P-Net looks at every 12 x 12 window of a pyramid of ever smaller copies of the picture, R-Net at the windows
that are left, in 24 x 24, O-Net at those that R-Net leaves, in 48 x 48; each corrects the box, and O-Net adds
the landmarks. All coordinates are continuous: a window that starts at pixel 0 and is 12 wide is 0..12.
A window that leaves the picture sees mid-grey there, and each copy has a frame of it for P-Net. The original
sees black, and no window of its P-Net leaves the picture: with that, 2 of 60 faces larger than their picture
were found, with the frame 57.

Memory grows with the picture only by copies of its bytes: they go through P-Net in strips (which overlap
by what a cell sees beyond its own two rows, so that the result is the same), windows go through R-Net and
O-Net in batches, and the number of windows is bounded.
Source: Zhang, Zhang, Li, Qiao: "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks", 2016; thresholds and pyramid factor are the authors'.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from multiface.arrays import Floats
from multiface.faces.boxes import nms
from multiface.faces.detector import check_limits, check_picture, smallest_wanted
from multiface.faces.face import Faces, Image
from multiface.weights.session import Session

_FACTOR = 0.709  # from one copy of the pyramid to the next
_WINDOW = 12  # what one cell of P-Net sees; cells are two pixels apart
_LEAST_WINDOW = 1.2  # side of the smallest window in units of min_face: a face is higher than it is wide
_PNET_LOGIT = math.log(0.6 / 0.4)  # score 0.6
_RNET_LOGIT = math.log(0.7 / 0.3)  # score 0.7
_STRIP_PIXELS = 2**19  # about 70 MB inside P-Net
_STRIP_WINDOWS = 8192
_MOST_WINDOWS = 16384
_BATCH = 256
_BEYOND = 127  # colour of what lies beyond the picture: mid-grey is next to zero in the networks' input
_NEAR = 4  # pixels around a window that resizing it may read, and some more
_FRAME = _WINDOW // 2  # of that colour around each copy, so that faces that the edge cuts have their window


@dataclass(frozen=True, slots=True)
class MtcnnSessions:
    """The three networks, as sessions of the graphs in `weights.mtcnn_graphs`."""

    pnet: Session
    rnet: Session
    onet: Session


class Mtcnn:
    """The detector.

    sessions: the three networks.
    score: least score of a face, 0..1.
    min_face: shorter side of the smallest face box to be returned, in pixels of the picture. The time goes
        with the inverse of its square. No face under 12 pixels is looked for.
    """

    name = "mtcnn"
    sure = 0.998

    def __init__(self, sessions: MtcnnSessions, score: float = 0.9, min_face: float = 40.0) -> None:
        check_limits(self.name, score, min_face)
        self._sessions = sessions
        self._score = score
        self.min_face = min_face

    def detect(self, image: Image, smallest: float | None = None, /) -> Faces:
        """The faces in a picture (h, w, 3), uint8 RGB, upright; best score first. smallest: as in `Detector`.

        Raises PictureError when the picture is another kind of array.
        """
        check_picture(self.name, image)
        picture = _Picture(image)
        windows = self._propose(picture, smallest_wanted(self.min_face, smallest))
        found = self._finish(picture, self._refine(picture, windows))
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        return found.take((found.scores >= self._score) & (sides.min(axis=1) >= self.min_face))

    def _propose(self, picture: "_Picture", min_face: float) -> Floats:
        """Square windows (n, 4) that P-Net takes for faces whose shorter side is `min_face` or more."""
        found = _Windows.none()
        scale = min(1.0, _WINDOW / (_LEAST_WINDOW * min_face))
        while min(picture.width, picture.height) * scale >= _WINDOW / 2:
            level = picture.scaled(scale)
            zoom = np.array([level.shape[1] / picture.width, level.shape[0] / picture.height] * 2, np.float32)
            for top, strip in _strips(level):
                part = self._scan(strip)
                boxes = (part.boxes + np.array([-_FRAME, top, -_FRAME, top], np.float32)) / zoom
                found = found.joined(_Windows(boxes, part.logits, part.shifts))
            scale *= _FACTOR
        return found.distinct(0.7).squares()

    def _scan(self, pixels: Floats) -> "_Windows":
        """P-Net on one strip (1, 3, h, w); boxes in pixels of the strip."""
        logit, shift = self._sessions.pnet.run(["logit", "shift"], {"pixels": pixels})
        least = _PNET_LOGIT
        if np.count_nonzero(logit >= least) > _STRIP_WINDOWS:
            least = np.partition(logit, -_STRIP_WINDOWS, axis=None)[-_STRIP_WINDOWS]
        row, column = np.nonzero(logit[0] >= least)
        corner = np.stack([column, row], axis=1).astype(np.float32) * 2
        boxes = np.concatenate([corner, corner + _WINDOW], axis=1)
        return _Windows(boxes, logit[0, row, column], shift[0][:, row, column].T).distinct(0.5)

    def _refine(self, picture: "_Picture", squares: Floats) -> Floats:
        """Square windows (m, 4) that R-Net leaves of those of P-Net (n, 4)."""
        found = _Windows.none()
        for start in range(0, len(squares), _BATCH):
            batch = squares[start : start + _BATCH]
            logit, shift = self._sessions.rnet.run(["logit", "shift"], {"pixels": picture.crops(batch, 24)})
            stay = logit >= _RNET_LOGIT
            found = found.joined(_Windows(batch[stay], logit[stay], shift[stay]))
        return found.distinct(0.7).squares()

    def _finish(self, picture: "_Picture", windows: Floats) -> Faces:
        """What O-Net says of R-Net's windows (n, 4), best score first, without those that repeat a face."""
        parts = [Faces.none()]
        for start in range(0, len(windows), _BATCH):
            batch = windows[start : start + _BATCH]
            logit, shift, landmarks = _landmarks(self._sessions.onet, picture.crops(batch, 48), batch)
            faces = Faces(_corrected(batch, shift), _sigmoid(logit), landmarks)
            parts.append(faces.take(faces.scores >= self._score))
        found = Faces.joined(parts)
        return found.take(nms(found.boxes, found.scores, 0.7, "minimum"))


def onet_landmarks(onet: Session, image: Image, squares: Floats) -> tuple[Floats, Floats]:
    """What O-Net says of square windows (n, 4) of an (h, w, 3) uint8 RGB picture, whoever found them.

    Returns logits (n,), above 0 for what it takes for a face, and landmarks (n, 5, 2) in pixels of the picture.
    """
    logits, landmarks = [np.zeros(0, np.float32)], [np.zeros((0, 5, 2), np.float32)]
    for start in range(0, len(squares), _BATCH):
        batch = squares[start : start + _BATCH]
        pixels = np.concatenate([_lone_crop(image, square, 48) for square in batch])
        logit, _, points = _landmarks(onet, pixels, batch)
        logits.append(logit)
        landmarks.append(points)
    return np.concatenate(logits), np.concatenate(landmarks)


def _landmarks(onet: Session, crops: Floats, squares: Floats) -> tuple[Floats, Floats, Floats]:
    """Logits (n,), corrections (n, 4) and landmarks (n, 5, 2) in pixels of the picture.

    crops: (n, 3, 48, 48), what the picture shows in the squares (n, 4).
    """
    logit, shift, points = onet.run(["logit", "shift", "points"], {"pixels": crops})
    corner, sides = squares[:, None, :2], (squares[:, 2:] - squares[:, :2])[:, None]
    return logit, shift, corner + points.reshape(-1, 2, 5).transpose(0, 2, 1) * sides


@dataclass(frozen=True, slots=True, eq=False)
class _Windows:
    """Windows that a network takes for faces: boxes (n, 4), logits (n,), corrections (n, 4)."""

    boxes: Floats
    logits: Floats
    shifts: Floats

    @staticmethod
    def none() -> "_Windows":
        return _Windows(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 4), np.float32))

    def joined(self, other: "_Windows") -> "_Windows":
        return _Windows(
            np.concatenate([self.boxes, other.boxes]),
            np.concatenate([self.logits, other.logits]),
            np.concatenate([self.shifts, other.shifts]),
        )

    def distinct(self, overlap: float) -> "_Windows":
        """The best ones, none overlapping a better one by more than this; as in the original, the boxes are
        compared as they were looked at, before the correction: several views of a face go on."""
        keep = nms(self.boxes, self.logits, overlap)[:_MOST_WINDOWS]
        return _Windows(self.boxes[keep], self.logits[keep], self.shifts[keep])

    def squares(self) -> Floats:
        """Squares with the centres and longer sides of the corrected boxes, without those under a pixel."""
        boxes = _corrected(self.boxes, self.shifts)
        sides = boxes[:, 2:] - boxes[:, :2]
        solid = sides.min(axis=1) >= 1
        half = sides[solid].max(axis=1, keepdims=True) / 2
        centre = (boxes[solid, 2:] + boxes[solid, :2]) / 2
        return np.concatenate([centre - half, centre + half], axis=1)


class _Picture:
    """A picture and its halves, quarters, ..., each made when first asked for.

    Every copy and window is taken from the copy that is at most twice as large, so that none costs more than
    its own size and none skips pixels.
    """

    def __init__(self, image: Image) -> None:
        self.height, self.width = image.shape[:2]
        self._steps = [Pillow.fromarray(image)]

    def scaled(self, scale: float) -> Image:
        """The whole picture `scale` (0..1) times as large, in whole pixels, at least one."""
        size = (max(1, round(self.width * scale)), max(1, round(self.height * scale)))
        step, shrink = self._step(1 / scale)
        box = (0, 0, self.width / shrink, self.height / shrink)
        return np.asarray(step.resize(size, Pillow.Resampling.BOX, box=box))

    def crops(self, windows: Floats, size: int) -> Floats:
        """Windows (n, 4) of the picture as (n, 3, size, size), 0..255; mid-grey beyond the picture."""
        sheet = Pillow.new("RGB", (size, size * len(windows)))
        for k, window in enumerate(windows.tolist()):
            sheet.paste(self._crop(window, size), (0, size * k))
        return _network_input(np.asarray(sheet).reshape(-1, size, size, 3))

    def _crop(self, window: list[float], size: int) -> Pillow.Image:
        step, shrink = self._step((window[2] - window[0]) / size)
        x0, y0, x1, y1 = (edge / shrink for edge in window)
        if x0 < 0 or y0 < 0 or x1 > self.width / shrink or y1 > self.height / shrink:
            left, top = math.floor(x0), math.floor(y0)
            framed = Pillow.new("RGB", (math.ceil(x1) - left, math.ceil(y1) - top), (_BEYOND,) * 3)
            framed.paste(step, (-left, -top))
            step, x0, y0, x1, y1 = framed, x0 - left, y0 - top, x1 - left, y1 - top
        return step.resize((size, size), Pillow.Resampling.BILINEAR, box=(x0, y0, x1, y1))

    def _step(self, shrink: float) -> tuple[Pillow.Image, int]:
        """The smallest copy that is shrunk by no more than `shrink`, and by how much it is: 1, 2, 4, ..."""
        wanted = _halvings(shrink)
        while len(self._steps) <= wanted:
            self._steps.append(self._steps[-1].reduce(2))
        return self._steps[wanted], 2**wanted


def _lone_crop(image: Image, window: Floats, size: int) -> Floats:
    """One window (4,) as `_Picture.crops` gives it, (1, 3, size, size); only pixels near the window are read."""
    unit = 2 ** _halvings(float(window[2] - window[0]) / size)
    edges = []
    for low, high, length in ((window[0], window[2], image.shape[1]), (window[1], window[3], image.shape[0])):
        # Whole pixels of the copy that the window is taken from, so that they average the same pixels.
        start = min(max(math.floor(low / unit) - _NEAR, 0) * unit, (length - 1) // unit * unit)
        edges.append((start, max(min((math.ceil(high / unit) + _NEAR) * unit, length), start + 1)))
    (left, right), (top, bottom) = edges
    near = _Picture(np.ascontiguousarray(image[top:bottom, left:right]))
    return near.crops((window - np.array([left, top, left, top], np.float32))[None], size)


def _halvings(shrink: float) -> int:
    """How many times a picture can be halved and is still no smaller than shrunk by `shrink`."""
    return max(0, math.floor(math.log2(shrink))) if shrink > 1 else 0


def _strips(level: Image) -> Iterator[tuple[int, Floats]]:
    """A copy (h, w, 3) with a frame around it, in strips (1, 3, rows, w + 2 * frame) that P-Net takes one by
    one; each with the place of its first row in the copy."""
    framed = np.pad(level, ((_FRAME, _FRAME), (_FRAME, _FRAME), (0, 0)), constant_values=_BEYOND)
    height, width = framed.shape[:2]
    rows = max(_WINDOW, _STRIP_PIXELS // width // 2 * 2)
    overlap = _WINDOW - 2
    for top in range(0, height - overlap, rows - overlap):
        yield top - _FRAME, _network_input(framed[None, top : top + rows])


def _network_input(pixels: npt.NDArray[np.uint8]) -> Floats:
    """(n, h, w, 3) -> (n, 3, h, w)."""
    return pixels.transpose(0, 3, 1, 2).astype(np.float32, order="C")


def _corrected(boxes: Floats, shifts: Floats) -> Floats:
    """Boxes (n, 4) moved by shifts (n, 4) in units of their own width and height."""
    sides = boxes[:, 2:] - boxes[:, :2]
    moved: Floats = boxes + shifts * np.concatenate([sides, sides], axis=1)
    return moved


def _sigmoid(logit: Floats) -> Floats:
    scores = np.empty_like(logit)
    np.exp(-np.logaddexp(np.float32(0), -logit), out=scores)
    return scores

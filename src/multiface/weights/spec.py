"""What an embedder wants to be fed, and the fingerprint that keeps vectors of different embedders apart.

An embedder is an ONNX file together with an `InputSpec`. Its fingerprint is the sha256 over both, so that
the same file read with another colour order or another landmark template counts as another embedder:
their vectors must never meet.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Literal

from multiface.errors import WeightsError
from multiface.json_text import parse_json, record_from
from multiface.plain_number import plain_number

Point = tuple[float, float]

FARTHEST = 1e4
"""Pixels from the corner of a crop at which a point of its template cannot be meant."""
LARGEST = 1e6
"""Of `mean`, `std` and 1 / `std`: what is larger is no value of pixels."""

ARCFACE_TEMPLATE: tuple[Point, ...] = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
"""The usual five points in a 112 x 112 crop (left eye in the picture, right eye, nose, mouth corners)."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How a crop becomes the input of an embedding network.

    The network is fed float32 `(n, 3, height, width)` with value `(pixel - mean[c]) / std[c]`, where `pixel`
    is 0..255 and channel c is in the order of `colour`.

    width, height: size of the crop in pixels.
    colour: "rgb" or "bgr", the order of the channels in the network's input.
    mean, std: three numbers each, in units of 0..255 pixel values, in the order of `colour`; std > 0.
    template: five (x, y) points in pixels of the crop: the left eye in the picture, right eye, nose, left
        and right mouth corner.
    dimension: length of the embedding.
    """

    width: int
    height: int
    colour: Literal["rgb", "bgr"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    template: tuple[Point, ...]
    dimension: int

    def __post_init__(self) -> None:
        points = [number for point in self.template for number in point]
        numbers = [
            plain_number(number, "input spec: a size, mean, std or template")
            for number in (self.width, self.height, self.dimension, *self.mean, *self.std, *points)
        ]
        if not (8 <= self.width <= 1024 and 8 <= self.height <= 1024):
            raise WeightsError(f"input spec: size {self.width}x{self.height} is not within 8..1024 pixels")
        if not isinstance(self.colour, str) or self.colour not in ("rgb", "bgr"):
            raise WeightsError(f'input spec: colour must be "rgb" or "bgr", not {self.colour!r}')
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise WeightsError("input spec: mean and std are three numbers each, std above zero")
        if len(self.template) != 5 or any(len(point) != 2 for point in self.template):
            raise WeightsError("input spec: template is five (x, y) points in pixels of the crop")
        if not all(map(math.isfinite, numbers)):
            raise WeightsError("input spec: mean, std and template are finite numbers")
        if max(map(abs, (*self.mean, *self.std))) > LARGEST or min(self.std) < 1 / LARGEST:
            raise WeightsError("input spec: mean and std are in units of pixel values, 0..255")
        if max(map(abs, points)) > FARTHEST or len(set(self.template)) == 1:
            raise WeightsError(
                f"input spec: template is five points of a face in the crop; {FARTHEST:.0f} pixels away is too far"
            )
        if self.dimension < 1:
            raise WeightsError(f"input spec: dimension {self.dimension} is not positive")

    @staticmethod
    def for_crops(
        dimension: int, width: int = 112, height: int = 112, template: tuple[Point, ...] = ARCFACE_TEMPLATE
    ) -> "InputSpec":
        """Of a network that takes RGB crops of 0..255 as they are, as one of your own may."""
        return InputSpec(width, height, "rgb", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), template, dimension)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces; equal specs give equal text."""
        # 0.0 + x: the whole number 1 and 1.0 are equal, and so are 0.0 and -0.0; each pair has one text.
        numbers = {
            "mean": [0.0 + x for x in self.mean],
            "std": [0.0 + x for x in self.std],
            "template": [[0.0 + x, 0.0 + y] for x, y in self.template],
        }
        return json.dumps(asdict(self) | numbers, sort_keys=True, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> "InputSpec":
        """Inverse of `to_json`. Raises WeightsError on missing, unknown or ill-typed entries."""
        try:
            return record_from(parse_json(text), InputSpec)
        except ValueError as error:
            raise WeightsError(f"input spec: not readable ({error})") from error


def fingerprint(file_sha256: str, spec: InputSpec) -> str:
    """sha256 (hex) over a file's sha256 (hex) and its input spec."""
    return hashlib.sha256(f"{file_sha256}\n{spec.to_json()}".encode()).hexdigest()

"""Aligned crops to vectors, in batches.

An embedding is of unit length, so that the cosine of two faces is the dot product of their embeddings. With
flips, each crop and its mirror image are embedded, and the unit embedding of the sum of the two unit vectors
is returned.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats
from multiface.errors import WeightsError
from multiface.weights.spec import InputSpec

BATCH = 16
"""Crops a call of the network; more did not run faster on a processor and takes more memory."""


class EmbeddingNetwork(Protocol):
    """A network that turns aligned crops into vectors. To use one of your own, write a class of this shape.

    Several threads may call it at once.
    """

    @property
    def name(self) -> str:
        """Short name, for messages and calibrations."""

    @property
    def fingerprint(self) -> str:
        """What tells this network from every other: vectors of different fingerprints never meet in a gallery.

        Change it whenever the vectors change, as a sha256 over the weights does.
        """

    @property
    def spec(self) -> InputSpec:
        """Size and landmark template of the crops, and length of the vectors (`InputSpec.for_crops`)."""

    @property
    def flip(self) -> bool:
        """Whether mirror images are embedded too unless the user says otherwise."""

    def features(self, crops: npt.NDArray[np.uint8], /) -> npt.NDArray[np.float32]:
        """Raw features, float32 (n, d) of any length, of up to 16 crops, uint8 (n, h, w, 3), RGB."""


class Embedder:
    """Unit embeddings from a network: batches, flips, and a check that the network keeps its promise."""

    def __init__(self, network: EmbeddingNetwork) -> None:
        self.flip = network.flip
        self.spec = network.spec
        self.name = network.name
        self.fingerprint = network.fingerprint
        self.network = network

    def embed(self, crops: npt.NDArray[np.uint8], flip: bool = True) -> Floats:
        """Unit embeddings, float32 (n, d), of uint8 (n, h, w, 3) RGB crops of the size of the input spec."""
        return self.embed_with_norms(crops, flip)[0]

    def embed_with_norms(self, crops: npt.NDArray[np.uint8], flip: bool = True) -> tuple[Floats, Floats]:
        """The same, and the length of the raw feature of each crop as it is, not mirrored: float32 (n,)."""
        features = self.features(crops)
        unit = normalised(features)
        if flip:
            unit = normalised(unit + normalised(self.features(crops[:, :, ::-1])))
        return unit, np.linalg.norm(features, axis=1)

    def features(self, crops: npt.NDArray[np.uint8]) -> Floats:
        """Raw features as the network gives them, float32 (n, d); their norms tell of the crop's quality.

        Raises WeightsError for other crops, and for a network that returns anything but finite float32 (n, d).
        """
        spec = self.spec
        if not isinstance(crops, np.ndarray):
            raise WeightsError(
                f"{self.name} wants an array of crops, not {type(crops).__name__}", name=self.name
            )
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (spec.height, spec.width, 3):
            raise WeightsError(
                f"{self.name} wants uint8 crops (n, {spec.height}, {spec.width}, 3), "
                f"not {crops.dtype} {crops.shape}",
                name=self.name,
            )
        features = np.empty((len(crops), spec.dimension), np.float32)
        for start in range(0, len(crops), BATCH):
            batch = crops[start : start + BATCH]
            output = np.asarray(self.network.features(batch))
            if output.shape != (len(batch), spec.dimension):
                raise WeightsError(
                    f"{self.name} gave {output.shape} where its input spec promises "
                    f"({len(batch)}, {spec.dimension})",
                    name=self.name,
                )
            features[start : start + len(batch)] = output
        if not np.isfinite(features).all():
            raise WeightsError(f"{self.name} gave numbers that are not finite", name=self.name)
        return features


def normalised(vectors: Floats) -> Floats:
    """Vectors (n, d) scaled to unit length; a vector of zeros stays zero."""
    # In float64: squares of very small or large float32 numbers vanish or overflow.
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    unit: Floats = (vectors / np.where(norms > 0, norms, 1.0)).astype(np.float32)
    return unit

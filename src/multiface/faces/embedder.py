"""Aligned crops to vectors, in batches.

An embedding is of unit length, so that the cosine of two faces is the dot product of their embeddings. With
flips, each crop and its mirror image are embedded, and the unit embedding of the sum of the two unit vectors
is returned.
"""

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats
from multiface.errors import WeightsError
from multiface.weights.session import Session
from multiface.weights.spec import InputSpec

BATCH = 16
"""Crops a call of the network; more did not run faster on a processor and takes more memory."""


class Embedder:
    """An embedding network with its input spec.

    session: the network, with a free batch. name: of the weights. fingerprint: sha256 of file and spec. flip: whether
    mirror images are worth embedding too, so whether that is done unless the user says otherwise.
    """

    def __init__(
        self,
        session: Session,
        spec: InputSpec,
        name: str,
        fingerprint: str,
        flip: bool = True,
    ) -> None:
        self.flip = flip
        self.spec = spec
        self.name = name
        self.fingerprint = fingerprint
        self._session = session
        self._input = session.get_inputs()[0].name
        self._mean = np.array(spec.mean, np.float32)
        self._inverse_std = (1.0 / np.array(spec.std)).astype(np.float32)

    def embed(self, crops: npt.NDArray[np.uint8], flip: bool = True) -> Floats:
        """Unit embeddings, float32 (n, d), of uint8 (n, h, w, 3) RGB crops of the size of the input spec."""
        return self.embed_with_norms(crops, flip)[0]

    def embed_with_norms(self, crops: npt.NDArray[np.uint8], flip: bool = True) -> tuple[Floats, Floats]:
        """The same, and the length of the raw feature of each crop as it is, not mirrored: float32 (n,)."""
        features = self._run(crops)
        unit = normalised(features)
        if flip:
            unit = normalised(unit + normalised(self._run(crops[:, :, ::-1])))
        return unit, np.linalg.norm(features, axis=1)

    def features(self, crops: npt.NDArray[np.uint8]) -> Floats:
        """Raw features as the network gives them, float32 (n, d); their norms tell of the crop's quality."""
        return self._run(crops)

    def _run(self, crops: npt.NDArray[np.uint8]) -> Floats:
        spec = self.spec
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (spec.height, spec.width, 3):
            raise WeightsError(
                f"{self.name} wants uint8 crops (n, {spec.height}, {spec.width}, 3), "
                f"not {crops.dtype} {crops.shape}"
            )
        features = np.empty((len(crops), spec.dimension), np.float32)
        for start in range(0, len(crops), BATCH):
            batch = crops[start : start + BATCH]
            if spec.colour == "bgr":
                batch = batch[..., ::-1]
            tensor = (batch.astype(np.float32) - self._mean) * self._inverse_std
            (output,) = self._session.run(
                None, {self._input: np.ascontiguousarray(tensor.transpose(0, 3, 1, 2))}
            )
            if output.shape != (len(batch), spec.dimension):
                raise WeightsError(
                    f"{self.name} gave {output.shape} where its input spec promises "
                    f"({len(batch)}, {spec.dimension})"
                )
            features[start : start + len(batch)] = output
        return features


def normalised(vectors: Floats) -> Floats:
    """Vectors (n, d) scaled to unit length; a vector of zeros stays zero."""
    # In float64: squares of very small or large float32 numbers vanish or overflow.
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    unit: Floats = (vectors / np.where(norms > 0, norms, 1.0)).astype(np.float32)
    return unit

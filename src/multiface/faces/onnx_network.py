"""An embedding network in an ONNX file, fed as its input spec says."""

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats
from multiface.weights.session import Session
from multiface.weights.spec import InputSpec


class OnnxNetwork:
    """An `EmbeddingNetwork` from an ONNX file.

    session: the network, with a free batch. name: of the weights. fingerprint: sha256 of file and spec. flip: whether
    mirror images are worth embedding too.
    """

    def __init__(
        self, session: Session, spec: InputSpec, name: str, fingerprint: str, flip: bool = True
    ) -> None:
        self.spec = spec
        self.name = name
        self.fingerprint = fingerprint
        self.flip = flip
        self._session = session
        self._input = session.get_inputs()[0].name
        self._mean = np.array(spec.mean, np.float32)
        self._inverse_std = (1.0 / np.array(spec.std)).astype(np.float32)

    def features(self, crops: npt.NDArray[np.uint8], /) -> Floats:
        """The network's output for uint8 crops (n, h, w, 3), RGB."""
        if self.spec.colour == "bgr":
            crops = crops[..., ::-1]
        tensor = (crops.astype(np.float32) - self._mean) * self._inverse_std
        (output,) = self._session.run(None, {self._input: np.ascontiguousarray(tensor.transpose(0, 3, 1, 2))})
        features: Floats = output
        return features

"""The kinds of arrays that rooms hand to each other, and vectors as bytes. Open to every room.

Shapes are stated where an array is made.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
"""Vectors, boxes, landmarks, scores."""
Doubles = npt.NDArray[np.float64]
"""What is measured or computed on."""
Ints = npt.NDArray[np.int64]
Indices = npt.NDArray[np.intp]
"""Positions in another array."""
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
"""0..255."""


def vector_bytes(vector: Floats) -> bytes:
    """A vector as files and galleries keep it: little-endian float32."""
    return vector.astype("<f4").tobytes()


def vector_from(data: bytes) -> Floats:
    """Inverse of `vector_bytes`. Raises ValueError for bytes that are no whole number of floats."""
    return np.frombuffer(data, "<f4").astype(np.float32)

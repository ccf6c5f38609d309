"""The kinds of arrays that rooms hand to each other. Open to every room; shapes are stated where an array is made."""

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

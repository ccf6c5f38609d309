"""Vectors to unit length, sound at zero.

`x / ||x||` has no value at the zero vector, and the usual cure (divide by `max(||x||, epsilon)`) multiplies
the gradient there by 1 / epsilon. Here a zero vector stays zero and passes no gradient; every other vector
is divided by its exact norm.
"""

import torch
from torch import Tensor

SMALLEST_NORM = 1e-12
"""Vectors shorter than this count as zero."""


def unit(vectors: Tensor) -> Tensor:
    """Vectors (..., d) to length 1 along the last axis; those shorter than SMALLEST_NORM to zero.

    Float dtype and device are kept. The gradient is finite everywhere, and zero for zero vectors.
    """
    norm = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    divisor: Tensor = norm.masked_fill(norm < SMALLEST_NORM, torch.inf)
    return vectors / divisor

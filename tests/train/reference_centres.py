"""Class centres as the original MultiFace keeps them: `para0` .. `para<N-1>` or `kernel`, each (d, C)."""

import torch
from torch import Tensor


def centres_from_reference(state: dict[str, Tensor]) -> Tensor:
    """To centres (N, C, d)."""
    return torch.stack([kernel.T for kernel in state.values()])


def centres_to_reference(centres: Tensor) -> dict[str, Tensor]:
    """From centres (N, C, d)."""
    return {f"para{i}": kernel.T.contiguous() for i, kernel in enumerate(centres)}

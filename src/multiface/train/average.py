"""A running mean of a network's weights (exponential moving average), which often measures better than the
last ones.

mean <- mean + (1 - d) (weights - mean) after each step, d = min(decay, (1 + t) / (10 + t)) at step t (from
0), so that the random first weights are soon forgotten (as in TensorFlow's ExponentialMovingAverage).
Statistics of batch norm are averaged in the same way, counters copied.
"""

import copy

import torch
from torch import Tensor

from multiface.train.building import Network


class Average:
    """The mean of a network's weights. network: a network with these weights, in evaluation mode."""

    def __init__(self, network: Network, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self._decay = decay

    @torch.no_grad()
    def update(self, network: Network, step: int) -> None:
        """Take in the weights after step `step` (from 0)."""
        decay = min(self._decay, (1 + step) / (10 + step))
        own: dict[str, Tensor] = self.network.state_dict()
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                own[name].lerp_(value, 1 - decay)
            else:
                own[name].copy_(value)

"""A running mean of a network's weights (exponential moving average), which often measures better than the
last ones.

mean <- mean + (1 - d) (weights - mean) after each step, d = min(decay, (1 + t) / (10 + t)) at step t (from
0), so that the random first weights are soon forgotten (as in TensorFlow's ExponentialMovingAverage).
Statistics of batch norm are averaged in the same way, counters copied.
"""

import copy

import torch

from multiface.train.building import Network


class Average:
    """The mean of a network's weights. network: a network with these weights, in evaluation mode."""

    def __init__(self, network: Network, decay: float) -> None:
        """network: what is averaged from now on; its tensors must stay in their places."""
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self._decay = decay
        own, of = self.network.state_dict(), network.state_dict()
        means = [name for name, value in own.items() if value.is_floating_point()]
        counters = [name for name in own if name not in set(means)]
        self._means = [own[name] for name in means], [of[name] for name in means]
        self._counters = [own[name] for name in counters], [of[name] for name in counters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step `step` (from 0)."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(*self._means, 1 - decay)
        if self._counters[0]:
            torch._foreach_copy_(*self._counters)

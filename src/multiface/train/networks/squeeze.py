"""Squeeze-and-excitation: a weight per channel from the channel means (Hu et al. 2018, arXiv:1709.01507)."""

from torch import Tensor, nn


class SqueezeExcitation(nn.Module):
    """Multiplies each channel by a weight in (0, 1): mean, 1x1 to channels / 16, ReLU, 1x1 back, sigmoid.

    (n, channels, h, w) to the same shape. Keys: `fc1.weight`, `fc2.weight` (no biases).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 16, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        means = features.mean((2, 3), keepdim=True)
        weights: Tensor = self.fc2(self.fc1(means).relu()).sigmoid()
        return features * weights

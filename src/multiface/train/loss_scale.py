"""The factor on an fp16 loss that keeps its gradients from vanishing.

Halved after a step whose gradients were not finite (nothing is learned from it), doubled after GROW finite steps in a
row. Powers of two, so that multiplying and dividing by it rounds nothing. It lives on the host, which learns once a
step whether the gradients were finite; PyTorch's GradScaler asks the GPU on its own and has the host wait twice.

Source: Micikevicius et al. 2018 (arXiv:1710.03740), section 3.2; constants as torch.amp.GradScaler.
"""

from dataclasses import dataclass

GROW = 2000
"""Finite steps in a row after which the scale is doubled."""


@dataclass(slots=True)
class LossScale:
    """value: the factor. growth: finite steps since it last changed."""

    value: float = 65536.0
    growth: int = 0

    def move(self, finite: bool) -> None:
        """To the scale of the next step."""
        self.growth = self.growth + 1 if finite else 0
        if not finite:
            self.value /= 2
        elif self.growth == GROW:
            self.value, self.growth = 2 * self.value, 0

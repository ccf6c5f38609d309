"""IR and IR-SE networks of 18, 34, 50, 100 and 152 layers, with the parameter names of the published
checkpoints.

The improved residual unit of Deng et al. 2019 (ArcFace, arXiv:1801.07698, section 3.1): batch norm, 3x3,
PReLU, 3x3 with the stride, batch norm; IR-SE adds squeeze-and-excitation. Input float32 (n, 3, 112, 112),
value (pixel / 255 - 0.5) / 0.5; the stem keeps 112, each of the four stages halves it: 56, 28, 14, 7.
"""

from collections.abc import Iterator
from typing import Literal, get_args

from torch import Tensor, nn

from multiface.errors import UsageError
from multiface.train.networks.squeeze import SqueezeExcitation
from multiface.train.networks.unit import unit

Depth = Literal[18, 34, 50, 100, 152]

_UNITS: dict[int, tuple[int, int, int, int]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 14, 3),
    100: (3, 13, 30, 3),
    152: (3, 8, 36, 3),
}


class _Unit(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, excitation: bool) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module
        if inputs == outputs:
            self.shortcut_layer = nn.MaxPool2d(1, stride)
        else:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        if excitation:
            self.res_layer.append(SqueezeExcitation(outputs))

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.res_layer(features) + self.shortcut_layer(features)
        return out


class IResNet(nn.Module):
    """IR (or with `squeeze_excitation` IR-SE) of `depth` layers; the embedding has 512 dimensions.

    depth: 18, 34, 50, 100 or 152 (34 to 152 are the published ones); 50 has 43.6 million parameters and
        6.3 thousand million multiply-adds.
    dropout: share of the last feature map that is dropped while training, 0 <= dropout < 1.
    """

    def __init__(self, depth: int, squeeze_excitation: bool = False, dropout: float = 0.6) -> None:
        super().__init__()
        if depth not in _UNITS:
            raise UsageError(f"IResNet: depth must be one of {get_args(Depth)}, not {depth}")
        if not 0 <= dropout < 1:
            raise UsageError(f"IResNet: dropout must be at least 0 and below 1, not {dropout}")
        self.embedding_size = 512
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64)
        )
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(512),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(512 * 7 * 7, 512),
            nn.BatchNorm1d(512),
        )
        units: list[nn.Module] = []
        inputs = 64
        for outputs, count in zip((64, 128, 256, 512), _UNITS[depth], strict=True):
            for number in range(count):
                units.append(_Unit(inputs, outputs, 2 if number == 0 else 1, squeeze_excitation))
                inputs = outputs
        self.body = nn.Sequential(*units)

    @property
    def units(self) -> Iterator[nn.Module]:
        """The residual units, the first one first."""
        yield from self.body

    def stem(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) to what the first unit is fed, (n, 64, 112, 112)."""
        out: Tensor = self.input_layer(pictures)
        return out

    def feature_map(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) to what the embedding is made of, (n, 25088): normalised, dropped out, flat."""
        return self.flat_map(self.body(self.stem(pictures)))

    def flat_map(self, features: Tensor) -> Tensor:
        """The last feature map (n, 512, 7, 7) to (n, 25088); the end of `feature_map`."""
        norm, dropout, flatten, _, _ = self.output_layer
        out: Tensor = flatten(dropout(norm(features)))
        return out

    def embedding_of(self, feature_map: Tensor) -> Tensor:
        """A feature map (n, 25088) to the vector before it is brought to unit length, (n, 512)."""
        *_, linear, norm = self.output_layer
        out: Tensor = norm(linear(feature_map))
        return out

    def features(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) to the vector before it is brought to unit length, (n, 512)."""
        out: Tensor = self.output_layer(self.body(self.input_layer(pictures)))
        return out

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) to unit embeddings (n, 512)."""
        return unit(self.features(pictures))

"""MobileFaceNet (Chen et al. 2018, arXiv:1804.07573), with the parameter names of the published checkpoints.

Input float32 (n, 3, 112, 112), value (pixel / 255 - 0.5) / 0.5. Spatial sizes on the way:
112 -> 56 (conv1) -> 28 (conv_23) -> 14 (conv_34) -> 7 (conv_45) -> 1 (conv_6_dw).
"""

from torch import Tensor, nn

from multiface.errors import UsageError
from multiface.train.networks.squeeze import SqueezeExcitation
from multiface.train.networks.unit import unit


class _Conv(nn.Module):
    """Convolution without bias, batch norm, and PReLU where `active`."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        active: bool = True,
    ) -> None:
        super().__init__()
        padding = 1 if kernel == 3 else 0
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs) if active else None

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.bn(self.conv(features))
        return out if self.prelu is None else self.prelu(out)


class _Bottleneck(nn.Module):
    """1x1 up to `middle` channels, 3x3 depthwise, 1x1 down; added to its input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, middle: int, stride: int, excitation: bool) -> None:
        super().__init__()
        self.conv = _Conv(inputs, middle)
        self.conv_dw = _Conv(middle, middle, 3, stride, groups=middle)
        self.project = _Conv(middle, outputs, active=False)
        self.se = SqueezeExcitation(outputs) if excitation else None
        self.residual = stride == 1

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.project(self.conv_dw(self.conv(features)))
        if self.se is not None:
            out = self.se(out)
        return features + out if self.residual else out


class _Stack(nn.Module):
    """`count` residual bottlenecks of one width."""

    def __init__(self, count: int, channels: int, middle: int, excitation: bool) -> None:
        super().__init__()
        self.model = nn.Sequential(
            *(_Bottleneck(channels, channels, middle, 1, excitation) for _ in range(count))
        )

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.model(features)
        return out


class MobileFaceNet(nn.Module):
    """A network of 1.2 million parameters (at width 1 and 512 dimensions) and 221 million multiply-adds.

    embedding_size: length of the embedding, at least 1.
    width: factor on every number of channels (rounded to a multiple of 16, at least 16); 1 is the paper's.
    squeeze_excitation: a SqueezeExcitation at the end of each bottleneck; the published checkpoints have
    none.
    """

    def __init__(
        self, embedding_size: int = 512, width: float = 1.0, squeeze_excitation: bool = False
    ) -> None:
        super().__init__()
        if embedding_size < 1:
            raise UsageError(f"MobileFaceNet: embedding size must be at least 1, not {embedding_size}")
        if not 0.1 <= width <= 8:
            raise UsageError(f"MobileFaceNet: width must be within 0.1..8, not {width}")
        c64, c128, c256, c512 = (max(16, round(width * c / 16) * 16) for c in (64, 128, 256, 512))
        se = squeeze_excitation
        self.embedding_size = embedding_size
        self.conv1 = _Conv(3, c64, 3, 2)
        self.conv2_dw = _Conv(c64, c64, 3, groups=c64)
        self.conv_23 = _Bottleneck(c64, c64, c128, 2, se)
        self.conv_3 = _Stack(4, c64, c128, se)
        self.conv_34 = _Bottleneck(c64, c128, c256, 2, se)
        self.conv_4 = _Stack(6, c128, c256, se)
        self.conv_45 = _Bottleneck(c128, c128, c512, 2, se)
        self.conv_5 = _Stack(2, c128, c256, se)
        self.conv_6_sep = _Conv(c128, c512)
        self.conv_6_dw = _Conv(c512, c512, 7, groups=c512, active=False)
        self.linear = nn.Linear(c512, embedding_size, bias=False)
        self.bn = nn.BatchNorm1d(embedding_size)

    def feature_map(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) to what the embedding is made of, (n, c) with c = 512 at width 1."""
        out = self.conv_3(self.conv_23(self.conv2_dw(self.conv1(pictures))))
        out = self.conv_5(self.conv_45(self.conv_4(self.conv_34(out))))
        flat: Tensor = self.conv_6_dw(self.conv_6_sep(out)).flatten(1)
        return flat

    def embedding_of(self, feature_map: Tensor) -> Tensor:
        """A feature map (n, c) to the vector before it is brought to unit length, (n, embedding_size)."""
        result: Tensor = self.bn(self.linear(feature_map))
        return result

    def features(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) to the vector before it is brought to unit length, (n, embedding_size)."""
        return self.embedding_of(self.feature_map(pictures))

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) to unit embeddings (n, embedding_size)."""
        return unit(self.features(pictures))

"""IResNet as arcface_torch and InsightFace train it: of 18, 34, 50, 100 and 200 layers, with their parameter names.

Otherwise than the original MultiFace's IR (iresnet.py): a batch norm behind the first convolution of each unit too; a
shortcut by convolution wherever a stage begins; no dropout; convolutions begin as N(0, 0.1); the last batch norm has
no scale of its own (fixed at 1), since the length of the embedding is nobody's business. The last layer is called
`norm` here; in files of arcface_torch it is `features`.

Source: arcface_torch of InsightFace (github.com/deepinsight/insightface, recognition/arcface_torch/backbones), whose
weights are read; the unit is that of Han et al. 2017 (arXiv:1610.02915) as in Deng et al. 2019 (arXiv:1801.07698).
Input float32 (n, 3, 112, 112), value (pixel / 255 - 0.5) / 0.5, RGB; stages of 56, 28, 14 and 7.
"""

from collections.abc import Iterator
from typing import Literal, get_args

from torch import Tensor, nn

from multiface.errors import UsageError
from multiface.train.networks.unit import unit

ArcDepth = Literal[18, 34, 50, 100, 200]

_UNITS: dict[int, tuple[int, int, int, int]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 14, 3),
    100: (3, 13, 30, 3),
    200: (6, 26, 60, 6),
}


class ArcUnit(nn.Module):
    """Norm, 3x3, norm, PReLU, 3x3 with the stride, norm; added to its input, by a convolution where it shrinks."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(features))))))
        return out + (features if self.downsample is None else self.downsample(features))


class ArcIResNet(nn.Module):
    """IResNet of `depth` layers; 50 has 43.6 million parameters.

    depth: 18, 34, 50, 100 or 200. embedding_size: at least 1. dropout: share of the last feature map that is dropped
    while training, 0 <= dropout < 1.
    """

    def __init__(self, depth: int, embedding_size: int = 512, dropout: float = 0.0) -> None:
        super().__init__()
        if depth not in _UNITS:
            raise UsageError(f"IResNet: depth must be one of {get_args(ArcDepth)}, not {depth}")
        if embedding_size < 1:
            raise UsageError(f"IResNet: embedding size must be at least 1, not {embedding_size}")
        if not 0 <= dropout < 1:
            raise UsageError(f"IResNet: dropout must be at least 0 and below 1, not {dropout}")
        self.embedding_size = embedding_size
        self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.prelu = nn.PReLU(64)
        stages: list[nn.Sequential] = []
        inputs = 64
        for outputs, count in zip((64, 128, 256, 512), _UNITS[depth], strict=True):
            units = [ArcUnit(inputs, outputs, 2), *(ArcUnit(outputs, outputs, 1) for _ in range(count - 1))]
            stages.append(nn.Sequential(*units))
            inputs = outputs
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.bn2 = nn.BatchNorm2d(512)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(512 * 7 * 7, embedding_size)
        self.norm = nn.BatchNorm1d(embedding_size)
        self.norm.weight.requires_grad_(False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0, 0.1)

    @property
    def units(self) -> Iterator[ArcUnit]:
        """The residual units, the first one first."""
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            for one in stage:
                assert isinstance(one, ArcUnit)
                yield one

    def stem(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) to what the first unit is fed, (n, 64, 112, 112)."""
        out: Tensor = self.prelu(self.bn1(self.conv1(pictures)))
        return out

    def flat_map(self, features: Tensor) -> Tensor:
        """The last feature map (n, 512, 7, 7) to (n, 25088); the end of `feature_map`."""
        out: Tensor = self.dropout(self.bn2(features).flatten(1))
        return out

    def feature_map(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) to what the embedding is made of, (n, 25088)."""
        return self.flat_map(self.layer4(self.layer3(self.layer2(self.layer1(self.stem(pictures))))))

    def embedding_of(self, feature_map: Tensor) -> Tensor:
        """A feature map (n, 25088) to the vector before it is brought to unit length, (n, embedding_size)."""
        out: Tensor = self.norm(self.fc(feature_map))
        return out

    def features(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) to the vector before it is brought to unit length, (n, embedding_size)."""
        return self.embedding_of(self.feature_map(pictures))

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) to unit embeddings (n, embedding_size)."""
        return unit(self.features(pictures))

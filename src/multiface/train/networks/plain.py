"""A network of three convolutions on small pictures, for experiments of a minute a run on one processor core.

Input float32 (n, 3, 112, 112), value (pixel / 255 - 0.5) / 0.5, as every network here; the first layer takes the mean
of each 4 x 4 pixels. Pictures of 28 x 28, of which that was made before, are taken as they are. Spatial sizes: 28 -> 14
-> 7 -> 4. It is no network to recognise anybody with.
"""

from torch import Tensor, nn

from multiface.errors import UsageError
from multiface.train.networks.unit import unit

SIDE = 28


class PlainNet(nn.Module):
    """Three 3x3 convolutions of stride 2, each with batch norm and PReLU, and a linear layer with batch norm.

    embedding_size: length of the embedding, at least 1.
    width: factor on the channels 32, 64 and 128; 0.1..8.
    """

    def __init__(self, embedding_size: int = 128, width: float = 1.0) -> None:
        super().__init__()
        if embedding_size < 1:
            raise UsageError(f"PlainNet: embedding size must be at least 1, not {embedding_size}")
        if not 0.1 <= width <= 8:
            raise UsageError(f"PlainNet: width must be within 0.1..8, not {width}")
        channels = [max(4, round(width * c)) for c in (32, 64, 128)]
        self.embedding_size = embedding_size
        self.shrink = nn.AdaptiveAvgPool2d(SIDE)  # means of 4 x 4 pixels of 112; nothing for 28
        self.units = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False),
                    nn.BatchNorm2d(outputs),
                    nn.PReLU(outputs),
                )
                for inputs, outputs in zip([3, *channels], channels, strict=False)
            )
        )
        self.linear = nn.Linear(16 * channels[-1], embedding_size, bias=False)
        self.bn = nn.BatchNorm1d(embedding_size)

    def feature_map(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) or (n, 3, 28, 28) to what the embedding is made of, (n, 16 c) with c = 128 at width 1."""
        flat: Tensor = self.units(self.shrink(pictures)).flatten(1)
        return flat

    def embedding_of(self, feature_map: Tensor) -> Tensor:
        """A feature map (n, 16 c) to the vector before it is brought to unit length, (n, embedding_size)."""
        result: Tensor = self.bn(self.linear(feature_map))
        return result

    def features(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) to the vector before it is brought to unit length, (n, embedding_size)."""
        return self.embedding_of(self.feature_map(pictures))

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) to unit embeddings (n, embedding_size)."""
        return unit(self.features(pictures))

"""Vision transformers for faces: of 12 layers (S) and of 24 (B), in the shape that InsightFace trains.

Dosovitskiy et al. 2020 (arXiv:2010.11929), with what InsightFace changed for faces (arcface_torch, backbones/vit.py,
github.com/deepinsight/insightface): 512 channels and 8 heads in both, ReLU6, no class token; the embedding is made of
all tokens at once, by two linear layers with batch norms. Otherwise than there: patches of 8 pixels, which divide 112
without a rest (9 there, which leaves out 4 pixels of each side), and no tokens are masked while training.

Letters: n pictures, t = 14 x 14 tokens, c channels, h heads. Input float32 (n, 3, 112, 112), value
(pixel / 255 - 0.5) / 0.5. Units add to their input: attention of the normalised tokens, then two linear layers of the
same; where `drop_path` is above 0, one face in so many does without (stochastic depth, Huang et al. 2016,
arXiv:1603.09382), more of them in later units.
"""

from collections.abc import Iterator
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from multiface.errors import UsageError
from multiface.train.networks.unit import unit

VitDepth = Literal[12, 24]

SIDE = 112
PATCH = 8
TOKENS = (SIDE // PATCH) ** 2
HEAD = 64
"""Channels of a head."""
_CHANNELS = 512


class Tokens(nn.Module):
    """Pictures (n, 3, 112, 112) to tokens (n, t, c): a linear layer of each patch, and a vector for its place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, channels, PATCH, PATCH)
        self.position = nn.Parameter(torch.empty(1, TOKENS, channels))
        nn.init.trunc_normal_(self.position, std=0.02)

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        out: Tensor = self.proj(pictures).flatten(2).transpose(1, 2) + self.position
        return out


class Attention(nn.Module):
    """Tokens (n, t, c) to (n, t, c): each head's mean of the values, weighed by softmax(q . k / sqrt(c / h))."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.proj = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class."""
        n, t, c = tokens.shape
        q, k, v = self.qkv(tokens).view(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.proj(mixed.transpose(1, 2).reshape(n, t, c))
        return out


class Mlp(nn.Module):
    """Tokens (n, t, c) to (n, t, c): linear to 4 c, ReLU6, linear."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, 4 * channels)
        self.fc2 = nn.Linear(4 * channels, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class."""
        out: Tensor = self.fc2(nn.functional.relu6(self.fc1(tokens)))
        return out


class DropPath(nn.Module):
    """In training, nothing for a share of the faces, and more for the others, so that the mean stays."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, t, c) to (n, t, c)."""
        if not self.training or not self.share:
            return tokens
        kept = torch.rand(len(tokens), 1, 1, device=tokens.device) >= self.share
        return tokens * kept / (1 - self.share)


class VitUnit(nn.Module):
    """Attention and linear layers, each of the normalised tokens, each added to them."""

    def __init__(self, channels: int, heads: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn = Attention(channels, heads)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = Mlp(channels)
        self.drop = DropPath(drop_path)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, t, c) to (n, t, c)."""
        tokens = tokens + self.drop(self.attn(self.norm1(tokens)))
        out: Tensor = tokens + self.drop(self.mlp(self.norm2(tokens)))
        return out


class VisionTransformer(nn.Module):
    """A vision transformer of `depth` layers; of 12 it has 89 million parameters, 51 of them in the embedding layer.

    depth: 12 (S) or 24 (B). embedding_size: at least 1. width: factor on the 512 channels, rounded to a multiple of
    HEAD, at least HEAD. drop_path: of the last unit, 0 <= drop_path < 1.
    """

    def __init__(
        self, depth: int, embedding_size: int = 512, width: float = 1.0, drop_path: float = 0.0
    ) -> None:
        super().__init__()
        if depth not in get_args(VitDepth):
            raise UsageError(f"ViT: depth must be one of {get_args(VitDepth)}, not {depth}")
        if embedding_size < 1:
            raise UsageError(f"ViT: embedding size must be at least 1, not {embedding_size}")
        if not 0.1 <= width <= 8:
            raise UsageError(f"ViT: width must be within 0.1..8, not {width}")
        if not 0 <= drop_path < 1:
            raise UsageError(f"ViT: drop_path must be at least 0 and below 1, not {drop_path}")
        self.embedding_size = embedding_size
        channels = max(HEAD, round(width * _CHANNELS / HEAD) * HEAD)
        self.tokens = Tokens(channels)
        self.blocks = nn.ModuleList(
            VitUnit(channels, channels // HEAD, drop_path * number / (depth - 1)) for number in range(depth)
        )
        self.norm = nn.LayerNorm(channels)
        self.feature = nn.Sequential(
            nn.Linear(channels * TOKENS, channels, bias=False),
            nn.BatchNorm1d(channels, eps=2e-5),
            nn.Linear(channels, embedding_size, bias=False),
            nn.BatchNorm1d(embedding_size, eps=2e-5),
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    @property
    def units(self) -> Iterator[nn.Module]:
        """The residual units, the first one first."""
        yield from self.blocks

    def stem(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) to what the first unit is fed, (n, t, c)."""
        out: Tensor = self.tokens(pictures)
        return out

    def flat_map(self, tokens: Tensor) -> Tensor:
        """The last tokens (n, t, c) to (n, t c); the end of `feature_map`."""
        out: Tensor = self.norm(tokens).flatten(1)
        return out

    def feature_map(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) to what the embedding is made of, (n, t c)."""
        tokens = self.stem(pictures)
        for one in self.blocks:
            tokens = one(tokens)
        return self.flat_map(tokens)

    def embedding_of(self, feature_map: Tensor) -> Tensor:
        """A feature map (n, t c) to the vector before it is brought to unit length, (n, embedding_size)."""
        out: Tensor = self.feature(feature_map)
        return out

    def features(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) to the vector before it is brought to unit length, (n, embedding_size)."""
        return self.embedding_of(self.feature_map(pictures))

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, 112, 112) to unit embeddings (n, embedding_size)."""
        return unit(self.features(pictures))

"""The head of a training run: class centres for N slices, a margin, and the exact loss in blocks.

Letters: B faces, D length of the embedding, N slices of d = D / N, C classes of K sub-centres (mostly 1).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from multiface.errors import UsageError
from multiface.train.heads.blocks import BlockSizes
from multiface.train.heads.chunked import blocked_loss
from multiface.train.heads.margins import WITH_NORMS, Margin, Targets, UniFace, first_state, next_state
from multiface.train.heads.sliced import sliced_logits, split, target_cosines
from multiface.train.heads.unified import Settings, first_threshold, unified_loss

LONGEST = 1.01
"""No embedding is longer, having been brought to unit length in whatever precision."""


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """What a head computes.

    classes: number of identities, at least 2.
    margin: the margin, one for all slices.
    embedding_size: length of the embedding, a multiple of `slices`.
    slices: parts of the embedding, each with centres of its own; 1 is the usual head.
    scale: factor on the logits, above 0.
    normalise_slices: bring each slice to unit length; off in the original MultiFace, where only the whole
        embedding has unit length.
    average: average the losses of the slices; off in the original MultiFace, which sums them.
    subcentres: centres of each class, K; a face belongs to the nearest of its class, and is kept from the nearest of
        every other, so that wrongly labelled or unusual pictures gather at a sub-centre of their own (Deng et al. 2020,
        "Sub-center ArcFace", ECCV; the authors take 3). At least 1, which is the usual head.
    """

    classes: int
    margin: Margin
    embedding_size: int = 512
    slices: int = 1
    scale: float = 64.0
    normalise_slices: bool = False
    average: bool = False
    subcentres: int = 1

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise UsageError(f"head: wanted at least 2 classes, got {self.classes}")
        if self.slices < 1 or self.embedding_size < 1 or self.embedding_size % self.slices:
            raise UsageError(
                f"head: {self.slices} slices do not divide an embedding of {self.embedding_size} dimensions"
            )
        if not self.scale > 0:
            raise UsageError(f"head: scale must be above 0, not {self.scale}")
        if self.subcentres < 1:
            raise UsageError(f"head: subcentres must be at least 1, not {self.subcentres}")

    @property
    def slice_size(self) -> int:
        """d, the length of a slice."""
        return self.embedding_size // self.slices

    @property
    def row_size(self) -> int:
        """K d, the length of all sub-centres of a class in one slice."""
        return self.subcentres * self.slice_size


class Head(nn.Module):
    """A head in one process.

    centres: parameter (N, C, K d), float32, of each class its sub-centres in a row; begins as random unit vectors.
    margin_state: buffer, what the margin carries from batch to batch (see margins.first_state).
    threshold: parameter (N,), float32, of UniFace (see unified.py); None with other margins.
    sizes: memory of the loss; chosen from the batch and the device where None.
    """

    margin_state: Tensor

    def __init__(self, config: HeadConfig, generator: torch.Generator | None = None) -> None:
        """generator: source of the first centres; torch's own where None."""
        super().__init__()
        self.config = config
        self.centres = nn.Parameter(first_centres(config, 0, config.classes, generator))
        self.register_buffer("margin_state", first_state(config.margin, config.slices))
        self.threshold = threshold_of(config, 1.0)
        self.sizes: BlockSizes | None = None

    def forward(self, embedding: Tensor, labels: Tensor, norms: Tensor | None = None) -> Tensor:
        """Embeddings (B, D) of unit length and labels (B,) int64 to the loss, a scalar; see
        chunked.blocked_loss.

        norms: (B,), the lengths of the features before they were brought to unit length; for AdaFace and MagFace
            only, and of the latter with gradient.
        In training mode the margin's state moves on first. Raises UsageError for shapes that do not fit. Labels must
        be within 0..C-1: that is not looked at here, since a GPU would have to be waited for (see
        `training_set.check_labels`).
        """
        config = self.config
        check_batch(config, embedding, labels, norms)
        parts = split(embedding, config.slices, config.normalise_slices)
        if isinstance(config.margin, UniFace) and self.threshold is not None:
            settings = Settings(config.margin.margin, config.scale, config.average, None, self.sizes)
            own = target_cosines(parts, self.centres, labels)
            return unified_loss(parts, self.centres, self.threshold, labels, settings, own)
        targets, nearest = self._targets(parts, labels, norms)
        loss = blocked_loss(
            parts,
            self.centres,
            labels,
            targets,
            config.scale,
            config.average,
            None,
            self.sizes,
            LONGEST,
            nearest,
        )
        return loss if targets.added is None or not self.training else loss + targets.added

    def logits(self, embedding: Tensor, labels: Tensor, norms: Tensor | None = None) -> Tensor:
        """The literal logits (N, B, C), scaled, with the margins of `labels`; arguments as in forward.

        Holds everything; for small numbers of classes. The margin's state moves on as in forward.
        """
        config = self.config
        check_batch(config, embedding, labels, norms)
        parts = split(embedding, config.slices, config.normalise_slices)
        targets, _ = self._targets(parts, labels, norms)
        return sliced_logits(parts, self.centres, labels, targets, config.scale)

    def _targets(self, parts: Tensor, labels: Tensor, norms: Tensor | None) -> tuple[Targets, Tensor | None]:
        cosine, nearest = target_cosines(parts, self.centres, labels)
        return step_margin(self.config.margin, self.margin_state, cosine, norms, self.training), nearest


def step_margin(
    margin: Margin, state: Tensor, cosine: Tensor, norms: Tensor | None, training: bool
) -> Targets:
    """Targets of a batch with cosines (N, B); in training, `state` is first moved on in place."""
    if training:
        with torch.no_grad():
            state.copy_(next_state(margin, state, cosine, norms))
    return margin.targets(cosine, state, norms)


def threshold_of(config: HeadConfig, sample_rate: float) -> nn.Parameter | None:
    """The first threshold, where the margin has one. sample_rate: share of the classes that takes part in a step."""
    if not isinstance(config.margin, UniFace):
        return None
    return nn.Parameter(first_threshold(config.classes, config.slices, sample_rate))


def first_centres(config: HeadConfig, start: int, stop: int, generator: torch.Generator | None) -> Tensor:
    """Random centres (N, stop - start, K d) of the classes start..stop-1, each of the K of unit length, float32.

    Drawn class by class, so that any division of the classes over processes gives the same centres.
    """
    centres = torch.empty(config.slices, stop - start, config.row_size)
    for part in centres:
        for first in range(0, config.classes, 4096):
            last = min(first + 4096, config.classes)
            drawn = torch.randn(last - first, config.row_size, generator=generator)
            low, high = max(first, start), min(last, stop)
            if low < high:
                rows = drawn[low - first : high - first]
                each = nn.functional.normalize(rows.view(-1, config.slice_size), dim=1)
                part[low - start : high - start] = each.view_as(rows)
    return centres


def check_batch(config: HeadConfig, embedding: Tensor, labels: Tensor, norms: Tensor | None) -> None:
    """Raises UsageError where shapes or types do not fit the head."""
    batch = len(embedding)
    if embedding.ndim != 2 or embedding.shape[1] != config.embedding_size or not batch:
        raise UsageError(
            f"head: wanted embeddings (batch, {config.embedding_size}), got {tuple(embedding.shape)}"
        )
    if labels.shape != (batch,) or labels.dtype != torch.int64:
        raise UsageError(f"head: wanted int64 labels ({batch},), got {labels.dtype} {tuple(labels.shape)}")
    if isinstance(config.margin, WITH_NORMS) and norms is None:
        name = type(config.margin).__name__
        raise UsageError(f"head: {name} needs the norms of the features besides the unit embeddings")
    if norms is not None and norms.shape != (batch,):
        raise UsageError(f"head: wanted norms ({batch},), got {tuple(norms.shape)}")

"""The loss of each slice alone, for the log: a slice is the head of its part of the embedding."""

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from multiface.train.building import AnyHead
from multiface.train.heads.head import Head
from multiface.train.heads.margins import CurricularFace
from multiface.train.heads.sharded import ShardedHead
from multiface.train.step import Embedded, head_loss


class SliceLosses:
    """A head for each slice of a head, sharing its centres. With one slice there is nothing to be shown."""

    def __init__(self, head: AnyHead) -> None:
        self._head = head
        self._parts: list[AnyHead] = []
        config = head.config
        if config.slices == 1:
            return
        one = dataclasses.replace(config, slices=1, embedding_size=config.slice_size)
        for number in range(config.slices):
            part: AnyHead
            if isinstance(head, ShardedHead):
                part = ShardedHead(one, head.group)
            else:
                part = Head(one, torch.Generator().manual_seed(0))
            # A view: the optimiser changes the centres in place.
            part.centres = nn.Parameter(head.centres.data[number : number + 1], requires_grad=False)
            if head.threshold is not None:
                part.threshold = nn.Parameter(head.threshold.data[number : number + 1], requires_grad=False)
            self._parts.append(part.to(head.centres.device).eval())

    @torch.no_grad()
    def of(self, embedded: Embedded, labels: Tensor, counts: Sequence[int] | None = None) -> list[float]:
        """Of a batch as the head takes it, with the head's margin state as it is; [] for a single slice.

        counts: as in `step.add_gradients`. With classes divided over processes every process must call it; the losses
        are over all classes.
        """
        size = self._head.config.slice_size
        losses = []
        norms = None if embedded.norms is None else embedded.norms.detach()
        for number, part in enumerate(self._parts):
            state = self._head.margin_state
            if isinstance(part.config.margin, CurricularFace):
                state = state[number : number + 1]
            part.margin_state.copy_(state)
            own = embedded.embedding.detach()[:, number * size : (number + 1) * size]
            losses.append(head_loss(part, Embedded(own, norms), labels, counts))
        found: list[float] = torch.stack(losses).tolist() if losses else []
        return found

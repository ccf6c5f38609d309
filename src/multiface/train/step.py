"""One step of learning: pixels to loss, gradients over parts and processes, and the update.

Letters: B faces of this process's part, D embedding. Pixels are uint8 (B, 112, 112, 3) RGB; the network is
fed float (B, 3, 112, 112), value (pixel / 255 - 0.5) / 0.5.

The loss of a part is the mean over its faces in all processes; a step's is the mean over its parts. Gradients
of the network are summed over processes, which is the gradient of that mean (see heads/sharded.py), in one
all-reduce together with the batch norms' statistics (averaged, so that all processes keep the same).
"""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from multiface.train.building import BATCH_NORMS, AnyHead, Network, embedding_layers
from multiface.train.heads.margins import AdaFace
from multiface.train.networks.iresnet import IResNet
from multiface.train.networks.unit import unit
from multiface.train.processes import Place
from multiface.train.recipe import Precision, StartConfig


@dataclass(slots=True)
class Learner:
    """All that learns, and how. scaler: of the gradients, for fp16 only. clip: 0 is no limit."""

    network: Network
    head: AnyHead
    optimiser: torch.optim.SGD
    scaler: torch.amp.GradScaler | None
    place: Place
    precision: Precision = "float32"
    channels_last: bool = False
    activation_checkpoints: bool = False
    clip: float = 0.0


def to_input(pixels: Tensor, device: torch.device, colour: str, channels_last: bool) -> Tensor:
    """uint8 (B, h, w, 3) RGB to what the network is fed: float32 (B, 3, h, w) on the device."""
    pixels = pixels.to(device, non_blocking=True)
    if colour == "bgr":
        pixels = pixels.flip(3)
    # Rows of pixels with the channels innermost are what channels-last means.
    values = pixels.permute(0, 3, 1, 2).to(torch.float32).sub_(127.5).div_(127.5)
    return values if channels_last else values.contiguous()


def set_mode(network: Network, start: StartConfig) -> None:
    """Training mode, but for what is frozen."""
    network.train()
    if start.backbone_rate == 0:
        network.eval()
        for layer in embedding_layers(network):
            layer.train()
    if start.freeze_batch_norm:
        for module in network.modules():
            if isinstance(module, BATCH_NORMS):
                module.eval()


def freeze(network: Network, start: StartConfig) -> None:
    """Switches off the gradients of a frozen backbone."""
    if start.backbone_rate == 0:
        network.requires_grad_(False)
        for layer in embedding_layers(network):
            layer.requires_grad_(True)


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """embedding: (B, D) of unit length, shortened to what the head sees. norms: (B,) of the features, for
    AdaFace.
    """

    embedding: Tensor
    norms: Tensor | None


def embed(learner: Learner, pictures: Tensor) -> Embedded:
    """Pictures (B, 3, h, w) to embeddings with gradient, in float32 (float64 where the network is).

    In half precision the layers that make the embedding of the last feature map stay in float32, as in arcface_torch:
    a sum over 25,088 products and a deviation over the batch lose too much of 8 bits.
    """
    kinds = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    with torch.autocast(
        learner.place.device.type, kinds[learner.precision], enabled=learner.precision != "float32"
    ):
        feature_map = _feature_map(learner.network, pictures, learner.activation_checkpoints)
    feature_map = feature_map.to(torch.promote_types(feature_map.dtype, torch.float32))
    features = learner.network.embedding_of(feature_map)
    adaface = isinstance(learner.head.config.margin, AdaFace)
    norms = torch.linalg.vector_norm(features.detach(), dim=1) if adaface else None
    return Embedded(unit(features)[:, : learner.head.config.embedding_size], norms)


def add_gradients(learner: Learner, pictures: Tensor, labels: Tensor, parts: int) -> tuple[float, Embedded]:
    """Adds the gradients of one of `parts` parts of a step; the loss of this part, and what it was made
    of.
    """
    embedded = embed(learner, pictures)
    loss: Tensor = learner.head(embedded.embedding, labels, embedded.norms)
    share = loss / parts
    if learner.scaler is not None:
        share = learner.scaler.scale(share)
    share.backward()  # type: ignore[no-untyped-call]
    return loss.item(), embedded


def share_gradients(learner: Learner, stop: bool) -> bool:
    """Sums gradients over processes; whether any process was asked to stop."""
    group, processes = learner.place.group, learner.place.processes
    if group is None or processes == 1:
        return stop
    gradients = [p.grad for p in learner.network.parameters() if p.grad is not None]
    norms = [m for m in learner.network.modules() if isinstance(m, BATCH_NORMS) and m.training]
    statistics = [b for norm in norms for b in norm.buffers() if b.is_floating_point()]
    centres = learner.head.centres.grad
    assert centres is not None
    # NaN where a gradient of these centres, which other processes do not have, is not finite: all then skip
    # the step.
    fault = (centres * 0).sum()
    asked = torch.tensor(float(stop), device=fault.device, dtype=fault.dtype)
    pieces = [*gradients, *statistics, fault, asked]
    flat = torch.cat([piece.reshape(-1).to(fault.dtype) for piece in pieces])
    dist.all_reduce(flat, dist.ReduceOp.SUM, group)
    for piece, summed in zip(pieces, torch.split(flat, [piece.numel() for piece in pieces]), strict=True):
        piece.copy_(summed.view(piece.shape))
    for buffer in statistics:
        buffer /= processes
    gradients[0] += fault
    return bool(asked.item() > 0)


def gradient_norm(learner: Learner) -> float:
    """Norm of all gradients together, those of other processes' centres included. Not finite if any is
    not.
    """
    own = [torch.linalg.vector_norm(p.grad) for p in learner.network.parameters() if p.grad is not None]
    centres = learner.head.centres.grad
    assert centres is not None
    of_centres = torch.linalg.vector_norm(centres).square()
    if learner.place.group is not None:
        dist.all_reduce(of_centres, dist.ReduceOp.SUM, learner.place.group)
    return (
        math.sqrt(float(torch.stack(own).square().sum() + of_centres))
        if own
        else math.sqrt(float(of_centres))
    )


def update(learner: Learner) -> float:
    """Clips and applies the gradients, and clears them; their norm before clipping.

    Where the norm is not finite nothing is changed; with a scaler that is its business (it lowers its scale),
    without one the caller's.
    """
    if learner.scaler is not None:
        learner.scaler.unscale_(learner.optimiser)
    norm = gradient_norm(learner)
    if learner.clip and math.isfinite(norm) and norm > learner.clip:
        for parameter in (*learner.network.parameters(), learner.head.centres):
            if parameter.grad is not None:
                parameter.grad.mul_(learner.clip / norm)
    if learner.scaler is not None:
        learner.scaler.step(learner.optimiser)
        learner.scaler.update()
    elif math.isfinite(norm):
        learner.optimiser.step()
    learner.optimiser.zero_grad(set_to_none=True)
    return norm


def _feature_map(network: Network, pictures: Tensor, checkpoints: bool) -> Tensor:
    if not (checkpoints and isinstance(network, IResNet) and torch.is_grad_enabled()):
        return network.feature_map(pictures)
    out: Tensor = network.input_layer(pictures)
    for module in network.body:
        contexts = partial(_contexts, module)
        out = checkpoint(module, out, use_reentrant=False, context_fn=contexts)
    return network.flat_map(out)


def _contexts(
    module: nn.Module,
) -> tuple[contextlib.AbstractContextManager[None], contextlib.AbstractContextManager[None]]:
    return contextlib.nullcontext(), _without_statistics(module)


@contextlib.contextmanager
def _without_statistics(module: nn.Module) -> Iterator[None]:
    """The batch norms' running statistics do not move: they did when this was computed the first time."""
    norms = [norm for norm in module.modules() if isinstance(norm, BATCH_NORMS) and norm.training]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm, (_, counter) in zip(norms, before, strict=True):
        # With a momentum of 0 they stay as they are to the bit; the counter is another one meanwhile.
        norm.momentum = 0.0
        norm.num_batches_tracked = None if counter is None else counter.clone()
    try:
        yield
    finally:
        for norm, (momentum, counter) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, counter

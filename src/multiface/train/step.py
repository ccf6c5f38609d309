"""One step of learning: pixels to loss, gradients over parts and processes, and the update.

Letters: B faces of this process's part, D embedding. Pixels are uint8 (B, 112, 112, 3) RGB; the network is
fed float (B, 3, 112, 112), value (pixel / 255 - 0.5) / 0.5.

The loss of a part is the mean over its faces in all processes; a step's is the mean over its parts. Gradients
of the network are summed over processes, which is the gradient of that mean (see heads/sharded.py), in a few
all-reduces that begin while backward is at work, together with the batch norms' statistics (averaged, so that all
processes keep the same).

The host waits for a GPU once a step, in `finish_step`: there it reads loss and norm, and decides by them.
"""

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from multiface.train.buckets import Buckets
from multiface.train.building import BATCH_NORMS, AnyHead, Network, embedding_layers
from multiface.train.compiled import FeatureMap
from multiface.train.distil import distil_loss
from multiface.train.heads.margins import WITH_NORMS, MagFace
from multiface.train.heads.sampling import sampled_gradient
from multiface.train.heads.sharded import ShardedHead
from multiface.train.loss_scale import LossScale
from multiface.train.networks.arc_iresnet import ArcIResNet
from multiface.train.networks.iresnet import IResNet
from multiface.train.networks.unit import unit
from multiface.train.networks.vit import VisionTransformer
from multiface.train.optimiser import Optimiser, step_rows
from multiface.train.processes import Place
from multiface.train.recipe import DistilConfig, Precision, StartConfig


@dataclass(slots=True)
class Learner:
    """All that learns, and how. scale: of the loss, for fp16 only. clip: 0 is no limit. buckets: of several
    processes; made at the first step. compiled: the network's feature map, where that is wanted.
    """

    network: Network
    head: AnyHead
    optimiser: Optimiser
    scale: LossScale | None
    place: Place
    precision: Precision = "float32"
    activation_checkpoints: bool = False
    clip: float = 0.0
    buckets: Buckets | None = None
    distil: DistilConfig = field(default_factory=DistilConfig)
    compiled: FeatureMap | None = None


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
        last = {id(p) for layer in embedding_layers(network) for p in layer.parameters()}
        for parameter in network.parameters():
            if id(parameter) not in last:
                parameter.requires_grad_(False)


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """embedding: (B, D) of unit length, shortened to what the head sees. norms: (B,) of the features, for
    AdaFace and MagFace. features: (B, D), the whole embedding before it is brought to unit length, where a teacher
    wants it.
    """

    embedding: Tensor
    norms: Tensor | None
    features: Tensor | None = None


def embed(learner: Learner, pictures: Tensor) -> Embedded:
    """Pictures (B, 3, h, w) to embeddings with gradient, in float32 (float64 where the network is).

    In half precision the layers that make the embedding of the last feature map stay in float32, as in arcface_torch:
    a sum over 25,088 products and a deviation over the batch lose too much of 8 bits.
    """
    kinds = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    with torch.autocast(
        learner.place.device.type, kinds[learner.precision], enabled=learner.precision != "float32"
    ):
        if learner.compiled is not None:
            feature_map = learner.compiled(pictures)
        else:
            feature_map = _feature_map(learner.network, pictures, learner.activation_checkpoints)
    feature_map = feature_map.to(torch.promote_types(feature_map.dtype, torch.float32))
    features = learner.network.embedding_of(feature_map)
    margin, norms = learner.head.config.margin, None
    if isinstance(margin, WITH_NORMS):
        learned = features if isinstance(margin, MagFace) else features.detach()
        norms = torch.linalg.vector_norm(learned, dim=1)
    embedding = unit(features)[:, : learner.head.config.embedding_size]
    return Embedded(embedding, norms, features if learner.distil.teacher else None)


def add_gradients(
    learner: Learner,
    pictures: Tensor,
    labels: Tensor,
    parts: int = 1,
    part: int = 0,
    counts: Sequence[int] | None = None,
    taught: Tensor | None = None,
) -> tuple[Tensor, Embedded]:
    """Adds the gradients of part number `part` (from 0) of the `parts` of a step.

    Gives the loss of this part, a scalar on the device, and what it was made of.

    taught: (B, D'), the teacher's features of these faces, where there is one.
    counts: faces of each process in this part; where None they are asked for, for which the host waits for a GPU.
    """
    if learner.place.group is not None and learner.place.processes > 1 and learner.buckets is None:
        learner.buckets = Buckets(learner.network, learner.place.group)
    embedded = embed(learner, pictures)
    loss = head_loss(learner.head, embedded, labels, counts)
    if taught is not None and embedded.features is not None:
        loss = loss + distil_loss(learner.distil, embedded.features, taught, learner.place.group, counts)
    factor = (1.0 if learner.scale is None else learner.scale.value) / parts
    share = loss if factor == 1 else loss * factor
    if learner.buckets is not None and part == parts - 1:
        learner.buckets.send()
    share.backward()  # type: ignore[no-untyped-call]
    return loss.detach(), embedded


def head_loss(
    head: AnyHead, embedded: Embedded, labels: Tensor, counts: Sequence[int] | None = None
) -> Tensor:
    """The loss of a head. counts: as in `add_gradients`."""
    if isinstance(head, ShardedHead):
        loss: Tensor = head(embedded.embedding, labels, embedded.norms, counts)
    else:
        loss = head(embedded.embedding, labels, embedded.norms)
    return loss


@dataclass(frozen=True, slots=True)
class Told:
    """What the host learns of a step. loss: its mean. norm: of all gradients together, before clipping; not finite
    if any gradient is not. stop: whether any process was asked to stop. learned: whether the weights have moved.
    """

    loss: float
    norm: float
    stop: bool
    learned: bool


def finish_step(learner: Learner, loss: Tensor, stop: bool = False) -> Told:
    """Sums the gradients over processes, clips and applies them, and clears them. loss: of the step, a scalar.

    Where loss or norm are not finite nothing is changed; a loss scale is then lowered, without one what to do is the
    caller's business.
    """
    head = learner.head
    rows, of_head = _centre_gradient(head)
    # A gradient that is not finite makes this so in all processes, and all leave the step out.
    of_centres = torch.linalg.vector_norm(of_head).square()
    numbers = torch.stack([of_centres, torch.full_like(of_centres, float(stop))])
    gradients = [p.grad for p in learner.network.parameters() if p.grad is not None]
    if learner.buckets is not None:
        numbers = learner.buckets.finish(numbers)
        gradients = learner.buckets.gradients
    if head.threshold is not None and head.threshold.grad is not None:  # the same in all processes
        gradients = [*gradients, head.threshold.grad]
    of_network = torch.nn.utils.get_total_norm(gradients, foreach=True)
    norm = (of_network.square() + numbers[0]).sqrt()
    told = torch.stack([loss, norm.to(loss), numbers[1].to(loss)]).tolist()

    factor = 1.0 if learner.scale is None else 1 / learner.scale.value
    step_norm = told[1] * factor
    finite = math.isfinite(told[0]) and math.isfinite(step_norm)
    if learner.scale is not None:
        learner.scale.move(finite)
    if finite:
        if learner.clip and step_norm > learner.clip:
            factor *= learner.clip / step_norm
        if factor != 1:
            torch._foreach_mul_([*gradients, of_head], factor)
        learner.optimiser.step()
        if rows is not None:
            step_rows(learner.optimiser, head.centres, rows, of_head)
    learner.optimiser.zero_grad(set_to_none=True)
    if isinstance(head, ShardedHead):
        head.clear()
    return Told(told[0], step_norm, told[2] > 0, finite)


def _centre_gradient(head: AnyHead) -> tuple[Tensor | None, Tensor]:
    """Gradient of the centres (N, C, d); of some rows of them, where only these took part."""
    if isinstance(head, ShardedHead) and head.sampled:
        return sampled_gradient(head.sampled)
    assert head.centres.grad is not None
    return None, head.centres.grad


def _feature_map(network: Network, pictures: Tensor, checkpoints: bool) -> Tensor:
    if not (
        checkpoints
        and isinstance(network, IResNet | ArcIResNet | VisionTransformer)
        and torch.is_grad_enabled()
    ):
        return network.feature_map(pictures)
    out = network.stem(pictures)
    for module in network.units:
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

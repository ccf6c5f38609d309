"""Learning from a teacher: any embedder in an ONNX file shows where faces should lie.

Letters: B faces of a step's part in all processes, x_b a face's unit embedding by the network that learns, t_b by the
teacher, X_b and T_b the same before they were brought to unit length, D and D' dimensions.

    cosine     mean_b (1 - x_b . t_b)                                     needs D = D'
    squared    mean over b and dimensions of (X - T)^2                    needs D = D'
    distances  mean over pairs i != j of h(|x_i - x_j| / m, |t_i - t_j| / m'),  m and m' the means of these distances
    angles     mean over triples of h(angle at j of x_i, x_j, x_k; of t), as cosines

h is Huber's: half the square of the difference, from a difference of 1 on straight. The last two are relational
knowledge distillation (Park et al. 2019, arXiv:1904.05068; there with factors of 1 and 2, or 25 and 50 beside a
softmax); they ask nothing of D'. Triples are those among ANGLE_GROUP faces that stand together: all of a large batch
would be B^3 numbers.

The losses are over the faces of all processes, and the same in each; so is the gradient, of which each process hands
on that of its own faces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import smooth_l1_loss

from multiface.errors import UsageError, WeightsError
from multiface.train.crops import SIDE
from multiface.train.heads.sharded import faces_of_processes, gather_rows
from multiface.train.networks.unit import unit
from multiface.train.recipe import DistilConfig, Recipe
from multiface.visible import log_of
from multiface.weights.session import Engine, Session, available_engines, open_session
from multiface.weights.spec import ARCFACE_TEMPLATE, InputSpec
from multiface.weights.store import Store

ANGLE_GROUP = 64
"""Faces among which all angles are compared."""
TEMPLATE_PIXELS = 1.0
"""A teacher whose faces lie further away than this in its crops is refused."""

_log = log_of(__name__)


class Teacher:
    """An embedder in an ONNX file, run as it is, without gradients. fingerprint: of file and spec."""

    def __init__(self, session: Session, spec: InputSpec, fingerprint: str) -> None:
        self.spec = spec
        self.fingerprint = fingerprint
        self._session = session
        self._input = session.get_inputs()[0].name
        self._mean = torch.tensor(spec.mean).view(3, 1, 1)
        self._std = torch.tensor(spec.std).view(3, 1, 1)

    def features(self, pixels: Tensor, device: torch.device) -> Tensor:
        """uint8 crops (B, 112, 112, 3), RGB, on the CPU to features float32 (B, D'), of any length, on the device.

        Raises WeightsError where the teacher answers with what is no number.
        """
        if self.spec.colour == "bgr":
            pixels = pixels.flip(3)
        given = (pixels.permute(0, 3, 1, 2).float() - self._mean) / self._std
        (output,) = self._session.run(None, {self._input: given.contiguous().numpy()})
        features = torch.from_numpy(output).float()
        if features.shape != (len(pixels), self.spec.dimension) or not features.isfinite().all():
            raise WeightsError(
                f"the teacher answered {tuple(features.shape)} for {len(pixels)} faces of {self.spec.dimension} "
                "dimensions, or gave numbers that are not finite"
            )
        return features.to(device)


@dataclass(frozen=True, slots=True)
class TeacherFile:
    """A teacher that fits the recipe: an ONNX file with a free batch, how it is fed, and the fingerprint of both."""

    path: Path
    spec: InputSpec
    fingerprint: str


def find_teacher(recipe: Recipe, store: Store) -> TeacherFile | None:
    """The teacher of a recipe, None where it has none: a name of the store, a run folder or an ONNX file with its
    input spec (see weights.store.Store.embedder).

    Raises UsageError where it does not go together with the recipe, WeightsError and WeightsMissing as the store does.
    """
    if not recipe.distil.teacher:
        return None
    found = store.embedder(recipe.distil.teacher)
    check_teacher(recipe, found.spec)
    return TeacherFile(store.any_batch(found), found.spec, found.fingerprint)


def open_teacher(file: TeacherFile | None, device: torch.device) -> Teacher | None:
    """The teacher in a file; None stays None. On a GPU where ONNX Runtime has CUDA, else on the processor with torch's
    number of threads. Raises WeightsError where it cannot be run.
    """
    if file is None:
        return None
    engine = Engine("cpu", torch.get_num_threads())
    if device.type == "cuda":
        if "cuda" in available_engines():
            engine = Engine("cuda", torch.get_num_threads())
        else:
            _log.warning("the teacher runs on the processor: this ONNX Runtime has no CUDA")
    return Teacher(open_session(file.path, engine), file.spec, file.fingerprint)


def check_teacher(recipe: Recipe, spec: InputSpec) -> None:
    """Raises UsageError where a teacher that is fed like this cannot teach the recipe's network."""
    name, config, size = recipe.distil.teacher, recipe.distil, recipe.network.embedding
    apart = max(
        abs(a - b)
        for mine, theirs in zip(ARCFACE_TEMPLATE, spec.template, strict=True)
        for a, b in zip(mine, theirs, strict=True)
    )
    if (spec.width, spec.height) != (SIDE, SIDE) or apart > TEMPLATE_PIXELS:
        raise UsageError(
            f"distil: {name} sees crops of {spec.width}x{spec.height} pixels, or faces at another place in them; "
            f"wanted a teacher that is fed the crops of this training, {SIDE}x{SIDE} with the usual five points",
            name=name,
        )
    if (config.cosine or config.squared) and spec.dimension != size:
        raise UsageError(
            f"distil: {name} has {spec.dimension} dimensions, the network {size}, so that `cosine` and `squared` "
            "have nothing to compare",
            hint=f"set embedding = {spec.dimension} under [network], or use `distances` and `angles` only",
            name=name,
        )


def distil_loss(
    config: DistilConfig,
    features: Tensor,
    taught: Tensor,
    group: dist.ProcessGroup | None = None,
    counts: Sequence[int] | None = None,
) -> Tensor:
    """The sum of the losses, each times its factor, a scalar with gradient by the features, the same in all processes.

    features: (B_r, D) of this process's faces, before they are brought to unit length. taught: (B_r, D').
    counts: faces of each process; asked for where None.
    """
    if group is not None and dist.get_world_size(group) > 1:
        shares = faces_of_processes(features, group) if counts is None else list(counts)
        features, taught = _Gather.apply(features, taught, shares, group)  # type: ignore[no-untyped-call]
    taught = taught.to(features.dtype)
    mine, wanted = unit(features), unit(taught)
    total = features.new_zeros(())
    if config.cosine:
        total = total + config.cosine * (1 - (mine * wanted).sum(1)).mean()
    if config.squared:
        total = total + config.squared * (features - taught).square().mean()
    if config.distances:
        total = total + config.distances * distance_loss(mine, wanted)
    if config.angles:
        total = total + config.angles * angle_loss(mine, wanted)
    return total


def distance_loss(mine: Tensor, wanted: Tensor) -> Tensor:
    """How differently pairs of faces lie apart: points (B, D) and (B, D') to a scalar; 0 for a single face."""
    pairs = len(mine) * (len(mine) - 1)
    if not pairs:
        return mine.sum() * 0
    found, asked = (_distances(points) for points in (mine, wanted))
    # Those of a face to itself are 0 in both.
    return smooth_l1_loss(found, asked, reduction="sum") / pairs


def angle_loss(mine: Tensor, wanted: Tensor) -> Tensor:
    """How differently triples of faces are bent: points (B, D) and (B, D') to a scalar; 0 for less than three faces."""
    total, triples = mine.sum() * 0, 0
    for first in range(0, len(mine), ANGLE_GROUP):
        some, asked = mine[first : first + ANGLE_GROUP], wanted[first : first + ANGLE_GROUP]
        # Triples that name a face twice are equal in both, but for faces that lie in one place.
        total = total + smooth_l1_loss(_angles(some), _angles(asked), reduction="sum")
        triples += len(some) * (len(some) - 1) * (len(some) - 2)
    return total / max(triples, 1)


def _distances(points: Tensor) -> Tensor:
    """(B, D) to all distances (B, B), by their mean, without the matrix product that loses small ones."""
    apart = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    mean = apart.sum() / (len(points) * (len(points) - 1))
    return apart / mean.clamp_min(1e-12)


def _angles(points: Tensor) -> Tensor:
    """(m, D) to the cosines of the angles at j between i and k, (j, i, k); 0 where i, j and k are not three."""
    towards = unit(points[None] - points[:, None])
    angles = torch.bmm(towards, towards.transpose(1, 2))
    return angles * (1 - torch.eye(len(points), dtype=points.dtype, device=points.device))


class _Gather(torch.autograd.Function):
    """Features (B_r, D) and the teacher's (B_r, D') of all processes, (B, D) and (B, D'). Backward: the gradient is the
    whole one in every process, and each keeps its own rows.
    """

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, taught: Tensor, counts: list[int], group: dist.ProcessGroup
    ) -> tuple[Tensor, Tensor]:
        rank = dist.get_rank(group)
        ctx.rows = slice(sum(counts[:rank]), sum(counts[: rank + 1]))
        found, of_teacher = gather_rows([features, taught.to(features.dtype)], counts, group)
        ctx.mark_non_differentiable(of_teacher)
        return found, of_teacher

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, None, None, None]:
        return gradient[ctx.rows], None, None, None

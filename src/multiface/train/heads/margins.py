"""Margins: what becomes of the cosine of a face with the centre of its own class.

Every margin is described by the same few things, so that one loss serves all of them:
- the target's logit as a function of its cosine, and the derivative of that function;
- where non-targets are re-weighted (CurricularFace): the cosine above which one counts as hard, and the
  shift t that makes its logit c (t + c).
All before the scale. Non-target cosines are otherwise left as they are.

Letters: N slices, B faces of the batch, c cosine, theta = arccos c (radians), m margin. A "cosine" here is
the product of a slice of the embedding with a unit class centre; where slices are not brought to unit length
each, it is shrunk by the slice's norm, and margins act on the shrunken value (as in the original MultiFace).

At theta = 0 and pi the derivative of an angular margin, sin(theta + m) / sin(theta), has no bound. It is
taken at an angle of at least MIN_ANGLE from both: finite, of the right sign, and continuous.

State that a margin carries from batch to batch (AdaFace, CurricularFace) is a plain float tensor, handed in.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from multiface.errors import UsageError

MIN_ANGLE = 1e-3
"""Radians; derivatives are taken no nearer to 0 and pi than this."""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What a margin makes of a batch. Tensors in the dtype of the cosines, without gradient where nothing else is said.

    logit: (N, B), the target's logit before the scale.
    slope: (N, B), derivative of `logit` by the target's cosine, finite and >= 0.
        Of MagFace it has a gradient, by the norms.
    hard_above: (N, B), non-targets with a larger cosine are hard; None where the margin knows none.
    hard_shift: (N,), t in the hard logit c (t + c); None together with hard_above.
    added: a scalar that the loss of a training step has besides, with gradient by the norms; None where there is none.
    """

    logit: Tensor
    slope: Tensor
    hard_above: Tensor | None = None
    hard_shift: Tensor | None = None
    added: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Softmax:
    """No margin: the logit is c (NormFace, Wang et al. 2017, arXiv:1704.06369)."""

    def targets(self, cosine: Tensor, state: Tensor, norms: Tensor | None) -> Targets:  # noqa: ARG002
        """Cosines (N, B) to their targets; state and norms are not used."""
        return Targets(cosine, torch.ones_like(cosine))


@dataclass(frozen=True, slots=True)
class CosFace:
    """c - m (CosFace, Wang et al. 2018, arXiv:1801.09414, eq. 4)."""

    margin: float = 0.35

    def __post_init__(self) -> None:
        _check("CosFace", "margin", self.margin, 0, 2)

    def targets(self, cosine: Tensor, state: Tensor, norms: Tensor | None) -> Targets:  # noqa: ARG002
        """Cosines (N, B) to their targets; state and norms are not used."""
        return Targets(cosine - self.margin, torch.ones_like(cosine))


@dataclass(frozen=True, slots=True)
class ArcFace:
    """cos(theta + m) (ArcFace, Deng et al. 2019, arXiv:1801.07698, eq. 3), margin in radians.

    Where theta + m > pi, c - m sin m, as in all published implementations; the logit jumps there.
    """

    margin: float = 0.5

    def __post_init__(self) -> None:
        _check("ArcFace", "margin", self.margin, 0, math.pi / 2)

    def targets(self, cosine: Tensor, state: Tensor, norms: Tensor | None) -> Targets:  # noqa: ARG002
        """Cosines (N, B) to their targets; state and norms are not used."""
        moved, slope = _add_angle(cosine, self.margin)
        inside = cosine > math.cos(math.pi - self.margin)
        fallback = cosine - self.margin * math.sin(self.margin)
        return Targets(torch.where(inside, moved, fallback), torch.where(inside, slope, 1.0))


@dataclass(frozen=True, slots=True)
class Combined:
    """cos(m1 theta + m2) - m3 (ArcFace, arXiv:1801.07698, eq. 4): SphereFace, ArcFace and CosFace in one.

    Where phi = m1 theta + m2 exceeds pi it goes on falling, as SphereFace does (Liu et al. 2017,
    arXiv:1704.08063, eq. 7): (-1)^k cos(phi) - 2 k - m3 with k = floor(phi / pi). So (1, m, 0) is ArcFace but
    for its fallback, and (1, 0, m) is CosFace.
    """

    multiply: float = 1.0
    add_angle: float = 0.3
    subtract: float = 0.2

    def __post_init__(self) -> None:
        _check("Combined", "multiply (m1)", self.multiply, 0.1, 8)
        _check("Combined", "add_angle (m2)", self.add_angle, 0, math.pi / 2)
        _check("Combined", "subtract (m3)", self.subtract, 0, 2)

    def targets(self, cosine: Tensor, state: Tensor, norms: Tensor | None) -> Targets:  # noqa: ARG002
        """Cosines (N, B) to their targets; state and norms are not used."""
        theta = cosine.clamp(-1, 1).arccos()
        phi, turns, sign = self._angle(theta)
        logit = sign * phi.cos() - 2 * turns - self.subtract
        theta = theta.clamp(MIN_ANGLE, math.pi - MIN_ANGLE)
        phi, _, sign = self._angle(theta)
        return Targets(logit, sign * self.multiply * phi.sin() / theta.sin())

    def _angle(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        phi = self.multiply * theta + self.add_angle
        turns = (phi / math.pi).floor()
        return phi, turns, 1 - 2 * turns.remainder(2)


@dataclass(frozen=True, slots=True)
class AdaFace:
    """cos(theta - m z) - (m + m z), z from the feature's norm (AdaFace, Kim et al. 2022, arXiv:2204.00964,
    eq. 6-9).

    z = clip(h (norm - mean) / (std + 0.001), -1, 1): faces of high norm (good quality) get an additive
    margin, of low norm an angular one. The angle theta - m z is clipped to [0.001, pi - 0.001]. Norms are
    those of the whole feature, clipped to [0.001, 100], for every slice; mean and std are running values, the
    state (2,), moved by `momentum` at each batch. The published code also clips every cosine to +-0.999; here
    it is not needed.
    """

    margin: float = 0.4
    concentration: float = 0.333
    momentum: float = 0.01

    def __post_init__(self) -> None:
        _check("AdaFace", "margin", self.margin, 0, 1)
        _check("AdaFace", "concentration (h)", self.concentration, 0, 100)
        _check("AdaFace", "momentum", self.momentum, 0, 1)

    def targets(self, cosine: Tensor, state: Tensor, norms: Tensor | None) -> Targets:
        """Cosines (N, B), state (mean, std) and norms (B,) of the features to targets."""
        norms = _adaface_norms(norms).to(cosine.dtype)
        mean, std = state.to(cosine.dtype)
        quality = (self.concentration * (norms - mean) / (std + 1e-3)).clamp(-1, 1)
        theta = cosine.clamp(-1, 1).arccos()
        phi = theta - self.margin * quality
        clipped = phi.clamp(1e-3, math.pi - 1e-3)
        theta = theta.clamp(MIN_ANGLE, math.pi - MIN_ANGLE)
        slope = torch.where(phi == clipped, clipped.sin() / theta.sin(), 0.0)
        return Targets(clipped.cos() - self.margin * (1 + quality), slope)


@dataclass(frozen=True, slots=True)
class CurricularFace:
    """ArcFace whose hard non-targets weigh more as training goes on (Huang et al. 2020, arXiv:2004.00288, eq.
    5-7).

    A non-target is hard where its cosine exceeds cos(theta + m) of the target; its logit is then c (t + c). t
    is the running mean of the target cosines, one per slice, the state (N,), moved by `momentum` at each
    batch.
    """

    margin: float = 0.5
    momentum: float = 0.01

    def __post_init__(self) -> None:
        _check("CurricularFace", "margin", self.margin, 0, math.pi / 2)
        _check("CurricularFace", "momentum", self.momentum, 0, 1)

    def targets(self, cosine: Tensor, state: Tensor, norms: Tensor | None) -> Targets:
        """Cosines (N, B) and state (N,) to targets; norms are not used."""
        plain = ArcFace(self.margin).targets(cosine, state, norms)
        moved, _ = _add_angle(cosine, self.margin)
        return Targets(plain.logit, plain.slope, moved, state.to(cosine.dtype))


@dataclass(frozen=True, slots=True)
class MagFace:
    """cos(theta + m(a)) and a reward for long features (MagFace, Meng et al. 2021, arXiv:2103.06627, eq. 3-5).

    a is the length of the whole feature, for every slice, clipped to [lower_norm, upper_norm]; m(a) rises in a straight
    line from `lower_margin` to `upper_margin` (radians) between these. To the loss comes `reward` times the mean of
    g(a) = 1 / a + a / upper_norm ** 2, which falls as a rises. Both have gradients by the norms: a face that is
    easily told learns to be long. Fallback as ArcFace's. Defaults are the authors' for R100.
    """

    lower_margin: float = 0.45
    upper_margin: float = 0.8
    lower_norm: float = 10.0
    upper_norm: float = 110.0
    reward: float = 35.0

    def __post_init__(self) -> None:
        _check("MagFace", "lower_margin", self.lower_margin, 0, math.pi / 2)
        _check("MagFace", "upper_margin", self.upper_margin, self.lower_margin, math.pi / 2)
        _check("MagFace", "lower_norm", self.lower_norm, 1e-3, 1e6)
        _check("MagFace", "upper_norm", self.upper_norm, self.lower_norm * (1 + 1e-6), 1e6)
        _check("MagFace", "reward", self.reward, 0, 1e6)

    def targets(self, cosine: Tensor, state: Tensor, norms: Tensor | None) -> Targets:  # noqa: ARG002
        """Cosines (N, B) and norms (B,) of the features to targets; state is not used."""
        if norms is None:
            raise UsageError("MagFace needs the norms of the features besides the unit embeddings")
        length = norms.clamp(self.lower_norm, self.upper_norm)
        rise = (self.upper_margin - self.lower_margin) / (self.upper_norm - self.lower_norm)
        margin = (self.lower_margin + rise * (length - self.lower_norm)).to(cosine.dtype)
        moved, slope = _turned(cosine, margin.cos(), margin.sin())
        inside = cosine > -margin.cos()
        logit = torch.where(inside, moved, cosine - margin * margin.sin())
        added = self.reward * (1 / length + length / self.upper_norm**2).mean()
        return Targets(logit, torch.where(inside, slope, 1.0).detach(), added=added)


@dataclass(frozen=True, slots=True)
class UniFace:
    """c - m against one learned threshold for all people, not against the other classes of the face (UniFace, Zhou et
    al. 2023; see unified.py). The margin's default is the authors'.
    """

    margin: float = 0.4

    def __post_init__(self) -> None:
        _check("UniFace", "margin", self.margin, 0, 2)

    def targets(self, cosine: Tensor, state: Tensor, norms: Tensor | None) -> Targets:  # noqa: ARG002
        """Cosines (N, B) to their targets; state and norms are not used."""
        return Targets(cosine - self.margin, torch.ones_like(cosine))


Margin = Softmax | CosFace | ArcFace | Combined | AdaFace | CurricularFace | MagFace | UniFace

WITH_NORMS = (AdaFace, MagFace)
"""Margins that want the norms of the features."""


def first_state(margin: Margin, slices: int) -> Tensor:
    """State before the first batch, float32: AdaFace (20, 100), CurricularFace zeros (N,), others (0,)."""
    match margin:
        case AdaFace():
            return torch.tensor([20.0, 100.0])
        case CurricularFace():
            return torch.zeros(slices)
        case _:
            return torch.zeros(0)


def next_state(margin: Margin, state: Tensor, cosine: Tensor, norms: Tensor | None) -> Tensor:
    """The state that a batch's own targets are made with: target cosines (N, B), norms (B,) or None."""
    match margin:
        case AdaFace():
            norms = _adaface_norms(norms)
            mean = norms.mean()
            # Not `norms.std()`, which on a processor reads a number back.
            spread = torch.linalg.vector_norm(norms - mean)
            std = spread / math.sqrt(len(norms) - 1) if len(norms) > 1 else state[1]
            return torch.lerp(state, torch.stack((mean, std)).to(state), margin.momentum)
        case CurricularFace():
            return torch.lerp(state, cosine.mean(1).to(state), margin.momentum)
        case _:
            return state


def _add_angle(cosine: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """cos(theta + margin) and its derivative by the cosine, sin(theta + margin) / sin(theta)."""
    return _turned(cosine, math.cos(margin), math.sin(margin))


def _turned(cosine: Tensor, cos: Tensor | float, sin: Tensor | float) -> tuple[Tensor, Tensor]:
    """The same for a margin of this cosine and sine, one for all or one a face (B,)."""
    cosine = cosine.clamp(-1, 1)
    sine = ((1 - cosine) * (1 + cosine)).sqrt()
    moved = cosine * cos - sine * sin
    bound = math.cos(MIN_ANGLE)
    slope = cos + cosine.clamp(-bound, bound) * sin / sine.clamp_min(math.sin(MIN_ANGLE))
    return moved, slope


def _adaface_norms(norms: Tensor | None) -> Tensor:
    if norms is None:
        raise UsageError("AdaFace needs the norms of the features besides the unit embeddings")
    return norms.clamp(1e-3, 100)


def _check(margin: str, name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(f"{margin}: {name} must be within {low:.4g}..{high:.4g}, not {value}")

"""SGD in groups: which weights decay how much, and which learn how fast.

The original's groups: convolutions and PReLU with one weight decay, the embedding layer and the class centres (and the
threshold of UniFace) with another, batch norm with none. Fine-tuning multiplies the rate of all but the embedding layer
and the head.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from multiface.train.building import BATCH_NORMS, AnyHead, Network, embedding_layers
from multiface.train.recipe import OptimiserConfig


@dataclass(frozen=True, slots=True)
class Group:
    """Parameters with one weight decay and one factor on the rate."""

    name: str
    parameters: tuple[nn.Parameter, ...]
    weight_decay: float
    factor: float


def groups(
    network: Network, head: AnyHead, config: OptimiserConfig, backbone_rate: float
) -> tuple[Group, ...]:
    """The groups of a run; those without parameters are left out. With a backbone_rate of 0 its own are
    too.
    """
    norms = {id(p) for m in network.modules() if isinstance(m, BATCH_NORMS) for p in m.parameters()}
    last = {id(p) for layer in embedding_layers(network) for p in layer.parameters()}

    def those(in_last: bool, in_norms: bool) -> tuple[nn.Parameter, ...]:
        return tuple(
            p for p in network.parameters() if (id(p) in last, id(p) in norms) == (in_last, in_norms)
        )

    found = [
        Group("embedding", those(True, False), config.last_weight_decay, 1.0),
        Group("embedding norm", those(True, True), 0.0, 1.0),
        Group("centres", tuple(head.parameters()), config.last_weight_decay, 1.0),
    ]
    if backbone_rate > 0:
        found = [
            Group("backbone", those(False, False), config.weight_decay, backbone_rate),
            Group("backbone norm", those(False, True), 0.0, backbone_rate),
            *found,
        ]
    return tuple(group for group in found if group.parameters)


def build_optimiser(parameters: Iterable[Group], config: OptimiserConfig) -> torch.optim.SGD:
    """SGD over the groups, a few launches for all parameters of one; `set_rate` sets what it learns with."""
    return torch.optim.SGD(
        [
            {"params": list(group.parameters), "weight_decay": group.weight_decay, "factor": group.factor}
            for group in parameters
        ],
        lr=config.rate,
        momentum=config.momentum,
        nesterov=config.nesterov,
        foreach=True,
    )


def set_rate(optimiser: torch.optim.SGD, rate: float) -> None:
    """The rate of the next step, times each group's factor."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["factor"]


def momentum_of(optimiser: torch.optim.SGD, parameter: Tensor) -> Tensor | None:
    """The momentum of a parameter; None before its first step, or where there is no momentum."""
    buffer: Tensor | None = optimiser.state.get(parameter, {}).get("momentum_buffer")
    return buffer


def set_momentum(optimiser: torch.optim.SGD, parameter: Tensor, momentum: Tensor) -> None:
    """Take up a momentum that `momentum_of` gave, in the memory format of the parameter."""
    buffer = torch.empty_like(parameter)
    buffer.copy_(momentum)
    take_momentum(optimiser, parameter, buffer)


def take_momentum(optimiser: torch.optim.SGD, parameter: Tensor, buffer: Tensor) -> None:
    """The buffer itself becomes the momentum of a parameter."""
    optimiser.state[parameter]["momentum_buffer"] = buffer


@torch.no_grad()
def step_rows(optimiser: torch.optim.SGD, parameter: nn.Parameter, rows: Tensor, gradient: Tensor) -> None:
    """A step of some rows of a parameter (N, C, d), as the optimiser would make it; the others stay as they are, their
    momentum too.

    rows: (k,) int64, each once. gradient: (N, k, d).
    """
    (group,) = (group for group in optimiser.param_groups if any(one is parameter for one in group["params"]))
    values = parameter[:, rows]
    move = gradient.add(values, alpha=group["weight_decay"])
    if group["momentum"]:
        buffer = momentum_of(optimiser, parameter)
        if buffer is None:
            buffer = torch.zeros_like(parameter)
            take_momentum(optimiser, parameter, buffer)
        momentum = buffer[:, rows].mul_(group["momentum"]).add_(move)
        buffer.index_copy_(1, rows, momentum)
        move = move.add_(momentum, alpha=group["momentum"]) if group["nesterov"] else momentum
    parameter.index_copy_(1, rows, values.add_(move, alpha=-group["lr"]))

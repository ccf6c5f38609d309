"""SGD or AdamW in groups: which weights decay how much, and which learn how fast.

The original's groups: convolutions and PReLU with one weight decay, the embedding layer and the class centres (and the
threshold of UniFace) with another, batch norm with none. With AdamW biases, PReLU and positions have none either.
Fine-tuning multiplies the rate of all but the embedding layer and the head.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from multiface.train.building import BATCH_NORMS, AnyHead, Network, embedding_layers
from multiface.train.networks.vit import Tokens
from multiface.train.recipe import OptimiserConfig

Optimiser = torch.optim.SGD | torch.optim.AdamW
MEMORIES = ("momentum", "squares")


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
    norms = {
        id(p)
        for m in network.modules()
        if isinstance(m, (*BATCH_NORMS, nn.LayerNorm))
        for p in m.parameters()
    }
    if config.kind == "adamw":
        norms |= {id(p) for p in network.parameters() if p.ndim == 1}
        norms |= {id(m.position) for m in network.modules() if isinstance(m, Tokens)}
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


def build_optimiser(parameters: Iterable[Group], config: OptimiserConfig) -> Optimiser:
    """SGD or AdamW over the groups, a few launches for all parameters of one; `set_rate` sets what it learns with."""
    found: list[dict[str, Any]] = [
        {"params": list(group.parameters), "weight_decay": group.weight_decay, "factor": group.factor}
        for group in parameters
    ]
    if config.kind == "adamw":
        return torch.optim.AdamW(found, config.rate, (config.momentum, config.squares), foreach=True)
    return torch.optim.SGD(
        found, config.rate, momentum=config.momentum, nesterov=config.nesterov, foreach=True
    )


def set_rate(optimiser: Optimiser, rate: float) -> None:
    """The rate of the next step, times each group's factor."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["factor"]


def memories(optimiser: Optimiser, parameter: Tensor) -> dict[str, Tensor]:
    """What the optimiser remembers of a parameter: its momentum, and of AdamW the squares (see MEMORIES).
    Nothing before its first step, and of SGD nothing without momentum.
    """
    state, names = optimiser.state.get(parameter, {}), _names(optimiser)
    return {name: state[key] for name, key in names.items() if state.get(key) is not None}


def remember(optimiser: Optimiser, parameter: Tensor, name: str, memory: Tensor) -> None:
    """Take up a copy of what `memories` gave under this name, in the memory format of the parameter."""
    buffer = torch.empty_like(parameter)
    buffer.copy_(memory)
    take_memory(optimiser, parameter, name, buffer)


def take_memory(optimiser: Optimiser, parameter: Tensor, name: str, buffer: Tensor) -> None:
    """The buffer itself becomes what is remembered of a parameter under this name."""
    optimiser.state[parameter][_names(optimiser)[name]] = buffer


def steps_of(optimiser: Optimiser) -> Tensor | None:
    """Steps of AdamW so far, a scalar on the CPU, the same for all parameters; None of SGD and before the first."""
    counts = [state["step"] for state in optimiser.state.values() if "step" in state]
    return counts[0] if counts else None


def set_steps(optimiser: Optimiser, steps: Tensor) -> None:
    """Take up what `steps_of` gave, for all parameters of which something is remembered."""
    for state in optimiser.state.values():
        state["step"] = steps.detach().cpu().clone()


@torch.no_grad()
def step_rows(optimiser: Optimiser, parameter: nn.Parameter, rows: Tensor, gradient: Tensor) -> None:
    """A step of some rows of a parameter (N, C, d), as the optimiser would make it; the others, and what is
    remembered of them, stay as they are. AdamW counts its steps for all rows together.

    rows: (k,) int64, each once. gradient: (N, k, d).
    """
    (group,) = (group for group in optimiser.param_groups if any(one is parameter for one in group["params"]))
    values = parameter[:, rows]
    if isinstance(optimiser, torch.optim.AdamW):
        values = _adamw_rows(optimiser, group, parameter, rows, values, gradient)
    else:
        values = _sgd_rows(optimiser, group, parameter, rows, values, gradient)
    parameter.index_copy_(1, rows, values)


def _sgd_rows(
    optimiser: Optimiser,
    group: dict[str, Any],
    parameter: nn.Parameter,
    rows: Tensor,
    values: Tensor,
    gradient: Tensor,
) -> Tensor:
    move = gradient.add(values, alpha=group["weight_decay"])
    if group["momentum"]:
        buffer = _memory(optimiser, parameter, "momentum")
        momentum = buffer[:, rows].mul_(group["momentum"]).add_(move)
        buffer.index_copy_(1, rows, momentum)
        move = move.add_(momentum, alpha=group["momentum"]) if group["nesterov"] else momentum
    return values.add_(move, alpha=-group["lr"])


def _adamw_rows(
    optimiser: Optimiser,
    group: dict[str, Any],
    parameter: nn.Parameter,
    rows: Tensor,
    values: Tensor,
    gradient: Tensor,
) -> Tensor:
    """Algorithm 2 of Loshchilov & Hutter 2019 (arXiv:1711.05101), of some rows."""
    first, second = group["betas"]
    means, squares = (_memory(optimiser, parameter, name) for name in MEMORIES)
    state = optimiser.state[parameter]
    state["step"] = state.get("step", torch.tensor(0.0)) + 1
    steps = float(state["step"])  # it lies on the CPU: no GPU is waited for
    mean = means[:, rows].lerp_(gradient, 1 - first)
    square = squares[:, rows].mul_(second).addcmul_(gradient, gradient, value=1 - second)
    means.index_copy_(1, rows, mean)
    squares.index_copy_(1, rows, square)
    length = square.sqrt_().div_(math.sqrt(1 - second**steps)).add_(group["eps"])
    values.mul_(1 - group["lr"] * group["weight_decay"])
    return values.addcdiv_(mean, length, value=-group["lr"] / (1 - first**steps))


def _memory(optimiser: Optimiser, parameter: nn.Parameter, name: str) -> Tensor:
    """What is remembered; zeros at first."""
    if name not in memories(optimiser, parameter):
        take_memory(optimiser, parameter, name, torch.zeros_like(parameter))
    return memories(optimiser, parameter)[name]


def _names(optimiser: Optimiser) -> dict[str, str]:
    """What torch calls them."""
    if isinstance(optimiser, torch.optim.AdamW):
        return {"momentum": "exp_avg", "squares": "exp_avg_sq"}
    return {"momentum": "momentum_buffer"}

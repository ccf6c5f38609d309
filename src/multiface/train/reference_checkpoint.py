"""Checkpoints of the original MultiFace and InsightFace_Pytorch, read without running anything in them.

A checkpoint there is three files by torch.save, `model_*.pth`, `head_*.pth` and `optimizer_*.pth`, each a
plain state_dict, in the legacy format or the zip format. Keys may all begin with `module.` (saved from
DataParallel); files of torch 0.4.0 have no `num_batches_tracked`. They are read with
torch.load(weights_only=True), whose unpickler admits tensors and plain containers only.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from multiface.errors import WeightsError
from multiface.regular_file import open_regular
from multiface.train.arcface_checkpoint import own_names
from multiface.train.networks.arc_iresnet import ArcIResNet

_PREFIX = "module."
_COUNTER = "num_batches_tracked"


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a model or head file, on the CPU, in the file's order, without the prefix `module.`.

    Raises WeightsError where the file is missing, broken, holds anything but named tensors, or wants code
    run.
    """
    content = _read(path)
    if not isinstance(content, dict) or not content:
        raise WeightsError(
            f"{path.name}: wanted a state_dict (names to tensors), found {_kind(content)}", path=path
        )
    if "param_groups" in content:
        raise WeightsError(
            f"{path.name}: this is the state of an optimiser, wanted that of a model or a head", path=path
        )
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsError(
                f"{path.name}: wanted names to tensors, found {name!r} to {_kind(value)}; "
                "if the file wraps its state_dict, save that alone",
                path=path,
            )
    if all(name.startswith(_PREFIX) for name in content):
        return {name.removeprefix(_PREFIX): value for name, value in content.items()}
    return dict(content)


def load_network(network: nn.Module, path: Path) -> None:
    """Fill a network from a model file. Missing `num_batches_tracked` count as zero.

    Raises WeightsError, and leaves the network as it was, where names or shapes do not fit.
    """
    state = read_state(path)
    if isinstance(network, ArcIResNet):
        state = own_names(state)
    wanted = network.state_dict()
    for name, value in wanted.items():
        if name.endswith(_COUNTER) and name not in state:
            state[name] = torch.zeros_like(value)
    missing = [name for name in wanted if name not in state]
    unknown = [name for name in state if name not in wanted]
    unlike = [name for name in wanted if name in state and state[name].shape != wanted[name].shape]
    if missing or unknown or unlike:
        faults = []
        if missing:
            faults.append(f"{len(missing)} missing (first {missing[0]})")
        if unknown:
            faults.append(f"{len(unknown)} unknown (first {unknown[0]})")
        if unlike:
            name = unlike[0]
            faults.append(
                f"{len(unlike)} of another shape (first {name}: "
                f"wanted {tuple(wanted[name].shape)}, found {tuple(state[name].shape)})"
            )
        raise WeightsError(
            f"{path.name} does not fit {type(network).__name__}: {', '.join(faults)}; "
            "is it a file of another network, depth or embedding size?",
            path=path,
        )
    network.load_state_dict(state)


def _read(path: Path) -> object:
    try:
        with open_regular(path) as file:
            content: object = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file", path=path) from error
    except Exception as error:  # a damaged file may raise nearly anything in the unpickler
        raise WeightsError(
            f"{path.name}: not a readable checkpoint, or one that would run code; refused "
            f"({type(error).__name__})",
            path=path,
        ) from error
    return content


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"

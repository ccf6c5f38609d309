"""Recognition networks of arcface_torch and InsightFace, for fine-tuning and export: state dictionaries and ONNX files.

A state dictionary (`backbone.pth`, `model.pt`) has the names of networks/arc_iresnet.py, but for `features.*`, which
is `norm.*` here. An ONNX file has no names that last, but its layers stand in the order in which they are computed.
Most exporters fold a batch norm into the convolution before it. Then the norm becomes one that changes nothing but
the bias (mean 0, deviation 1): what the network answers is the same, but its batch norms have lost their statistics,
so fine-tune it with `freeze_batch_norm = true`, or live with a first epoch in which they are found anew.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from multiface.errors import ExtraMissing, WeightsError, how_to_install
from multiface.regular_file import read_regular
from multiface.train.networks.arc_iresnet import ArcIResNet

if TYPE_CHECKING:
    import onnx

_LAYERS = ("Conv", "PRelu", "BatchNormalization", "Gemm")


def own_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of an arcface_torch state dictionary under the names that they have here."""
    return {
        f"norm.{name.removeprefix('features.')}" if name.startswith("features.") else name: value
        for name, value in state.items()
    }


def load_onnx(network: ArcIResNet, path: Path) -> None:
    """Fill a network from an ONNX file of its family. Raises WeightsError, and leaves the network as it was, where the
    file is broken or of another network.
    """
    try:
        import onnx
    except ImportError as error:
        raise ExtraMissing(
            f"reading {path.name} needs onnx", hint=how_to_install("train"), path=path
        ) from error
    try:
        model = onnx.load_model_from_string(read_regular(path))
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file", path=path) from error
    except Exception as error:  # protobuf has several of its own
        raise WeightsError(f"{path}: is not an ONNX file ({type(error).__name__})", path=path) from error
    state = dict(network.state_dict())
    try:
        _Reader(model.graph, state).read(network)
    except _Unlike as error:
        raise WeightsError(
            f"{path}: is no IResNet as this one: {error}; is it of another depth or family?", path=path
        ) from error
    network.load_state_dict(state)


class _Unlike(Exception):
    """What does not fit."""


class _Reader:
    """Takes the layers of a graph one by one into a state dictionary."""

    def __init__(self, graph: "onnx.GraphProto", state: dict[str, Tensor]) -> None:
        from onnx import numpy_helper

        self._values = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
                self._values[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        self._nodes: Iterator[onnx.NodeProto] = (node for node in graph.node if node.op_type in _LAYERS)
        self._next = next(self._nodes, None)
        self._state = state
        inputs = {one.name for one in graph.input} - set(self._values)
        if self._next is None or self._next.input[0] not in inputs:
            raise _Unlike("it changes its input before the first convolution")

    def read(self, network: ArcIResNet) -> None:
        self._product("Conv", "conv1", "bn1")
        self._slope("prelu")
        names = {id(module): name for name, module in network.named_modules()}
        for one in network.units:
            name = names[id(one)]
            self._norm(f"{name}.bn1")
            self._product("Conv", f"{name}.conv1", f"{name}.bn2")
            self._slope(f"{name}.prelu")
            self._product("Conv", f"{name}.conv2", f"{name}.bn3")
            if isinstance(one.downsample, nn.Sequential):
                self._product("Conv", f"{name}.downsample.0", f"{name}.downsample.1")
        self._norm("bn2")
        self._product("Gemm", "fc", "norm")
        if self._next is not None:
            raise _Unlike(f"after the last layer comes a {self._next.op_type}")

    def _take(self, kind: str, name: str) -> "onnx.NodeProto":
        node = self._next
        if node is None or node.op_type != kind:
            raise _Unlike(f"wanted a {kind} for {name}, found {'the end' if node is None else node.op_type}")
        self._next = next(self._nodes, None)
        return node

    def _product(self, kind: str, name: str, norm: str) -> None:
        """A convolution or a matrix, and the norm behind it, which may be folded into it."""
        node = self._take(kind, name)
        weight = self._value(node, 1)
        if kind == "Gemm" and not any(one.name == "transB" and one.i for one in node.attribute):
            weight = weight.T
        self._put(f"{name}.weight", weight)
        bias = self._value(node, 2) if len(node.input) > 2 else None
        follows = self._next is not None and self._next.input[0] == node.output[0]
        has_bias = f"{name}.bias" in self._state
        if has_bias and bias is not None:
            self._put(f"{name}.bias", bias)
        if follows and self._next is not None and self._next.op_type == "BatchNormalization":
            if bias is not None and not has_bias:
                raise _Unlike(f"{name} has a bias and a batch norm after it")
            self._norm(norm)
            return
        size = len(weight)
        self._put(f"{norm}.weight", np.ones(size))
        self._put(f"{norm}.bias", np.zeros(size) if bias is None or has_bias else bias)
        self._put(f"{norm}.running_mean", np.zeros(size))
        self._put(f"{norm}.running_var", np.full(size, 1 - 1e-5))  # 1 with the epsilon

    def _norm(self, name: str) -> None:
        node = self._take("BatchNormalization", name)
        for number, last in enumerate(("weight", "bias", "running_mean", "running_var"), 1):
            self._put(f"{name}.{last}", self._value(node, number))

    def _slope(self, name: str) -> None:
        self._put(f"{name}.weight", self._value(self._take("PRelu", name), 1).reshape(-1))

    def _value(self, node: "onnx.NodeProto", number: int) -> npt.NDArray[Any]:
        found = self._values.get(node.input[number])
        if found is None:
            raise _Unlike(f"{node.op_type} {node.name} has no fixed weights")
        return found

    def _put(self, name: str, value: npt.NDArray[Any]) -> None:
        wanted = tuple(self._state[name].shape)
        if value.shape != wanted:
            raise _Unlike(f"{name} is {value.shape}, wanted {wanted}")
        self._state[name] = torch.from_numpy(np.array(value, np.float32))

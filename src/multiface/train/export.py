"""A trained network as weights: an ONNX file with a free batch, and a safetensors file; both say how they are
fed.

The ONNX graph is made from the network's own modules, traced by torch.fx: one node for each layer, in
evaluation mode (no dropout, fixed batch norm). Its input is `input`, float32 (n, 3, 112, 112); its output
`features`, float32 (n, D), the vector before it is brought to unit length. Its metadata: `multiface.spec`
(the input spec) and `multiface.weights` (sha256 over all tensors). The safetensors file has the same and the
settings of the network in one entry, `multiface`: a JSON object of `spec`, `weights`, `network`. Equal
weights give equal files.

Source: the ONNX specification, operators of opset 13.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.fx
from safetensors.torch import save
from torch import Tensor, nn

from multiface.arrays import Pixels
from multiface.atomic_write import write_whole
from multiface.errors import InputError, WeightsError, about
from multiface.json_text import parse_json
from multiface.train.building import Network, build_network, load_weights
from multiface.train.checkpoint import FOLDER, checkpoints
from multiface.train.crops import SIDE
from multiface.train.follow import LAST
from multiface.train.networks.vit import Attention, Mlp, Tokens
from multiface.train.recipe import NetworkConfig
from multiface.train.reference_checkpoint import load_network, read_state
from multiface.train.step import to_input
from multiface.train.tensor_file import read_tensors
from multiface.weights.session import Engine, open_session
from multiface.weights.spec import ARCFACE_TEMPLATE, InputSpec
from multiface.weights.store import SPEC_KEY

if TYPE_CHECKING:
    import onnx

WEIGHTS_KEY = "multiface.weights"
FILE_KEY = "multiface"
"""The one entry of a safetensors file's metadata: several would come in any order."""
OPSET = 13
LEAST_COSINE = 0.9999
"""Between the embeddings of PyTorch and of ONNX Runtime of the same crop."""


@dataclasses.dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A network in evaluation mode on the CPU, its settings, and how it is fed."""

    network: Network
    config: NetworkConfig
    spec: InputSpec


def input_spec(colour: str, dimension: int) -> InputSpec:
    """How all networks of this room are fed; colour is "rgb" or "bgr"."""
    grey = (127.5, 127.5, 127.5)
    if colour not in ("rgb", "bgr"):
        raise WeightsError(f"colour must be rgb or bgr, not {colour!r}")
    return InputSpec(SIDE, SIDE, "bgr" if colour == "bgr" else "rgb", grey, grey, ARCFACE_TEMPLATE, dimension)


def weights_sha256(state: Mapping[str, Tensor]) -> str:
    """sha256 (hex) over names, shapes and bytes of all tensors in the order of their names."""
    told = hashlib.sha256()
    for name in sorted(state):
        values = state[name].detach().cpu().contiguous().numpy()
        told.update(f"{name} {values.dtype} {values.shape}\n".encode())
        told.update(values.tobytes())
    return told.hexdigest()


def write_safetensors(path: Path, trained: TrainedNetwork) -> None:
    """The network as a safetensors file that `read_trained` reads; it appears whole or not at all."""
    state = {name: value.contiguous() for name, value in trained.network.state_dict().items()}
    written = {
        "network": dataclasses.asdict(trained.config),
        "spec": trained.spec.to_json(),
        "weights": weights_sha256(state),
    }
    write_whole(path, save(state, {FILE_KEY: json.dumps(written)}))


def read_trained(path: Path) -> TrainedNetwork:
    """The network of a run folder (its best, else last weights) or of a safetensors file of a run.

    Raises WeightsError where there is none, or the file is broken.
    """
    if path.is_dir():
        found = [path / name for name in ("best.safetensors", LAST) if (path / name).is_file()]
        if not found:
            there = f"; its {FOLDER} can be resumed" if checkpoints(path) else ""
            raise WeightsError(f"{path}: wanted the folder of a run with best.safetensors{there}", path=path)
        path = found[0]
    state, metadata = read_tensors(path)
    try:
        written = parse_json(metadata[FILE_KEY])
        spec = InputSpec.from_json(written["spec"])
        config = NetworkConfig(**written["network"])
    except (KeyError, ValueError, TypeError) as error:
        raise WeightsError(
            f"{path}: does not say which network it is of; wanted a file of a run such as best.safetensors",
            path=path,
        ) from error
    network = build_network(config)
    with about(path):
        load_weights(network, state, str(path))
    return TrainedNetwork(network.eval(), config, spec)


def read_original(path: Path, config: NetworkConfig, colour: str) -> TrainedNetwork:
    """The network of a model file of the original (.pth). The length of a MobileFaceNet's embedding is the
    file's.

    colour: "bgr" for what the original trained. Raises WeightsError where the file is broken or of another
        network.
    """
    if config.name == "mobilefacenet":
        state = read_state(path)
        if "linear.weight" in state:
            config = dataclasses.replace(config, embedding=len(state["linear.weight"]))
    if config.name == "iresnet" and path.suffix != ".onnx":
        state = read_state(path)
        if "fc.weight" in state:
            config = dataclasses.replace(config, embedding=len(state["fc.weight"]))
    network = build_network(config)
    load_network(network, path)
    return TrainedNetwork(network.eval(), config, input_spec(colour, network.embedding_size))


def to_onnx(trained: TrainedNetwork) -> bytes:
    """The network as an ONNX file."""
    import onnx
    from onnx import TensorProto, helper

    network = trained.network.eval()
    builder = _Graph(network)
    output = builder.build()
    graph = helper.make_graph(
        builder.nodes,
        trained.config.name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", trained.spec.dimension])],
        builder.constants,
    )
    graph.node.append(helper.make_node("Identity", [output], ["features"], "output"))
    model = helper.make_model(
        graph, producer_name="multiface", ir_version=8, opset_imports=[helper.make_opsetid("", OPSET)]
    )
    helper.set_model_props(
        model, {SPEC_KEY: trained.spec.to_json(), WEIGHTS_KEY: weights_sha256(network.state_dict())}
    )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def check_agreement(model: bytes, trained: TrainedNetwork, crops: Pixels) -> float:
    """The smallest cosine between PyTorch's and ONNX Runtime's features of uint8 (n, 112, 112, 3) RGB crops.

    Batches of all and of one are run. Raises WeightsError where it is not above LEAST_COSINE,
    or the features are no finite numbers.
    """
    pictures = to_input(torch.from_numpy(np.array(crops)), torch.device("cpu"), trained.spec.colour, False)
    with torch.no_grad():
        wanted = trained.network.eval().features(pictures).double().numpy()
    if not np.isfinite(wanted).all():
        raise WeightsError(
            "the network gives numbers that are not finite, so it recognises nobody; after a few "
            "steps at a high rate that is so: train longer, or with a lower rate or a longer warm-up"
        )
    session = open_session(model, Engine(threads=1))
    smallest = 1.0
    for rows in (slice(None), slice(0, 1)):
        (got,) = session.run(None, {"input": pictures.numpy()[rows]})
        got, want = got.astype(np.float64), wanted[rows]
        lengths = np.linalg.norm(got, axis=1) * np.linalg.norm(want, axis=1)
        smallest = min(smallest, float(((got * want).sum(1) / lengths).min()))
    if not smallest > LEAST_COSINE:
        raise WeightsError(
            f"the exported network differs from the trained one: cosine {smallest:.6f}, wanted above "
            f"{LEAST_COSINE}"
        )
    return smallest


def export(path: Path, trained: TrainedNetwork, crops: Pixels) -> float:
    """Writes the network to `path` (.onnx) after checking it on these crops; the smallest cosine.

    The file appears whole or not at all. Raises WeightsError where the check fails, InputError where it
    cannot be written.
    """
    model = to_onnx(trained)
    cosine = check_agreement(model, trained, crops)
    write_onnx(path, model)
    return cosine


def write_onnx(path: Path, model: bytes) -> None:
    """Writes an ONNX file; it appears whole or not at all. Raises InputError where it cannot be written."""
    try:
        write_whole(path, model)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})", path=path) from error


class _Graph:
    """Nodes and constants of the ONNX graph, made by going through the traced network once."""

    def __init__(self, network: nn.Module) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._network = network

    def build(self) -> str:
        """The name of the output."""
        traced = _Tracer().trace(_Features(self._network))
        names: dict[torch.fx.Node, str] = {}
        for node in traced.nodes:
            inputs = [names[argument] for argument in node.args if isinstance(argument, torch.fx.Node)]
            if node.op == "placeholder":
                names[node] = "input"
            elif node.op == "output":
                return inputs[0]
            elif node.op == "call_module":
                path = str(node.target).removeprefix("network.")
                names[node] = self._layer(path, self._network.get_submodule(path), inputs[0])
            else:
                names[node] = self._function(node, inputs)
        raise AssertionError("a traced network has an output")

    def _layer(self, path: str, layer: nn.Module, source: str) -> str:
        match layer:
            case nn.Conv2d():
                weights = self._constants(path, layer, "weight", "bias")
                settings = {
                    "strides": layer.stride,
                    "pads": [*layer.padding, *layer.padding],
                    "group": layer.groups,
                    "kernel_shape": layer.kernel_size,
                }
                return self._node("Conv", [source, *weights], path, **settings)
            case nn.BatchNorm2d() | nn.BatchNorm1d():
                weights = self._constants(path, layer, "weight", "bias", "running_mean", "running_var")
                return self._node("BatchNormalization", [source, *weights], path, epsilon=layer.eps)
            case nn.PReLU():
                self._constant(f"{path}.weight", layer.weight[:, None, None])
                return self._node("PRelu", [source, f"{path}.weight"], path)
            case nn.Linear():
                weights = self._constants(path, layer, "weight", "bias")
                return self._node("Gemm", [source, *weights], path, transB=1)
            case nn.MaxPool2d(kernel_size=size, stride=stride):
                return self._node("MaxPool", [source], path, kernel_shape=[size] * 2, strides=[stride] * 2)
            case nn.AdaptiveAvgPool2d(output_size=int(side)) if SIDE % side == 0:  # of the picture itself
                shape = [SIDE // side] * 2
                return self._node("AveragePool", [source], path, kernel_shape=shape, strides=shape)
            case Tokens():
                self._constant(f"{path}.shape", torch.tensor([0, layer.proj.out_channels, -1]))
                patches = self._layer(f"{path}.proj", layer.proj, source)
                rows = self._node("Reshape", [patches, f"{path}.shape"], f"{path}.rows")
                turned = self._node("Transpose", [rows], f"{path}.turned", perm=[0, 2, 1])
                self._constant(f"{path}.position", layer.position)
                return self._node("Add", [turned, f"{path}.position"], path)
            case Attention():
                return self._attention(path, layer, source)
            case Mlp():
                inner = self._dense(f"{path}.fc1", layer.fc1, source)
                self._constant(f"{path}.low", torch.tensor(0.0))
                self._constant(f"{path}.high", torch.tensor(6.0))
                active = self._node("Clip", [inner, f"{path}.low", f"{path}.high"], path)
                return self._dense(f"{path}.fc2", layer.fc2, active)
            case nn.LayerNorm():
                return self._layer_norm(path, layer, source)
            case nn.Flatten():
                return self._node("Flatten", [source], path)
            case nn.Dropout():
                return source
        raise WeightsError(
            f"{path}: a layer {type(layer).__name__} cannot be exported to ONNX yet", path=path
        )

    def _dense(self, path: str, layer: nn.Linear, source: str) -> str:
        """A linear layer of (n, t, c)."""
        self._constant(f"{path}.weight", layer.weight.T)
        product = self._node("MatMul", [source, f"{path}.weight"], f"{path}.product")
        bias = self._constants(path, layer, "bias")
        return self._node("Add", [product, *bias], path) if bias else product

    def _attention(self, path: str, layer: Attention, source: str) -> str:
        channels = layer.proj.in_features
        size = channels // layer.heads
        joined = self._dense(f"{path}.qkv", layer.qkv, source)
        self._constant(f"{path}.shape", torch.tensor([0, 0, 3 * layer.heads, size]))
        heads = self._node("Reshape", [joined, f"{path}.shape"], f"{path}.heads")
        turned = self._node("Transpose", [heads], f"{path}.turned", perm=[0, 2, 1, 3])  # (n, 3 h, t, size)
        q, k, v = self._split(turned, path, 3)
        keys = self._node("Transpose", [k], f"{path}.keys", perm=[0, 1, 3, 2])
        alike = self._node("MatMul", [q, keys], f"{path}.alike")
        self._constant(f"{path}.scale", torch.tensor(size**-0.5))
        scaled = self._node("Mul", [alike, f"{path}.scale"], f"{path}.scaled")
        weights = self._node("Softmax", [scaled], f"{path}.weights", axis=-1)
        mixed = self._node("MatMul", [weights, v], f"{path}.mixed")
        back = self._node("Transpose", [mixed], f"{path}.back", perm=[0, 2, 1, 3])
        self._constant(f"{path}.flat", torch.tensor([0, 0, channels]))
        return self._dense(
            f"{path}.proj", layer.proj, self._node("Reshape", [back, f"{path}.flat"], f"{path}.rows")
        )

    def _layer_norm(self, path: str, layer: nn.LayerNorm, source: str) -> str:
        """Operators of opset 13: the one for it came with 17."""
        mean = self._node("ReduceMean", [source], f"{path}.mean", axes=[-1], keepdims=1)
        centred = self._node("Sub", [source, mean], f"{path}.centred")
        square = self._node("Mul", [centred, centred], f"{path}.square")
        variance = self._node("ReduceMean", [square], f"{path}.variance", axes=[-1], keepdims=1)
        self._constant(f"{path}.eps", torch.tensor(layer.eps))
        above = self._node("Add", [variance, f"{path}.eps"], f"{path}.above")
        deviation = self._node("Sqrt", [above], f"{path}.deviation")
        normal = self._node("Div", [centred, deviation], f"{path}.normal")
        weight, bias = self._constants(path, layer, "weight", "bias")
        return self._node("Add", [self._node("Mul", [normal, weight], f"{path}.scaled"), bias], path)

    def _split(self, source: str, path: str, parts: int) -> list[str]:
        """Equal parts along the second axis."""
        from onnx import helper

        outputs = [f"{path}.part{number}:out" for number in range(parts)]
        self.nodes.append(helper.make_node("Split", [source], outputs, f"{path}.split", axis=1))
        return outputs

    def _function(self, node: torch.fx.Node, inputs: list[str]) -> str:
        kind = node.target if isinstance(node.target, str) else node.target.__name__
        match kind:
            case "add" | "mul":
                return self._node(kind.capitalize(), inputs, node.name)
            case "relu" | "sigmoid":
                return self._node(kind.capitalize(), inputs, node.name)
            case "flatten":
                return self._node("Flatten", inputs, node.name)
            case "mean" if node.args[1] == (2, 3) and node.kwargs.get("keepdim"):
                return self._node("ReduceMean", inputs, node.name, axes=[2, 3], keepdims=1)
        raise WeightsError(f"{node.name}: an operation {kind} cannot be exported to ONNX yet")

    def _node(self, operator: str, inputs: list[str], name: str, **settings: Any) -> str:
        from onnx import helper

        output = f"{name}:out"
        self.nodes.append(helper.make_node(operator, inputs, [output], name, **settings))
        return output

    def _constants(self, path: str, layer: nn.Module, *names: str) -> list[str]:
        found = [
            (f"{path}.{name}", getattr(layer, name)) for name in names if getattr(layer, name) is not None
        ]
        for name, value in found:
            self._constant(name, value)
        return [name for name, _ in found]

    def _constant(self, name: str, value: Tensor) -> None:
        from onnx import numpy_helper

        kind = torch.float32 if value.is_floating_point() else torch.int64
        values = value.detach().cpu().contiguous().to(kind).numpy()
        self.constants.append(numpy_helper.from_array(values, name))


class _Tracer(torch.fx.Tracer):
    """Looks into no layer that is exported as a whole."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Tokens | Attention | Mlp) or super().is_leaf_module(m, module_qualified_name)


class _Features(nn.Module):
    """`features` as `forward`, for the tracer."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        features: Tensor = self.network.features(pictures)  # type: ignore[operator]
        return features

"""A network run by OpenVINO instead of ONNX Runtime: the engine `openvino`, from the extra of the same name.

Arithmetic is float32 even on processors that have a faster kind, so that scores do not change with the engine. Calls
from many threads wait for one another inside OpenVINO and stay within one thread budget. Nothing here uses the network.
"""

import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from multiface.errors import EngineMissing, WeightsError, how_to_install

_TELEMETRY = "openvino_telemetry"
_importing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output. shape: a number for each fixed axis, None for each free one."""

    name: str
    shape: tuple[int | None, ...]


class OpenVinoSession:
    """A network, compiled for the processor. Safe to call from several threads."""

    def __init__(self, model: Path | bytes, threads: int, what: str) -> None:
        """model: an ONNX file or its bytes; threads: 1 or more; what: the network's name in messages.

        Raises EngineMissing without the package `openvino`, WeightsError for a model that it cannot run.
        """
        require_openvino()
        openvino = import_openvino()
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        }
        try:
            core = openvino.Core()
            self._network = core.compile_model(core.read_model(model), "CPU", settings)
        except RuntimeError as error:
            raise WeightsError(f"{what}: OpenVINO cannot run this as a network: {error}") from error
        self._what = what
        self._local = threading.local()
        self._inputs = tuple(_port(port) for port in self._network.inputs)
        self._outputs = tuple(_port(port) for port in self._network.outputs)

    def get_inputs(self) -> Sequence[Port]:
        return self._inputs

    def get_outputs(self) -> Sequence[Port]:
        return self._outputs

    def run(
        self, names: Sequence[str] | None, feed: dict[str, npt.NDArray[np.float32]]
    ) -> list[npt.NDArray[np.float32]]:
        """The outputs of these names (None: all), in arrays of their own. Raises WeightsError for unfit inputs."""
        if not hasattr(self._local, "request"):
            self._local.request = self._network.create_infer_request()
        try:
            found = self._local.request.infer(feed)
        except RuntimeError as error:
            raise WeightsError(f"{self._what}: OpenVINO cannot run on this input: {error}") from error
        return [found[port.name] for port in self._outputs] if names is None else [found[n] for n in names]


def has_openvino() -> bool:
    """Whether the package is installed."""
    return find_spec("openvino") is not None


def require_openvino() -> None:
    """Raises EngineMissing unless the package is installed."""
    if not has_openvino():
        raise EngineMissing(
            "engine 'openvino' needs the package openvino, which is not installed",
            hint=f"{how_to_install('openvino')}, or use the engine cpu",
        )


def import_openvino() -> Any:
    """The package `openvino`, without what it tells of its users.

    It installs `openvino-telemetry`, and importing the one reports to Google Analytics through the other and writes
    into the folder `intel` of the user's home; no variable turns that off. It does without where it does not find it.
    """
    with _importing:
        hidden = sys.modules.pop(_TELEMETRY, None)
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # how an import is made to fail
        try:
            import openvino
        finally:
            del sys.modules[_TELEMETRY]
            if hidden is not None:
                sys.modules[_TELEMETRY] = hidden
    return openvino


def _port(port: Any) -> Port:
    sizes = (None if size.is_dynamic else size.get_length() for size in port.partial_shape)
    return Port(port.any_name, tuple(sizes))

"""Sessions: which engine runs a network, and on how many threads.

One `Engine` value is handed to every network of a process, so that all share one thread budget: the networks
are called one after the other, each with `threads` threads, and none of them spins between calls
(`session.intra_op.allow_spinning`), so an idle recogniser costs no processor time.

The engine asked for is the engine used. ONNX Runtime itself falls back to the processor in silence when, say,
a CUDA library is missing; here that is an `EngineMissing`.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from multiface.errors import EngineMissing, UsageError, WeightsError
from multiface.weights.onnx_model import raise_memory_error
from multiface.weights.openvino_session import OpenVinoSession, has_openvino, require_openvino

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
"""The engines inside ONNX Runtime by the names users give them, and what ONNX Runtime calls them."""

OPENVINO = "openvino"
ENGINES = (*PROVIDERS, OPENVINO)
"""Every engine by the name users give it."""


class Session(Protocol):
    """A network ready to run: one of ONNX Runtime or an `OpenVinoSession`. Safe to call from several threads."""

    def get_inputs(self) -> Sequence[Any]:
        """The inputs, each with `name` and `shape`."""

    def get_outputs(self) -> Sequence[Any]:
        """The outputs, each with `name` and `shape`."""

    def run(self, names: Sequence[str] | None, feed: dict[str, Any]) -> list[Any]:
        """The outputs of these names (None: all, in order), as arrays, for arrays by input name."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Where networks run.

    name: one of `ENGINES`.
    threads: the thread budget of all networks together; None means every processor this process may use.
    """

    name: str = "cpu"
    threads: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name not in ENGINES:
            raise UsageError(f"unknown engine {self.name!r}; the engines are {', '.join(ENGINES)}")
        if self.threads is not None and not (isinstance(self.threads, int) and 1 <= self.threads <= 1024):
            raise UsageError(f"threads must be within 1..1024, not {self.threads}")

    @property
    def thread_count(self) -> int:
        """The budget as a number."""
        return self.threads or usable_processors()

    def for_detectors(self) -> "Engine":
        """The engine that detectors run on: this one, but ONNX Runtime on the processor in place of OpenVINO.

        Detectors see another size in each picture, for which OpenVINO prepares the network anew. Raises
        EngineMissing if this engine is OpenVINO and is not installed.
        """
        if self.name != OPENVINO:
            return self
        require_openvino()
        return Engine("cpu", self.threads)


def usable_processors() -> int:
    """Processors that this process may run on (its affinity mask where the system has one)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_engines() -> tuple[str, ...]:
    """The engines in the installed ONNX Runtime, whose libraries may still be missing, and OpenVINO if installed."""
    import onnxruntime

    present = set(onnxruntime.get_available_providers())
    found = tuple(name for name, provider in PROVIDERS.items() if provider in present)
    return (*found, OPENVINO) if has_openvino() else found


def open_session(model: Path | bytes, engine: Engine) -> Session:
    """A session for an ONNX file, or for its bytes, on exactly this engine.

    Raises EngineMissing when the engine is not there or did not start, WeightsError when the file is not a
    network that the engine can run.
    """
    what = str(model) if isinstance(model, Path) else f"{len(model)} bytes"
    if engine.name == OPENVINO:
        return OpenVinoSession(model, engine.thread_count, what)
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import (
        Fail,
        InvalidArgument,
        InvalidGraph,
        InvalidProtobuf,
        NoSuchFile,
        NotImplemented,
        RuntimeException,
    )

    provider = PROVIDERS[engine.name]
    if provider not in onnxruntime.get_available_providers():
        raise EngineMissing(
            f"engine {engine.name!r} is not in this ONNX Runtime ({onnxruntime.__version__}); "
            f"it has {', '.join(available_engines())}",
            hint=f"install the ONNX Runtime build for {engine.name} or use the engine cpu",
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = engine.thread_count
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # A memory plan for each shape would be kept for ever, and detectors see another shape in every picture.
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    try:
        # Its own fallback prints to standard output.
        session = onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model),
            options,
            providers=[provider],
            enable_fallback=0,
        )
    except (
        Fail,
        InvalidArgument,
        InvalidGraph,
        InvalidProtobuf,
        NoSuchFile,
        NotImplemented,
        RuntimeException,
        RuntimeError,
        ValueError,  # names that are no UTF-8
    ) as error:
        raise_memory_error(error)
        raise WeightsError(f"{what}: ONNX Runtime cannot run this as a network: {error}") from error
    used = session.get_providers()
    if used[0] != provider:
        raise EngineMissing(
            f"engine {engine.name!r} was asked for but ONNX Runtime started {used[0]}: a library of that "
            f"engine is missing or does not fit",
            hint="repair it, or use the engine cpu",
        )
    opened: Session = session
    return opened

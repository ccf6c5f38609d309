"""ONNX Runtime sessions: which engine runs a network, and on how many threads.

One `Engine` value is handed to every network of a process, so that all share one thread budget: the networks
are called one after the other, each with `threads` threads, and none of them spins between calls
(`session.intra_op.allow_spinning`), so an idle recogniser costs no processor time.

The engine asked for is the engine used. ONNX Runtime itself falls back to the processor in silence when, say,
a CUDA library is missing; here that is an `EngineMissing`.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from multiface.errors import EngineMissing, UsageError, WeightsError

if TYPE_CHECKING:
    import onnxruntime

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
"""The engines by the names users give them, and what ONNX Runtime calls them."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Where networks run.

    name: one of `PROVIDERS`.
    threads: the thread budget of all networks together; None means every processor this process may use.
    """

    name: str = "cpu"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.name not in PROVIDERS:
            raise UsageError(f"unknown engine {self.name!r}; the engines are {', '.join(PROVIDERS)}")
        if self.threads is not None and not 1 <= self.threads <= 1024:
            raise UsageError(f"threads must be within 1..1024, not {self.threads}")

    @property
    def thread_count(self) -> int:
        """The budget as a number."""
        return self.threads or usable_processors()


def usable_processors() -> int:
    """Processors that this process may run on (its affinity mask where the system has one)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_engines() -> tuple[str, ...]:
    """The engines that the installed ONNX Runtime was built with. Their libraries may still be missing."""
    import onnxruntime

    present = set(onnxruntime.get_available_providers())
    return tuple(name for name, provider in PROVIDERS.items() if provider in present)


def open_session(model: Path | bytes, engine: Engine) -> "onnxruntime.InferenceSession":
    """A session for an ONNX file, or for its bytes, on exactly this engine.

    Raises EngineMissing when the engine is not there or did not start, WeightsError when the file is not a
    network that ONNX Runtime can run.
    """
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
            f"it has {', '.join(available_engines())}. Install the ONNX Runtime build for {engine.name} "
            f"or use the engine cpu"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = engine.thread_count
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # A memory plan for each shape would be kept for ever, and detectors see another shape in every picture.
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    what = str(model) if isinstance(model, Path) else f"{len(model)} bytes"
    try:
        session = onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model), options, providers=[provider]
        )
    except (
        Fail,
        InvalidArgument,
        InvalidGraph,
        InvalidProtobuf,
        NoSuchFile,
        NotImplemented,
        RuntimeException,
    ) as error:
        raise WeightsError(f"{what}: ONNX Runtime cannot run this as a network: {error}") from error
    used = session.get_providers()
    if used[0] != provider:
        raise EngineMissing(
            f"engine {engine.name!r} was asked for but ONNX Runtime started {used[0]}: a library of that "
            f"engine is missing or does not fit. Mend it, or use the engine cpu"
        )
    return session

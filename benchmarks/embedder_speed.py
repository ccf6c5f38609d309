"""SFace as it is published against SFace as it is shipped, and, where `openvino` is installed, against OpenVINO.

    MULTIFACE_BUILD_NETWORKS=FOLDER python benchmarks/embedder_speed.py

FOLDER holds the published files of `building/sources.py`; without it they are taken from the installed packages. The
networks take turns; printed are the median and the quartiles of milliseconds a crop, and of the ratio to the published
form in the same turn. The largest difference of the embeddings is in units of their length.
"""

import importlib.util
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from multiface.weights.places import default_store_folder
from multiface.weights.session import Engine, open_session
from multiface.weights.store import Store

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from building import sources
from building.quantised import dequantised, free_batch

TURNS = 15
Run = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    folder = os.environ.get(sources.VARIABLE)
    content = sources.read_sources(Path(folder) if folder else None)[sources.SFACE]
    plain = dequantised(content, "SFace").model
    free_batch(plain)
    shipped = Store(default_store_folder()).embedder("sface").path
    rng = np.random.default_rng(0)
    print(
        "| threads | batch | network | ms a crop | times as fast | largest difference |\n|---|---|---|---|---|---|"
    )
    for threads in (1, 2):
        engine = Engine("cpu", threads)
        networks: dict[str, Run] = {
            "as published": onnx_runtime(plain.SerializeToString(), engine),
            "as shipped": onnx_runtime(shipped, engine),
        }
        if importlib.util.find_spec("openvino"):
            networks["as shipped, OpenVINO"] = openvino(shipped, threads)
        for batch in (1, 32):
            crops = rng.integers(0, 256, (batch, 3, 112, 112)).astype(np.float32)
            compared(networks, crops, threads)


def compared(networks: dict[str, Run], crops: np.ndarray, threads: int) -> None:
    wanted = next(iter(networks.values()))(crops)
    length = np.linalg.norm(wanted, axis=1, keepdims=True)
    apart = {name: float((np.abs(run(crops) - wanted) / length).max()) for name, run in networks.items()}
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(TURNS):
        for name, run in networks.items():
            start = time.perf_counter()
            run(crops)
            seconds[name].append(time.perf_counter() - start)
    base = np.array(seconds["as published"])
    for name, values in seconds.items():
        each, ratio = 1000 * np.array(values) / len(crops), base / np.array(values)
        print(
            f"| {threads} | {len(crops)} | {name} | {quartiles(each)} | {quartiles(ratio)} | {apart[name]:.1e} |",
            flush=True,
        )


def quartiles(values: np.ndarray) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def onnx_runtime(model: Path | bytes, engine: Engine) -> Run:
    session = open_session(model, engine)
    return lambda crops: np.asarray(session.run(None, {session.get_inputs()[0].name: crops})[0])


def openvino(model: Path, threads: int) -> Run:
    from multiface.weights.openvino_session import import_openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    request = import_openvino().Core().compile_model(model, "CPU", settings).create_infer_request()
    return lambda crops: np.asarray(request.infer({0: crops})[0]).copy()


if __name__ == "__main__":
    main()

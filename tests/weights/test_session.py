"""ONNX Runtime sessions: the engine asked for, the threads asked for, and no work while nothing is asked."""

import os
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from multiface.errors import EngineMissing, UsageError, WeightsError
from multiface.weights.session import (
    OPENVINO,
    PROVIDERS,
    Engine,
    available_engines,
    open_session,
    usable_processors,
)

MISSING = [name for name in PROVIDERS if name not in available_engines()]


def network(size: int = 8) -> bytes:
    """y = relu(x w) for (n, size), as an ONNX file."""
    weight = np.eye(size, dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Relu", ["m"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", size])],
        [helper.make_tensor("w", TensorProto.FLOAT, weight.shape, weight.tobytes(), raw=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def test_a_file_and_its_bytes_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(network())
    x = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    for model in (path, path.read_bytes()):
        (y,) = open_session(model, Engine()).run(None, {"x": x})
        np.testing.assert_array_equal(y, np.maximum(x, 0))


def test_the_processor_is_there_and_used() -> None:
    assert "cpu" in available_engines()
    assert open_session(network(), Engine("cpu")).get_providers()[0] == "CPUExecutionProvider"


def test_available_engines_are_those_of_onnx_runtime() -> None:
    known = set(onnxruntime.get_available_providers()) & set(PROVIDERS.values())
    assert {PROVIDERS[name] for name in available_engines() if name != OPENVINO} == known


@pytest.mark.parametrize("name", MISSING)
def test_an_engine_that_is_not_there_is_said_and_not_replaced(name: str) -> None:
    with pytest.raises(EngineMissing, match=f"engine '{name}' is not in this ONNX Runtime .* cpu"):
        open_session(network(), Engine(name))


@pytest.mark.skipif("cuda" not in available_engines(), reason="this ONNX Runtime was built without CUDA")
def test_cuda_runs_or_is_said_to_be_missing() -> None:
    try:
        session = open_session(network(), Engine("cuda"))
    except EngineMissing:
        return
    assert session.get_providers()[0] == "CUDAExecutionProvider"


@pytest.mark.skipif("cuda" in available_engines(), reason="this ONNX Runtime was built with CUDA")
@pytest.mark.filterwarnings("ignore:Specified provider 'CUDAExecutionProvider':UserWarning")
def test_what_onnx_runtime_starts_instead_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """It claims to have CUDA, as it does where a library of CUDA's is missing, and starts the processor in silence."""
    claimed = ["CUDAExecutionProvider", *onnxruntime.get_available_providers()]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: claimed)
    silent = onnxruntime.InferenceSession(network(), providers=["CUDAExecutionProvider"])
    assert silent.get_providers() == ["CPUExecutionProvider"]
    with pytest.raises(EngineMissing, match="'cuda' was asked for but ONNX Runtime started CPUExecution"):
        open_session(network(), Engine("cuda"))


@pytest.mark.parametrize("name", ["", "gpu", "CPU", "CPUExecutionProvider"])
def test_an_unknown_engine_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="the engines are cpu, cuda"):
        Engine(name)


@pytest.mark.parametrize("threads", [0, -1, 1025])
def test_threads_that_cannot_be_are_refused(threads: int) -> None:
    with pytest.raises(UsageError, match=f"not {threads}"):
        Engine(threads=threads)


def test_the_default_is_every_processor_this_process_may_use() -> None:
    assert Engine().thread_count == usable_processors()
    assert Engine(threads=3).thread_count == 3
    if not hasattr(os, "sched_setaffinity"):
        assert usable_processors() == os.cpu_count()
        return
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_processors() == Engine().thread_count == 1
    finally:
        os.sched_setaffinity(0, before)


def threads_of_this_process() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads in /proc")
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_session_has_the_threads_it_was_given(threads: int) -> None:
    """The calling thread works too, so ONNX Runtime starts one less."""
    before = threads_of_this_process()
    session = open_session(network(), Engine(threads=threads))
    assert threads_of_this_process() - before == threads - 1
    assert session.get_session_options().intra_op_num_threads == threads
    assert session.get_session_options().inter_op_num_threads == 1


def test_nothing_spins_after_a_call() -> None:
    """With spinning, ONNX Runtime's threads burn processor time just after a call; without, next to none."""
    session = open_session(network(512), Engine(threads=4))
    x = np.ones((512, 512), np.float32)
    session.run(None, {"x": x})
    burnt = []
    for _ in range(5):
        session.run(None, {"x": x})
        start = time.process_time()
        time.sleep(0.1)
        burnt.append(time.process_time() - start)
    assert sorted(burnt)[2] < 0.01, burnt


@pytest.mark.parametrize(
    "content", [b"", b"no network", network()[:60], bytes(1000)], ids=["empty", "text", "cut", "zeros"]
)
def test_what_is_no_network_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"broken\.onnx: ONNX Runtime cannot run this"):
        open_session(path, Engine())
    with pytest.raises(WeightsError, match=f"{len(content)} bytes: ONNX Runtime cannot run this"):
        open_session(content, Engine())


def test_a_file_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"absent\.onnx"):
        open_session(tmp_path / "absent.onnx", Engine())
    with pytest.raises(WeightsError, match="cannot run this"):
        open_session(tmp_path, Engine())


def test_a_name_that_is_no_text_is_a_clear_error_and_nothing_is_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """ONNX Runtime's own fallback would print to standard output, where a JSON document goes."""
    broken = network().replace(b"Relu", b"\x9b\xffl\x9b")
    with pytest.raises(WeightsError, match="cannot run this as a network"):
        open_session(broken, Engine(threads=1))
    assert capfd.readouterr() == ("", "")

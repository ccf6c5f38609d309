"""Cuts of a real clip, and what is none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.video.tracks.cuts import (
    SAME_CONTENT,
    CutFinder,
    differences,
    likeness_of_content,
    luma_grid,
)


def scene(seed: int, size: tuple[int, int] = (90, 160)) -> np.ndarray:
    """Broad patches of colour."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, 256, (6, 8, 3), np.uint8)
    rows = np.arange(size[0]) * 6 // size[0]
    columns = np.arange(size[1]) * 8 // size[1]
    return np.ascontiguousarray(patches[rows[:, None], columns[None]])


def found(images: list[np.ndarray]) -> list[bool]:
    return found_in([luma_grid(image) for image in images])


def found_in(grids: list[np.ndarray]) -> list[bool]:
    finder = CutFinder()
    return [finder.step(grid) for grid in grids]


def test_another_scene_is_a_cut_and_the_first_frame_none() -> None:
    a, b = scene(1), scene(2)
    assert found([a, a, b, b, a]) == [False, False, True, False, True]


def test_a_cut_together_with_another_light_is_found() -> None:
    a, b = scene(1), scene(2)
    assert found([a, lit(b, 0.3), lit(b, 1.0), lit(a, 0.2)]) == [False, True, False, True]


def test_movement_noise_and_fading_light_are_none() -> None:
    a = scene(1)
    moving = [np.roll(a, 2 * k, axis=1) for k in range(10)]
    assert not any(found(moving))
    rng = np.random.default_rng(0)
    noisy = [np.clip(a + rng.normal(0, 12, a.shape), 0, 255).astype(np.uint8) for _ in range(5)]
    assert not any(found(noisy))
    fading = [(a * (1 - k / 25)).astype(np.uint8) for k in range(20)]
    assert not any(found(fading))


def test_the_state_goes_on_exactly() -> None:
    a, b = luma_grid(scene(1)), luma_grid(scene(2))
    finder = CutFinder()
    assert CutFinder.from_state(finder.state()).step(a) is False
    finder.step(a)
    state = finder.state()
    assert state.shape == (36, 64) and state.dtype == np.float32
    assert CutFinder.from_state(state).step(b) and not CutFinder.from_state(state).step(a)


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (36, 64), (4320, 7680)])
def test_every_size(size: tuple[int, int]) -> None:
    grid = luma_grid(np.full((*size, 3), 200, np.uint8))
    assert grid.shape == (36, 64) and grid == pytest.approx(200, abs=0.01)


@pytest.fixture(scope="module")
def clip(shared: Path) -> list[np.ndarray]:
    """The grids of a real clip. By eye a scene begins with frames 20, 82 and 211."""
    av = pytest.importorskip("av", reason="needs PyAV to read a clip")
    with av.open(str(shared / "data" / "video" / "short_hamilton_clip.mp4")) as file:
        return [luma_grid(frame.to_ndarray(format="rgb24")) for frame in file.decode(video=0)]


def lit(image: np.ndarray, gain: float, offset: float = 0.0, gamma: float = 1.0) -> np.ndarray:
    """The same in another light."""
    return np.clip(255 * (image / 255.0) ** gamma * gain + offset, 0, 255).astype(np.uint8)


LIGHTS: dict[str, Callable[[int], tuple[float, float, float]]] = {
    "steady": lambda _: (1.0, 0.0, 1.0),
    "strobe": lambda k: ((1.0, 0.15)[k % 2], 0.0, 1.0),
    "flashes": lambda k: (2.5, 60.0, 1.0) if k % 8 == 0 else (1.0, 0.0, 1.0),
    "10 Hz": lambda k: (0.7 + 0.3 * np.cos(2 * np.pi * 10 * k / 25), 0.0, 1.0),
    "adjusting camera": lambda k: (1.0, 0.0, (0.4, 1.0, 2.2)[k // 5 % 3]),
    "lifted": lambda k: (0.8, (0.0, 50.0)[k // 3 % 2], 1.0),
}


def cuts_in(light: str, clip: list[np.ndarray]) -> list[int]:
    shown = [lit(grid, *LIGHTS[light](k)).astype(np.float32) for k, grid in enumerate(clip)]
    return [k for k, cut in enumerate(found_in(shown)) if cut]


def test_the_cuts_of_a_real_clip_in_any_light(clip: list[np.ndarray]) -> None:
    for light in LIGHTS:
        assert cuts_in(light, clip) == [20, 82, 211], light


@pytest.mark.parametrize("light", LIGHTS)
def test_the_cuts_of_a_made_clip_in_any_light(light: str) -> None:
    """Four scenes over which the camera moves, with its noise."""
    rng = np.random.default_rng(0)
    lasting = [(1, range(20)), (2, range(20, 47)), (3, range(47, 60)), (4, range(60, 75))]
    clip = [
        luma_grid(np.clip(np.roll(scene(seed), k, axis=1) + rng.normal(0, 4, (90, 160, 3)), 0, 255))
        for seed, frames in lasting
        for k in frames
    ]
    assert cuts_in(light, clip) == [20, 47, 60]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 999),
    gain=st.floats(0.1, 1.2),
    offset=st.floats(-10, 60),
    gamma=st.floats(0.5, 2.0),
)
def test_content_is_the_same_in_every_light_and_different_in_different_scenes(
    seed: int, gain: float, offset: float, gamma: float
) -> None:
    here, there = scene(seed), scene(seed + 1000)
    changed = luma_grid(lit(here, gain, offset, gamma))
    assert likeness_of_content(luma_grid(here), changed) > 0.6
    assert likeness_of_content(luma_grid(there), changed) < SAME_CONTENT


def test_pictures_of_different_scenes_are_unlike(shared: Path) -> None:
    """Real pictures, all in pairs: at most one in a hundred would be missed, and few come near the limit."""
    from PIL import Image

    files = sorted((shared / "data" / "photos").rglob("*.jpg"))
    grids = []
    for file in files:
        with Image.open(file) as picture:
            grids.append(luma_grid(np.asarray(picture.convert("RGB").resize((640, 360)))))
    limits = [likeness_of_content(a, b) for k, a in enumerate(grids) for b in grids[:k]]
    assert len(limits) > 150
    assert np.mean(np.array(limits) >= SAME_CONTENT) <= 0.01, np.sort(limits)[-5:]


def test_a_lamp_that_goes_out_and_on_again_is_no_cut_but_another_scene_after_it_is() -> None:
    a, b, black = scene(1), scene(2), np.zeros((90, 160, 3), np.uint8)
    assert found([a, a, black, black, black, a]) == [False] * 6
    assert found([a, a, black, black, b, b]) == [False, False, False, False, True, False]
    assert found([black, a, b]) == [False, False, True]


def test_the_differences_are_those_of_histogram_and_grid() -> None:
    rng = np.random.default_rng(0)
    before, after = (rng.uniform(0, 255, (36, 64)).astype(np.float32) ** power for power in (1.0, 0.9))
    first, second = (np.histogram(grid, 32, (0.0, 256.0))[0] / grid.size for grid in (before, after))
    expected = np.abs(first - second).sum() / 2, np.abs(before - after).mean()
    assert differences(before, after) == pytest.approx(expected)
    below, beyond = np.full((36, 64), -18.0, np.float32), np.full((36, 64), 278.0, np.float32)
    assert differences(below, np.zeros_like(below))[0] == 0 == differences(beyond, beyond - 23)[0]
    assert differences(below, beyond)[0] == 1

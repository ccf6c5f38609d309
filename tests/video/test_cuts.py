"""Cuts of a real clip, and what is none."""

from pathlib import Path

import numpy as np
import pytest

from multiface.video.tracks.cuts import CutFinder, differences, luma_grid


def scene(seed: int, size: tuple[int, int] = (90, 160)) -> np.ndarray:
    """Broad patches of colour."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, 256, (6, 8, 3), np.uint8)
    rows = np.arange(size[0]) * 6 // size[0]
    columns = np.arange(size[1]) * 8 // size[1]
    return np.ascontiguousarray(patches[rows[:, None], columns[None]])


def found(images: list[np.ndarray]) -> list[bool]:
    finder = CutFinder()
    return [finder.step(luma_grid(image)) for image in images]


def test_another_scene_is_a_cut_and_the_first_frame_none() -> None:
    a, b = scene(1), scene(2)
    assert found([a, a, b, b, a]) == [False, False, True, False, True]


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


def test_the_cuts_of_a_real_clip(shared: Path) -> None:
    """By eye they are at frames 20, 82 and 211."""
    av = pytest.importorskip("av", reason="needs PyAV to read a clip")
    finder = CutFinder()
    with av.open(str(shared / "data" / "video" / "short_hamilton_clip.mp4")) as clip:
        cuts = [
            k
            for k, frame in enumerate(clip.decode(video=0))
            if finder.step(luma_grid(frame.to_ndarray(format="rgb24")))
        ]
    assert cuts == [20, 82, 211]


def test_the_differences_are_those_of_histogram_and_grid() -> None:
    rng = np.random.default_rng(0)
    before, after = (rng.uniform(0, 255, (36, 64)).astype(np.float32) ** power for power in (1.0, 0.9))
    first, second = (np.histogram(grid, 32, (0.0, 256.0))[0] / grid.size for grid in (before, after))
    expected = np.abs(first - second).sum() / 2, np.abs(before - after).mean()
    assert differences(before, after) == pytest.approx(expected)
    below, beyond = np.full((36, 64), -18.0, np.float32), np.full((36, 64), 278.0, np.float32)
    assert differences(below, np.zeros_like(below))[0] == 0 == differences(beyond, beyond - 23)[0]
    assert differences(below, beyond)[0] == 1

"""The search for a learning rate: the smoothing against the literal formula, the end, and the chart."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from multiface.datasets.identities import identities_from_records
from multiface.errors import WeightsError
from multiface.train.loop import train
from multiface.train.lr_finder import RateSearch, Smoothing, draw_search, find_rate, save_search
from multiface.train.processes import Place
from multiface.train.recipe import Recipe


def test_smoothing_is_the_bias_corrected_running_mean_and_three_times_the_best_is_the_end() -> None:
    losses = [4.0, 3.0, 2.0, 5.0, 1.0]
    smoothing = Smoothing()
    mean = 0.0
    for count, loss in enumerate(losses, 1):
        assert not smoothing.exploded(loss)
        mean = 0.98 * mean + 0.02 * loss
        assert smoothing.value == pytest.approx(mean / (1 - 0.98**count), rel=1e-12)
    first = Smoothing()
    assert not first.exploded(1.0)
    assert first.exploded(6.0)  # (0.0196 + 0.12) / 0.0396 = 3.53
    second = Smoothing()
    assert not second.exploded(1.0)
    assert not second.exploded(4.9)  # (0.0196 + 0.098) / 0.0396 = 2.97
    assert Smoothing().exploded(math.nan)


def test_a_search_rises_geometrically_ends_at_the_explosion_and_is_drawn(
    tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    recipe = tiny_recipe(optimiser={"rate": 1.0})
    pictures = identities_from_records(records)
    place = Place(torch.device("cpu"))
    search = find_rate(recipe, pictures, place, low=1e-4, high=1e30, steps=17)
    assert 3 < len(search.rates) == len(search.losses) < 17
    assert np.allclose(np.diff(np.log10(search.rates)), 34 / 17)
    assert search.suggested == pytest.approx(search.rates[int(np.argmin(search.losses))] / 10)
    again = find_rate(recipe, pictures, place, low=1e-4, high=1e30, steps=17)
    assert again == search
    save_search(search, tmp_path / "rates.png")
    with Image.open(tmp_path / "rates.png") as picture:
        assert picture.size == (720, 440)


def test_the_chart_shows_the_line_where_it_belongs() -> None:
    rates = tuple(10.0**k for k in range(-6, 1))
    search = RateSearch(rates, (4.0, 4.0, 4.0, 2.0, 1.0, 2.0, 3.0), 1e-3)
    pixels = draw_search(search)
    blue = (pixels.astype(int) @ [-1, 0, 1]) > 120
    columns = np.flatnonzero(blue.any(0))
    assert columns[0] <= 72 and columns[-1] >= 697
    height = [np.flatnonzero(blue[:, column]).mean() for column in (75, 70 + round(630 * 4 / 6))]
    assert height[0] < height[1]  # the loss falls: further down in the picture


def test_the_search_begins_with_the_weights_to_start_from(
    tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    """Known people in known places: the first loss is far below that of random centres. A missing file is an error."""
    pictures, place = identities_from_records(records), Place(torch.device("cpu"))
    longer = tiny_recipe(schedule={"epochs": 8.0}, validation={"every": 9.0})
    train(longer, tmp_path / "base", pictures, [], place)
    losses = {}
    for weights in ("", str(tmp_path / "base")):
        start = {"weights": weights, "freeze_batch_norm": bool(weights)}
        search = find_rate(tiny_recipe(start=start), pictures, place, low=1e-8, high=1e-7, steps=2)
        losses[weights] = search.losses[0]
    assert losses[str(tmp_path / "base")] < 0.85 * losses[""]
    missing = tiny_recipe(start={"weights": str(tmp_path / "none.safetensors")})
    with pytest.raises(WeightsError, match=r"none\.safetensors: there is no such file"):
        find_rate(missing, pictures, place, steps=2)

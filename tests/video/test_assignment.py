"""The assignment against every possible one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.video.tracks.assignment import assign

LIMIT = 2.0


def total(costs: np.ndarray, owner: list[int]) -> float:
    return sum(LIMIT if column < 0 else float(costs[row, column]) for row, column in enumerate(owner))


def cheapest(costs: np.ndarray) -> float:
    """The lowest sum over all ways to give each row a column of its own or none."""
    rows, columns = costs.shape
    choices = [*range(columns), *([-1] * rows)]
    return min((total(costs, list(owner)) for owner in itertools.permutations(choices, rows)), default=0.0)


@st.composite
def problems(draw: st.DrawFn) -> np.ndarray:
    """Costs on a coarse grid, so that ties are common; some pairs forbidden."""
    rows, columns = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    values = draw(st.lists(st.integers(-8, 40), min_size=rows * columns, max_size=rows * columns))
    costs = (np.array(values, float) / 16).reshape(rows, columns)
    return np.where(costs > 2.2, np.inf, costs)


@settings(max_examples=400, deadline=None)
@given(costs=problems())
def test_nothing_is_cheaper(costs: np.ndarray) -> None:
    before = costs.copy()
    owner = assign(costs, LIMIT).tolist()
    assert (costs == before).all()
    given_away = [column for column in owner if column >= 0]
    assert len(given_away) == len(set(given_away))
    assert all(costs[row, column] < LIMIT for row, column in enumerate(owner) if column >= 0)
    assert total(costs, owner) == pytest.approx(cheapest(costs), abs=1e-9)


def test_greed_would_be_wrong() -> None:
    """The cheapest pair of all is not in the cheapest assignment."""
    assert assign(np.array([[0.1, 0.2], [0.2, 1.5]]), LIMIT).tolist() == [1, 0]


def test_a_crowd_moves_by_less_than_its_distances() -> None:
    """150 points on a grid, in another order and moved a little: each is found again."""
    rng = np.random.default_rng(5)
    points = np.stack(np.meshgrid(np.arange(15.0), np.arange(10.0)), axis=-1).reshape(-1, 2)
    order = rng.permutation(len(points))
    moved = points[order] + rng.uniform(-0.3, 0.3, points.shape)
    costs = np.linalg.norm(points[:, None] - moved[None], axis=2)
    assert (order[assign(np.where(costs < 1.4, costs, np.inf), LIMIT)] == np.arange(len(points))).all()

"""Charts as SVG: well-formed, points where the axes say, text escaped."""

import xml.etree.ElementTree as ET

import pytest
from scipy import stats

from multiface.evaluate.svg_chart import Axis, Line, Row, interval_chart, line_chart

NAME = "{http://www.w3.org/2000/svg}"


def points(svg: str) -> list[list[tuple[float, float]]]:
    lines = ET.fromstring(svg).iter(f"{NAME}polyline")
    return [[tuple(map(float, p.split(","))) for p in line.get("points", "").split()] for line in lines]


def test_points_lie_where_the_axes_say() -> None:
    svg = line_chart(
        "t", Axis.decades("x", 1e-4, 1), Axis.even("y", 0, 1), [Line("a", [(1e-4, 0), (1e-2, 0.5), (1, 1)])]
    )
    ((first, middle, last),) = points(svg)
    assert middle[0] == pytest.approx((first[0] + last[0]) / 2, abs=0.1)
    assert middle[1] == pytest.approx((first[1] + last[1]) / 2, abs=0.1)
    assert first[1] > last[1]


def test_what_is_outside_is_drawn_at_the_end() -> None:
    svg = line_chart("t", Axis.decades("x", 1e-4, 1), Axis.even("y", 0, 1), [Line("a", [(0, 2), (1e-4, 1)])])
    ((first, second),) = points(svg)
    assert first == second


@pytest.mark.parametrize("rate", [0.001, 0.02, 0.3])
def test_deviates_are_scipys(rate: float) -> None:
    axis = Axis.deviates("x", 1e-4, 0.5)
    low, high = stats.norm.ppf(1e-4), stats.norm.ppf(0.5)
    assert axis.share(rate) == pytest.approx((stats.norm.ppf(rate) - low) / (high - low), abs=1e-6)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (61.3, 74.8), (-2.2, 0.4), (0, 1e-3), (5, 5), (0, 5000)])
def test_even_axes_have_a_few_round_ticks_between_their_ends(low: float, high: float) -> None:
    axis = Axis.even("x", low, high)
    assert 2 <= len(axis.ticks) <= 9
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks)


def test_rows_show_value_and_interval_and_names_are_escaped() -> None:
    svg = interval_chart("t", "points", [Row("<b>&", 1.0, -1.0, 3.0), Row("c", 2.0, 1.0, 2.5)])
    tree = ET.fromstring(svg)
    circles = [float(c.get("cx", "0")) for c in tree.iter(f"{NAME}circle")]
    assert circles[0] < circles[1]
    assert "<b>&" in [t.text for t in tree.iter(f"{NAME}text")]


def test_no_script_and_nothing_from_elsewhere() -> None:
    svg = line_chart("<script>", Axis.even("x", 0, 1), Axis.even("y", 0, 1), [Line("a", [(0, 0), (1, 1)])])
    assert "<script" not in svg and "href" not in svg
    assert svg.count("http") == 1  # the name space

"""The page of an evaluation: tables, ROC and DET of each set, differences between weights, results by group."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multiface.arrays import Doubles
from multiface.evaluate.comparison import Compared, Comparison
from multiface.evaluate.protocol import PairSet, SetResult
from multiface.evaluate.subgroups import GroupRates
from multiface.evaluate.svg_chart import PAGE_STYLE, Axis, Line, Row, interval_chart, line_chart
from multiface.html_page import page, text
from multiface.metrics.curves import roc

_RATES = 400
"""Of a curve, at most; each has two points."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One embedder on one set. name: of weights and choice of flips. scores: cosines of the pairs, float64 (n,)."""

    name: str
    result: SetResult
    pairs: PairSet
    scores: Doubles
    groups: tuple[GroupRates, ...] = ()


def evaluation_page(measured: Sequence[Measured], comparisons: Sequence[Comparison]) -> bytes:
    """The page, sets in their order."""
    parts = []
    for name in dict.fromkeys(one.result.name for one in measured):
        mine = [one for one in measured if one.result.name == name]
        parts.append(f"<h2>{text(name)}</h2>\n{_facts(mine[0].result)}{_figures(mine)}")
        parts += [_roc(name, mine), _det(name, mine)]
        for comparison in (one for one in comparisons if one.set == name):
            rows = [
                Row(one.measure, *(100 * v for v in (one.difference, one.interval.low, one.interval.high)))
                for one in comparison.differences
            ]
            title = f"{comparison.first} less {comparison.second}"
            parts.append(interval_chart(title, "points, 95 %, the same pairs", rows))
            parts.append(
                _table(["difference", "points", "95 %"], [_compared(one) for one in comparison.differences])
            )
        for one in mine:
            if one.groups:
                parts.append(f"<h3>{text(one.name)}: by group, at one threshold</h3>\n{_groups(one.groups)}")
    return page("Verification", PAGE_STYLE, "".join(parts))


def _facts(result: SetResult) -> str:
    people = (
        "the set does not say who is who, so pairs are taken as independent"
        if result.people is None
        else f"{result.people:,} people, who are resampled for the intervals"
    )
    counts = f"{result.genuine:,} pairs of one person, {result.impostor:,} of two"
    return f"<p>{counts}; {people}. Intervals are at 95 %.</p>\n"


def _figures(mine: Sequence[Measured]) -> str:
    fars = list(dict.fromkeys(rate.far for one in mine for rate in one.result.tar_at_far))
    rows = []
    for one in mine:
        rates = {rate.far: rate for rate in one.result.tar_at_far}
        cells = [
            f"{100 * one.result.accuracy:.2f} [{100 * one.result.accuracy_interval.low:.2f}, "
            f"{100 * one.result.accuracy_interval.high:.2f}]"
        ]
        for far in fars:
            rate = rates.get(far)
            cells.append(
                ""
                if rate is None
                else f"{100 * rate.tar:.2f} [{100 * rate.interval.low:.2f}, {100 * rate.interval.high:.2f}]"
                f"{'' if rate.supported else ' *'}"
            )
        rows.append([one.name, *cells, f"{100 * one.result.eer:.2f}", f"{one.result.auc:.5f}"])
    heads = ["weights", "accuracy, %", *(f"TAR at FAR {far:g}, %" for far in fars), "EER, %", "area"]
    few = any(not rate.supported for one in mine for rate in one.result.tar_at_far)
    note = "<p>*: fewer than ten false matches are expected at this rate; the set is too small for it.</p>\n"
    return _table(heads, rows) + (note if few else "")


def _roc(name: str, mine: Sequence[Measured]) -> str:
    low = 1 / max(one.result.impostor for one in mine)
    lines = [Line(one.name, [(x, 1 - y) for x, y in _curve(one)]) for one in mine]
    bottom = min(y for line in lines for x, y in line.points if x >= low)
    x_axis = Axis.decades("false match rate", low, 1)
    return line_chart(f"{name}: ROC", x_axis, Axis.even("true match rate", bottom, 1), lines)


def _det(name: str, mine: Sequence[Measured]) -> str:
    low_x = 1 / max(one.result.impostor for one in mine)
    low_y = 1 / max(one.result.genuine for one in mine)
    lines = [Line(one.name, _curve(one)) for one in mine]
    x_axis = Axis.deviates("false match rate", low_x, 0.6)
    return line_chart(f"{name}: DET", x_axis, Axis.deviates("false non-match rate", low_y, 0.6), lines)


def _curve(one: Measured) -> list[tuple[float, float]]:
    """The corners (FMR, FNMR) of a set's curve, those of some rates where there are many."""
    curve = roc(one.scores[one.pairs.issame], one.scores[~one.pairs.issame])
    # Each rate has a first and a last point, between which the line rises: both are kept.
    first = np.flatnonzero(np.diff(curve.fmr, prepend=-1.0) > 0)
    last = np.append(first[1:] - 1, len(curve.fmr) - 1)
    if len(first) > _RATES:
        # Evenly over the logarithm of the rate, so that where rates are small every one is there.
        wanted = np.geomspace(1 / one.result.impostor, 1, _RATES) * (1 - 1e-9)
        kept = np.union1d(np.searchsorted(curve.fmr[first], wanted), [0])
        first, last = first[kept], last[kept]
    corners = np.unique(np.concatenate([first, last]))
    return [(float(x), float(y)) for x, y in zip(curve.fmr[corners], curve.fnmr[corners], strict=True)]


def _compared(one: Compared) -> list[str]:
    return [
        one.measure,
        f"{100 * one.difference:+.2f}",
        f"[{100 * one.interval.low:+.2f}, {100 * one.interval.high:+.2f}]",
    ]


def _groups(groups: Sequence[GroupRates]) -> str:
    heads = ["group", "pairs of one person", "FNMR, %", "pairs of two", "FMR, %"]
    return _table(heads, [list(one.cells()) for one in groups])


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{text(one)}</th>" for one in heads)
    lines = "".join("<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f'<div class="scroll"><table><tr>{head}</tr>\n{lines}</table></div>\n'

"""Results of verification sets as a JSON document for programs and as a table for people.

The document: {"sets": [{"name", "pairs", "accuracy", "accuracy_interval": [low, high],
"tar_at_far": {"0.001": tar, ...}, ...}]}; rates are 0..1, keys of `tar_at_far` are the rates as Python writes
them with `:g`. `unsupported_fars` lists the keys that the set has too few impostor pairs for. A threshold
that does not exist as a number (nothing has to be refused) is null.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from multiface.evaluate.comparison import Compared, Comparison
from multiface.evaluate.ijb import Identification, RateAtFpir
from multiface.evaluate.protocol import EXPECTED_FALSE_MATCHES, RateAtFar, SetResult
from multiface.evaluate.subgroups import GroupRates
from multiface.metrics.intervals import Interval
from multiface.visible import visible


def to_document(results: Sequence[SetResult]) -> dict[str, Any]:
    """The JSON document as plain Python values (the head of this file); holds no NaN or infinity."""
    return {"sets": [_set(result) for result in results]}


def to_json(results: Sequence[SetResult]) -> str:
    """`to_document` as text on one line."""
    return json.dumps(to_document(results), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Label:
    """What stands beside a result: weights, whether with flips, published accuracy in per cent."""

    weights: str
    flip: bool
    published: float | None


def to_table(results: Sequence[SetResult], labels: Sequence[Label] = ()) -> Table:
    """A table with one row for each set, in per cent with 95 % intervals.

    labels: one a result, or none at all. A rate that its set cannot support carries an asterisk, explained
    below the table.
    """
    fars = list(dict.fromkeys(rate.far for result in results for rate in result.tar_at_far))
    table = Table(title="Verification (95 % intervals)")
    table.add_column("set")
    if labels:
        table.add_column("weights")
        table.add_column("flips")
    table.add_column("pairs", justify="right")
    table.add_column("accuracy", justify="right")
    published = any(label.published is not None for label in labels)
    if published:
        table.add_column("published", justify="right")
    for far in fars:
        table.add_column(f"TAR at FAR {far:g}", justify="right")
    table.add_column("EER", justify="right")
    table.add_column("AUC", justify="right")
    for number, result in enumerate(results):
        rates = {rate.far: rate for rate in result.tar_at_far}
        label = labels[number] if labels else None
        table.add_row(
            escape(visible(result.name)),
            *(() if label is None else (escape(visible(label.weights)), "yes" if label.flip else "no")),
            f"{result.pairs:,}",
            f"{_percent(result.accuracy, result.accuracy_interval)} ± {100 * result.accuracy_std:.2f}",
            *(_published(label) if published and label is not None else ()),
            *(_tar(rates.get(far)) for far in fars),
            f"{100 * result.eer:.2f}",
            f"{result.auc:.5f}",
        )
    table.caption = _caption(results)
    return table


def differences_table(comparisons: Sequence[Comparison]) -> Table:
    """A row for each pair of embedders on a set: what the first has more than the second, in points."""
    table = Table(title="Differences on the same pairs (points, 95 % intervals)")
    for name in ("set", "weights", "less"):
        table.add_column(name)
    measures = list(
        dict.fromkeys(one.measure for comparison in comparisons for one in comparison.differences)
    )
    for measure in measures:
        table.add_column(measure, justify="right")
    for comparison in comparisons:
        found = {one.measure: one for one in comparison.differences}
        table.add_row(
            *(escape(visible(word)) for word in (comparison.set, comparison.first, comparison.second)),
            *(_points(found.get(measure)) for measure in measures),
        )
    return table


def groups_table(name: str, weights: str, groups: Sequence[GroupRates]) -> Table:
    """A row for each group, in per cent, all at one threshold."""
    table = Table(title=escape(visible(f"{name}, {weights}: groups at one threshold (95 % intervals)")))
    table.add_column("group")
    for head in ("pairs of one person", "FNMR", "pairs of two", "FMR"):
        table.add_column(head, justify="right")
    for group in groups:
        table.add_row(*(escape(visible(cell)) for cell in group.cells()))
    return table


def identification_table(name: str, weights: str, found: Sequence[Identification]) -> Table:
    """A row for each gallery of a 1:N protocol, in per cent."""
    table = Table(title=escape(visible(f"{name}, {weights}: identification (95 % intervals)")))
    table.add_column("gallery")
    for head in ("people", "probes", "strangers", "rank 1", "rank 5", "rank 10"):
        table.add_column(head, justify="right")
    fpirs = list(dict.fromkeys(rate.fpir for one in found for rate in one.tpir_at_fpir))
    for fpir in fpirs:
        table.add_column(f"TPIR at FPIR {fpir:g}", justify="right")
    for one in found:
        rates = {rate.fpir: rate for rate in one.tpir_at_fpir}
        shares = dict(one.ranks)
        table.add_row(
            one.gallery,
            *(f"{number:,}" for number in (one.people, one.mated, one.strangers)),
            _percent(shares[1], one.rank1_interval),
            *(f"{100 * shares[rank]:.2f}" for rank in (5, 10)),
            *(_found(rates.get(fpir)) for fpir in fpirs),
        )
    table.caption = "*: fewer than ten strangers are expected to find somebody; the set is too small."
    return table


def _found(rate: RateAtFpir | None) -> str:
    return "" if rate is None else _percent(rate.tpir, rate.interval) + ("" if rate.supported else " *")


def _published(label: Label) -> tuple[str]:
    return ("-" if label.published is None else f"{label.published:.2f}",)


def _set(result: SetResult) -> dict[str, Any]:
    rates = {f"{rate.far:g}": rate for rate in result.tar_at_far}
    return {
        "name": result.name,
        "pairs": result.pairs,
        "genuine": result.genuine,
        "impostor": result.impostor,
        "people": result.people,
        "accuracy": result.accuracy,
        "accuracy_interval": _ends(result.accuracy_interval),
        "accuracy_std": result.accuracy_std,
        "threshold": result.threshold,
        "tar_at_far": {key: rate.tar for key, rate in rates.items()},
        "tar_at_far_interval": {key: _ends(rate.interval) for key, rate in rates.items()},
        "tar_at_far_threshold": {
            key: rate.threshold if math.isfinite(rate.threshold) else None for key, rate in rates.items()
        },
        "expected_false_matches": {key: rate.expected_false_matches for key, rate in rates.items()},
        "unsupported_fars": [key for key, rate in rates.items() if not rate.supported],
        "eer": result.eer,
        "auc": result.auc,
    }


def _caption(results: Sequence[SetResult]) -> str:
    lines = ["Per cent. ±: standard deviation over the folds."]
    if any(not rate.supported for result in results for rate in result.tar_at_far):
        lines.append(
            f"*: fewer than {EXPECTED_FALSE_MATCHES:g} false matches expected, the set is too small."
        )
    if any(result.people is None for result in results):
        unknown = ", ".join(escape(visible(result.name)) for result in results if result.people is None)
        lines.append(f"{unknown}: does not say who is who, so pairs are taken as independent.")
    return "\n".join(lines)


def _tar(rate: RateAtFar | None) -> str:
    return "" if rate is None else _percent(rate.tar, rate.interval) + ("" if rate.supported else " *")


def _percent(rate: float, interval: Interval) -> str:
    # A backslash keeps Rich from reading the bracket as markup.
    return f"{100 * rate:.2f} \\[{100 * interval.low:.2f}, {100 * interval.high:.2f}]"


def _points(one: Compared | None) -> str:
    if one is None:
        return ""
    return f"{100 * one.difference:+.2f} \\[{100 * one.interval.low:+.2f}, {100 * one.interval.high:+.2f}]"


def _ends(interval: Interval) -> list[float]:
    return [interval.low, interval.high]

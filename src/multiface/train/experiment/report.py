"""The outcome of an experiment as files: `report.json`, `report.html`, `runs.csv`, `tuning.csv` and plots in SVG."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from multiface.atomic_write import write_whole
from multiface.errors import InputError
from multiface.evaluate.svg_chart import PAGE_STYLE, Axis, Line, Row, interval_chart, line_chart
from multiface.html_page import page, text
from multiface.json_text import document_of
from multiface.train.experiment.one_run import read_result
from multiface.train.experiment.outcome import (
    EVERYWHERE,
    MEASURES,
    arm_outcomes,
    differences,
    mean_curves,
    mean_losses,
    outcomes_of,
    runs_as_csv,
    tuning_as_csv,
)
from multiface.train.experiment.plan import Experiment
from multiface.train.experiment.running import chosen_before, open_sets, results

_EXPLAINED = (
    "A difference is paired: the same seeds, levels and pairs of pictures. Its 95 % interval knows of people and runs; "
    "that of a single run of people alone. Detectable: a true difference of this size would give an interval without 0 "
    "in 80 of 100 such experiments. Many differences are shown; of 20 without any truth behind them one interval "
    "leaves 0 out by chance."
)


def write_report(experiment: Experiment, out: Path, title: str) -> dict[str, Any]:
    """Writes the files from the runs that are done; the document that `report.json` holds.

    Raises InputError where the folder cannot be written, DataSetError where a judging pack is gone.
    """
    tuning = experiment.tuning_runs()
    tuned = sum(read_result(out / run.name) is not None for run in tuning)
    chosen = chosen_before(experiment, out)
    document: dict[str, Any] = {
        "experiment": title,
        "against": experiment.against,
        "tuning_runs": {"done": tuned, "planned": len(tuning)},
    }
    if chosen is None:
        return document
    done = results(experiment, out, chosen)
    sets = [one.pairs for one in open_sets(experiment)]
    found = outcomes_of(out, done, sets)
    document |= {
        "judged_runs": {"done": len(done), "planned": len(experiment.judged_runs(chosen))},
        "sets": [
            {"name": one.name, "pairs": len(one), "people_known": one.left_subject is not None}
            for one in sets
        ],
        "arms": [document_of(one) for one in arm_outcomes(experiment, chosen, done, found, sets, out)],
        "differences": [
            document_of(one) for one in differences(experiment, done, found, sets, experiment.against)
        ],
        "accuracy_while_learning": mean_curves(done, experiment),
        "loss_while_learning": mean_losses(out, done, experiment),
    }
    charts = dict(_charts(document))
    try:
        write_whole(out / "report.json", json.dumps(document, indent=1).encode())
        write_whole(out / "runs.csv", runs_as_csv(done, found).encode())
        write_whole(out / "tuning.csv", tuning_as_csv(experiment, out).encode())
        write_whole(out / "report.html", page(f"Experiment: {title}", PAGE_STYLE, _body(document, charts)))
        for name, chart in charts.items():
            write_whole(out / f"{name}.svg", chart.encode())
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error})", path=out) from error
    return document


def tell(document: Mapping[str, Any]) -> Iterator[Table | str]:
    """The outcome for people at a terminal."""
    if "arms" not in document:
        runs = document["tuning_runs"]
        yield f"{runs['done']} of {runs['planned']} tuning runs are done; nothing is judged yet"
        return
    for head, rows in _tables(document):
        table = Table(title=head[0])
        for number, name in enumerate(head[1]):
            table.add_column(name, justify="left" if number == 0 else "right")
        for row in rows:
            table.add_row(*(cell.replace("[", "\\[") for cell in row))
        yield table
    runs = document["judged_runs"]
    yield f"{runs['done']} of {runs['planned']} judged runs are done. {_EXPLAINED}"


def _tables(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, list[str]], list[list[str]]]]:
    """Each table: (title, heads), and rows of cells."""
    against = document["against"]
    heads = [
        "arm",
        "set",
        "rate",
        "margin",
        "scale",
        "runs",
        "diverged",
        "accuracy",
        "spread of seeds",
        "area",
        MEASURES[1],
    ]
    rows = []
    for one in document["arms"]:
        edges = one["at_edge"]
        rows.append(
            [
                one["arm"],
                one["set"],
                *(_chosen(one["choice"][name], name in edges) for name in ("rate", "margin", "scale")),
                str(one["runs"]),
                str(one["diverged"]),
                f"{100 * one['accuracy']:.2f}",
                "" if one["spread"] is None else f"{100 * one['spread']:.2f}",
                f"{one['area']:.4f}",
                f"{100 * one['tar']:.2f}",
            ]
        )
    yield ("Arms, in per cent (*: at the edge of what was tried)", heads), rows
    for of_set in document["sets"]:
        for measure in MEASURES:
            mine = [
                one
                for one in document["differences"]
                if (one["set"], one["measure"]) == (of_set["name"], measure)
            ]
            places = list(dict.fromkeys(one["where"] for one in mine))
            heads = ["arm", *places, "detectable, all"]
            rows = []
            for arm in dict.fromkeys(one["arm"] for one in mine):
                of_arm = {one["where"]: one["result"] for one in mine if one["arm"] == arm}
                rows.append(
                    [
                        arm,
                        *(_difference(of_arm.get(place)) for place in places),
                        f"{100 * of_arm[EVERYWHERE]['detectable']:.2f}",
                    ]
                )
            yield (f"{of_set['name']}: {measure}, points more than {against} [95 %]", heads), rows


def _charts(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """File name without ending, and the chart."""
    for of_set in document["sets"]:
        for measure in MEASURES:
            rows = [
                Row(
                    one["arm"],
                    *(
                        100 * value
                        for value in (r["difference"], r["interval"]["low"], r["interval"]["high"])
                    ),
                )
                for one in document["differences"]
                if (one["set"], one["measure"], one["where"]) == (of_set["name"], measure, EVERYWHERE)
                for r in [one["result"]]
            ]
            if rows:
                title = f"{of_set['name']}: {measure}, less that of {document['against']}"
                name = f"{of_set['name']}-{measure.split(' ')[0].lower()}"
                yield name, interval_chart(title, "points, 95 %", rows)
    curves = {
        arm: [(x, 100 * y) for x, y in curve] for arm, curve in document["accuracy_while_learning"].items()
    }
    yield from _curves(
        "learning", "Accuracy on the tuning people, mean of the judged runs", "per cent", curves
    )
    yield from _curves(
        "loss", "Loss a slice, mean of the judged runs", "loss", document["loss_while_learning"]
    )


def _curves(
    name: str, title: str, unit: str, curves: Mapping[str, Sequence[Sequence[float]]]
) -> Iterator[tuple[str, str]]:
    points = [point for curve in curves.values() for point in curve]
    if points:
        x_axis = Axis.even("epoch", 0, max(x for x, _ in points))
        y_axis = Axis.even(unit, min(y for _, y in points), max(y for _, y in points))
        lines = [Line(arm, [(x, y) for x, y in curve]) for arm, curve in curves.items()]
        yield name, line_chart(title, x_axis, y_axis, lines)


def _body(document: Mapping[str, Any], charts: Mapping[str, str]) -> str:
    runs = document["judged_runs"]
    parts = [f"<p>{runs['done']} of {runs['planned']} judged runs are done. {text(_EXPLAINED)}</p>\n"]
    for (title, heads), rows in _tables(document):
        head = "".join(f"<th>{text(one)}</th>" for one in heads)
        lines = "".join(
            "<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>\n" for row in rows
        )
        parts.append(
            f'<h2>{text(title)}</h2>\n<div class="scroll"><table><tr>{head}</tr>\n{lines}</table></div>\n'
        )
    parts += charts.values()
    unknown = [one["name"] for one in document["sets"] if not one["people_known"]]
    if unknown:
        parts.append(
            f"<p>{text(', '.join(unknown))}: does not say who is who; pairs are taken as independent.</p>\n"
        )
    return "".join(parts)


def _chosen(value: float | None, edge: bool) -> str:
    return "" if value is None else f"{value:g}{'*' if edge else ''}"


def _difference(result: Mapping[str, Any] | None) -> str:
    if result is None:
        return ""
    low, high = result["interval"]["low"], result["interval"]["high"]
    words = f"{100 * result['difference']:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"
    return words + (" 1 run" if result["runs"] == 1 else "")

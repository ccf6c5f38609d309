"""The JSON document against the contract's shape, and the table as a terminal shows it."""

import json

import numpy as np
import pytest
from rich.console import Console

from multiface.evaluate.protocol import PairSet, SetResult, evaluate_pairs
from multiface.evaluate.report import Label, to_document, to_json, to_table


@pytest.fixture(scope="module")
def results() -> list[SetResult]:
    random = np.random.default_rng(0)
    found = []
    for name, n in (("small [bold]", 200), ("large", 4000)):
        issame = np.arange(n) % 2 == 0
        scores = np.clip(0.2 * random.normal(size=n) + 0.7 * issame, -1, 1)
        found.append(evaluate_pairs(scores, PairSet.from_pack(name, issame), replicates=50))
    return found


def test_document_has_the_contracts_fields(results):
    document = json.loads(to_json(results))
    assert document == to_document(results)
    assert [entry["name"] for entry in document["sets"]] == ["small [bold]", "large"]
    for entry, result in zip(document["sets"], results, strict=True):
        assert entry["pairs"] == result.pairs
        assert entry["accuracy"] == result.accuracy
        low, high = entry["accuracy_interval"]
        assert 0 <= low <= entry["accuracy"] <= high <= 1
        assert set(entry["tar_at_far"]) == {"0.01", "0.001"}
        for key, rate in zip(("0.01", "0.001"), result.tar_at_far, strict=True):
            assert entry["tar_at_far"][key] == rate.tar
            assert entry["tar_at_far_interval"][key] == [rate.interval.low, rate.interval.high]
            assert entry["tar_at_far_threshold"][key] == rate.threshold
    small, large = document["sets"]
    assert small["unsupported_fars"] == ["0.01", "0.001"]  # 100 impostors: one and a tenth expected
    assert large["unsupported_fars"] == ["0.001"]  # 2,000 impostors: 20 and 2 expected
    assert small["expected_false_matches"] == {"0.01": 1.0, "0.001": 0.1}


def test_document_is_strict_json_even_without_a_threshold():
    issame = np.arange(20) % 2 == 0
    result = evaluate_pairs(issame * 1.0, PairSet.from_pack("tiny", issame), fars=[1.0], replicates=10)
    entry = json.loads(to_json([result]))["sets"][0]
    assert entry["tar_at_far"] == {"1": 1.0}
    assert entry["tar_at_far_threshold"] == {"1": None}


def shown(results: list[SetResult]) -> str:
    console = Console(width=160, color_system=None)
    with console.capture() as capture:
        console.print(to_table(results))
    return capture.get()


def test_table_shows_every_set_with_its_figures(results):
    text = shown(results)
    for result in results:
        row = next(line for line in text.splitlines() if f" {result.name} " in line)  # not eaten as markup
        assert f"{result.pairs:,}" in row
        low, high = 100 * result.accuracy_interval.low, 100 * result.accuracy_interval.high
        assert f"{100 * result.accuracy:.2f} [{low:.2f}, {high:.2f}]" in row
        for rate in result.tar_at_far:
            low, high = 100 * rate.interval.low, 100 * rate.interval.high
            mark = "" if rate.supported else " *"
            assert f"{100 * rate.tar:.2f} [{low:.2f}, {high:.2f}]{mark} " in row
    assert "TAR at FAR 0.001" in text
    assert "fewer than 10 false matches expected" in text
    assert "pairs are taken as independent" in text


def test_table_of_nothing_and_of_sets_with_different_rates(results):
    assert "accuracy" in shown([])
    issame = np.arange(4000) % 2 == 0
    other = evaluate_pairs(issame * 0.5, PairSet.from_pack("other", issame), fars=[0.1], replicates=10)
    text = shown([results[1], other])
    assert "TAR at FAR 0.1 " in text
    assert "TAR at FAR 0.01 " in text


def test_labels_stand_in_their_columns(results):
    """Every row has a cell for every column, published figures or not."""
    for published in (None, 99.5):
        table = to_table(results, [Label("dlib", True, None), Label("[odd] name", False, published)])
        cells = {str(column.header): list(column.cells) for column in table.columns}
        assert all(len(column) == 2 for column in cells.values())
        assert cells["weights"] == ["dlib", r"\[odd] name"] and cells["flips"] == ["yes", "no"]
        assert cells["pairs"] == ["200", "4,000"] and cells["set"][1] == "large"
        assert cells.get("published") == (None if published is None else ["-", "99.50"])

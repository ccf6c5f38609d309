"""Thresholds from a small calibration written by hand: reading, interpolating, extrapolating, refusing."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.decision.calibration import Alike, Calibration, GallerySizeRow, Rate, RateRow, read_calibration
from multiface.decision.quality_limits import QualityLimits
from multiface.errors import InputError, RateNotSupported, UsageError

VERIFY = (RateRow(0.1, 0.2, 0.09, 0.11), RateRow(0.01, 0.3, 0.008, 0.013), RateRow(0.001, 0.4, 0.0005, 0.002))
CALIBRATION = Calibration(
    detector="mtcnn",
    weights="dlib",
    fingerprint="f" * 64,
    flip=True,
    set_name="a set",
    set_people=1000,
    set_pictures=2500,
    impostor_pairs=3_000_000,
    genuine_pairs=4000,
    made_by="multiface calibrate",
    verify=VERIFY,
    identify=(
        GallerySizeRow(1, (RateRow(0.1, 0.2, 0.08, 0.12), RateRow(0.01, 0.3, 0.007, 0.014))),
        GallerySizeRow(10, (RateRow(0.1, 0.29, 0.07, 0.12), RateRow(0.01, 0.41, 0.006, 0.013))),
        GallerySizeRow(1000, (RateRow(0.1, 0.5, 0.09, 0.12), RateRow(0.01, 0.6, 0.008, 0.013))),
    ),
    fnmr=((0.1, 0.0), (0.5, 0.1), (0.9, 1.0)),
    margin=0.02,
    alike=Alike("sface", 800, (RateRow(0.5, 0.35, 0.4, 0.6), RateRow(0.05, 0.55, 0.03, 0.07))),
    limits=QualityLimits(0.14, 1.3, 8.0, 9.9, 6.0, 0.0165),
)
rates = st.floats(math.log(1e-4), math.log(0.0999)).map(math.exp)


@pytest.mark.parametrize("row", VERIFY)
def test_a_measured_rate_gives_its_row(row: RateRow) -> None:
    found = CALIBRATION.threshold_for_verify(row.rate)
    assert found.similarity == pytest.approx(row.threshold, abs=1e-12)
    assert found.interval == pytest.approx((row.low, row.high))
    assert not found.extrapolated and found.rate == row.rate
    assert found.source == "a set: 1,000 people, 2,500 pictures, 3,000,000 impostor pairs"


def test_between_measured_rates_the_logarithm_is_interpolated() -> None:
    half_way = CALIBRATION.threshold_for_verify(math.sqrt(0.1 * 0.01))
    assert half_way.similarity == pytest.approx(0.25)
    nearer = CALIBRATION.threshold_for_verify(0.02)
    assert nearer.interval == pytest.approx((0.016, 0.026))


@settings(max_examples=100, deadline=None)
@given(rate=rates, other=rates)
def test_a_smaller_rate_never_lowers_the_threshold(rate: float, other: float) -> None:
    low, high = sorted((rate, other))
    assert (
        CALIBRATION.threshold_for_verify(low).similarity >= CALIBRATION.threshold_for_verify(high).similarity
    )
    for people in (1, 7, 300, 20_000):
        strict = CALIBRATION.threshold_for_identify(max(low, 1e-4), people)
        loose = CALIBRATION.threshold_for_identify(high, people)
        assert strict.similarity >= loose.similarity - 1e-12


@settings(max_examples=100, deadline=None)
@given(rate=rates, people=st.integers(1, 50_000), more=st.integers(0, 50_000))
def test_more_people_never_lower_the_threshold(rate: float, people: int, more: int) -> None:
    few = CALIBRATION.threshold_for_identify(rate, people)
    many = CALIBRATION.threshold_for_identify(rate, people + more)
    assert many.similarity >= few.similarity - 1e-12
    assert few.similarity <= 1 and (few.rate, few.people) == (rate, people)
    assert (few.interval is None) == few.extrapolated


@settings(max_examples=100, deadline=None)
@given(rate=st.floats(math.log(1.001e-3), math.log(0.0999)).map(math.exp))
def test_the_rate_of_a_threshold_is_the_rate_asked_for(rate: float) -> None:
    similarity = CALIBRATION.threshold_for_verify(rate).similarity
    assert CALIBRATION.false_match_rate(similarity).value == pytest.approx(rate, rel=1e-9)


@settings(max_examples=200, deadline=None)
@given(similarity=st.floats(-1, 1), other=st.floats(-1, 1))
def test_nothing_outside_the_range_is_measured_and_no_curve_turns(similarity: float, other: float) -> None:
    curves = (
        (CALIBRATION.false_match_rate, 0.2, 0.4, (0.001, 0.1), -1),
        (CALIBRATION.alike.false_match_rate, 0.35, 0.55, (0.05, 0.5), -1),  # type: ignore[union-attr]
        (CALIBRATION.false_non_match_rate, 0.1, 0.9, (0.0, 1.0), 1),
    )
    for curve, low, high, (least, most), way in curves:
        rate = curve(similarity)
        assert (rate.bound == "measured") == (low <= similarity <= high)
        assert least <= rate.value <= most
        assert str(rate).startswith("at ") == (rate.bound != "measured")
        below, above = (curve(one).value * way for one in sorted((similarity, other)))
        assert below <= above + 1e-12


def test_beyond_the_measured_a_bound_is_given() -> None:
    assert CALIBRATION.false_match_rate(0.99) == Rate(0.001, "at most")
    assert CALIBRATION.false_match_rate(0) == Rate(0.1, "at least")
    assert CALIBRATION.false_non_match_rate(0) == Rate(0.0, "at most")
    assert CALIBRATION.false_non_match_rate(1) == Rate(1.0, "at least")
    assert CALIBRATION.false_match_rate_alike(1) == Rate(0.05, "at most")
    assert replace(CALIBRATION, alike=None).false_match_rate_alike(0.4) is None
    assert replace(CALIBRATION, fnmr=()).false_non_match_rate(0.4) == Rate(1.0, "at most")


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (Rate(0.88, "measured"), "0.88"),
        (Rate(1e-6, "at most"), "at most 1e-06"),
        (Rate(0.99999, "at least"), "at least 0.99999"),
    ],
)
def test_rates_in_words(rate: Rate, words: str) -> None:
    assert str(rate) == words
    assert rate.document("x") == {"x": rate.value, "x_bound": rate.bound}


def test_false_non_match_rates_are_interpolated() -> None:
    assert [CALIBRATION.false_non_match_rate(s).value for s in (0.3, 0.7)] == pytest.approx([0.05, 0.55])


def test_a_rate_above_those_measured_is_refused() -> None:
    with pytest.raises(RateNotSupported, match=r"measured up to 0\.1"):
        CALIBRATION.threshold_for_verify(0.8)
    with pytest.raises(RateNotSupported, match=r"measured up to 0\.1"):
        CALIBRATION.threshold_for_identify(0.8, 20)


def test_beyond_the_measured_a_line_goes_on_and_says_so() -> None:
    found = CALIBRATION.threshold_for_verify(1e-4)
    assert found.similarity == pytest.approx(0.5)
    assert found.extrapolated and found.interval is None
    assert CALIBRATION.threshold_for_verify(1e-5).similarity == pytest.approx(0.6)


@pytest.mark.parametrize("people", [1, 10, 1000])
def test_a_measured_size_gives_its_row(people: int) -> None:
    (row,) = (row for row in CALIBRATION.identify if row.people == people)
    for rate in row.rates:
        found = CALIBRATION.threshold_for_identify(rate.rate, people)
        assert found.similarity == pytest.approx(rate.threshold)
        assert found.interval == pytest.approx((rate.low, rate.high))


def test_between_sizes_the_logarithm_is_interpolated() -> None:
    assert CALIBRATION.threshold_for_identify(0.1, 100).similarity == pytest.approx((0.29 + 0.5) / 2)


def test_a_larger_gallery_goes_on_and_says_so() -> None:
    found = CALIBRATION.threshold_for_identify(0.1, 100_000)
    assert found.similarity == pytest.approx(0.5 + (0.5 - 0.29))
    assert found.extrapolated and found.interval is None


def test_an_fpir_below_those_measured_comes_from_the_fmr() -> None:
    """1 - (1 - FMR)^10 = 0.00996 at FMR 0.001: just under the measured 0.01, whose threshold is a floor."""
    rate = 1 - (1 - 0.001) ** 10
    assert CALIBRATION.threshold_for_identify(rate, 10).similarity == pytest.approx(0.41)
    rate = 1 - (1 - 0.0001) ** 10  # beyond the FMRs measured: 0.5 on their line
    found = CALIBRATION.threshold_for_identify(rate, 10)
    assert found.similarity == pytest.approx(0.5)
    assert found.extrapolated and found.interval is None


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, math.nan, math.inf])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        CALIBRATION.threshold_for_verify(rate)
    with pytest.raises(UsageError, match="between 0 and 1"):
        CALIBRATION.threshold_for_identify(rate, 5)


def test_a_refusal_says_which_rate_can_be_asked_for() -> None:
    with pytest.raises(RateNotSupported, match=r"measured down to 0\.001; ask for 1e-05 or more"):
        CALIBRATION.threshold_for_verify(0.9e-5)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: CALIBRATION.threshold_for_verify(0.9e-5),
        lambda: CALIBRATION.threshold_for_identify(0.9e-4, 5),
        lambda: CALIBRATION.threshold_for_identify(0.1, 100_001),
    ],
)
def test_more_than_a_hundredfold_beyond_is_refused(ask: Callable[[], object]) -> None:
    with pytest.raises(RateNotSupported, match=r"out of reach of this calibration \(a set: 1,000 people"):
        ask()


@pytest.mark.parametrize("people", [0, -3])
def test_nobody_has_no_threshold(people: int) -> None:
    with pytest.raises(UsageError, match="at least one person"):
        CALIBRATION.threshold_for_identify(0.01, people)


def test_text_and_back(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(CALIBRATION.to_json())
    assert read_calibration(path) == CALIBRATION


def test_a_file_without_limits_or_rise_asks_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "before.json"
    values = json.loads(replace(CALIBRATION, spread_rise=0.3).to_json())
    del values["limits"], values["spread_rise"]
    path.write_text(json.dumps(values))
    assert read_calibration(path) == replace(CALIBRATION, limits=None, spread_rise=0.0)


def test_an_old_file_says_how_to_go_on(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    values = json.loads(CALIBRATION.to_json())
    del values["schema"], values["alike"]
    path.write_text(json.dumps(values))
    with pytest.raises(
        InputError, match=r"format 1, this version reads 2.*make it again with `multiface calibrate"
    ):
        read_calibration(path)


def changed(**values: Any) -> str:
    return json.dumps(json.loads(CALIBRATION.to_json()) | values)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        changed(extra=1),
        changed(verify=[]),
        changed(verify=[{"rate": 1}]),
        changed(verify=[json.loads(CALIBRATION.to_json())["verify"][0]]),
        changed(identify=[{"people": 1, "rates": []}, {"people": 2, "rates": []}]),
        changed(fnmr=[[1]]),
        changed(limits={"sharpness": 0.1}),
    ],
    ids=lambda text: text[:8],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"broken\.json: not a calibration .*multiface calibrate"):
        read_calibration(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.json"):
        read_calibration(tmp_path / "absent.json")
    (tmp_path / "latin.json").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(InputError, match=r"latin\.json"):
        read_calibration(tmp_path / "latin.json")

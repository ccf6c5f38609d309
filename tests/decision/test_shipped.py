"""Which calibration is chosen, and the ones that come with the package."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from multiface.decision.calibration import Calibration, GallerySizeRow, RateRow, read_calibration
from multiface.decision.shipped import SHIPPED, ChosenCalibration, choose_calibration
from multiface.errors import InputError, NotAvailable
from multiface.weights.store import Store

ROWS = (RateRow(0.1, 0.2, 0.05, 0.2), RateRow(0.01, 0.3, 0.005, 0.02))
ONE = Calibration(
    detector="mtcnn",
    weights="mine",
    fingerprint="1" * 64,
    flip=True,
    set_name="first",
    set_people=100,
    set_pictures=200,
    impostor_pairs=10_000,
    genuine_pairs=100,
    made_by="a test",
    verify=ROWS,
    identify=(GallerySizeRow(1, ROWS), GallerySizeRow(99, ROWS)),
    fnmr=((0.0, 0.0), (1.0, 1.0)),
    margin=0.0,
)


def put(folder: Path, **calibrations: Calibration) -> Path:
    folder.mkdir()
    for name, calibration in calibrations.items():
        (folder / f"{name}.json").write_text(calibration.to_json())
    return folder


def choose(
    *folders: Path, detector: str = "mtcnn", flip: bool = True, mark: str = "1" * 64
) -> ChosenCalibration:
    return choose_calibration(folders, detector=detector, weights="mine", fingerprint=mark, flip=flip)


def test_the_detector_in_use_comes_first(tmp_path: Path) -> None:
    folder = put(tmp_path / "a", a=replace(ONE, detector="yunet_n"), b=replace(ONE, set_name="second"))
    assert choose(folder) == ChosenCalibration(replace(ONE, set_name="second"), None)


def test_another_detector_has_a_caveat(tmp_path: Path) -> None:
    chosen = choose(put(tmp_path / "a", a=ONE), detector="scrfd_2.5g")
    assert chosen.calibration == ONE
    assert chosen.caveat is not None
    assert "mtcnn" in chosen.caveat and "scrfd_2.5g" in chosen.caveat and "calibrate" in chosen.caveat


def test_earlier_folders_win_and_absent_ones_are_empty(tmp_path: Path) -> None:
    late = put(tmp_path / "late", a=replace(ONE, set_name="late"))
    early = put(tmp_path / "early", z=replace(ONE, set_name="early"))
    assert choose(tmp_path / "absent", early, late).calibration.set_name == "early"
    assert choose(late, early).calibration.set_name == "late"


def test_the_right_detector_in_a_later_folder_beats_another_in_an_earlier(tmp_path: Path) -> None:
    other = put(tmp_path / "other", a=replace(ONE, detector="yunet_n"))
    assert choose(other, put(tmp_path / "right", a=ONE)) == ChosenCalibration(ONE, None)


@pytest.mark.parametrize(("flip", "mark"), [(False, "1" * 64), (True, "2" * 64)])
def test_other_vectors_are_never_judged_by_it(tmp_path: Path, flip: bool, mark: str) -> None:
    with pytest.raises(NotAvailable, match="no calibration is known for the weights mine") as error:
        choose(put(tmp_path / "a", a=ONE), flip=flip, mark=mark)
    assert ("--no-flip" in str(error.value)) == (not flip)


def test_a_broken_file_is_not_passed_over(tmp_path: Path) -> None:
    folder = put(tmp_path / "a", z=ONE)
    (folder / "a.json").write_text("{")
    with pytest.raises(InputError, match=r"a\.json"):
        choose(folder)


def test_the_package_s_own_calibrations_make_sense() -> None:
    """Falling rates, rising thresholds, rising sizes, intervals around."""
    seen = set()
    for path in sorted(SHIPPED.glob("*.json")):
        calibration = read_calibration(path)
        key = (calibration.fingerprint, calibration.flip, calibration.detector)
        assert key not in seen, f"{path}: a second one for {key}"
        seen.add(key)
        assert json.loads(path.read_text()) == json.loads(calibration.to_json())
        assert len(calibration.fingerprint) == 64 and calibration.margin >= 0
        assert [row.people for row in calibration.identify] == sorted(
            {r.people for r in calibration.identify}
        )
        for rows in (calibration.verify, *(size.rates for size in calibration.identify)):
            assert all(a.rate > b.rate and a.threshold <= b.threshold for a, b in pairwise(rows))
            assert all(0 <= row.low <= row.high <= 1 and -1 <= row.threshold <= 1 for row in rows)
            assert all(row.low <= row.rate * 1.1 and row.high >= row.rate * 0.9 for row in rows)
        for rate in (0.1, 0.01):
            asked = [calibration.threshold_for_identify(rate, n).similarity for n in (1, 10, 100, 1000)]
            assert asked == sorted(asked)
        assert (
            calibration.threshold_for_verify(1e-3).similarity
            > calibration.threshold_for_verify(1e-2).similarity
        )


def shipped(weights: str) -> dict[tuple[str, bool], str]:
    """Fingerprints of the package's own calibrations for these weights, by detector and choice of flips."""
    known = [read_calibration(path) for path in SHIPPED.glob("*.json")]
    return {(one.detector, one.flip): one.fingerprint for one in known if one.weights == weights}


def test_the_default_and_the_small_pair_are_calibrated(tmp_path: Path) -> None:
    """With and without flips; the fingerprint of the default is that of the network as it is built."""
    mark = Store(tmp_path / "store").embedder("dlib").fingerprint
    assert shipped("dlib") == {("mtcnn", True): mark, ("mtcnn", False): mark}
    assert set(shipped("mobilefacenet_128_ms1m")) == {("scrfd_2.5g", True), ("scrfd_2.5g", False)}


def test_the_small_pair_s_fingerprint_is_that_of_the_weights_as_pulled(shared: Path, tmp_path: Path) -> None:
    name = "mobilefacenet_128_ms1m"
    files = Store(tmp_path / "store", tmp_path / "cache")
    files.pull(name, shared / "data" / "weights")
    assert set(shipped(name).values()) == {files.embedder(name).fingerprint}

"""Which calibration is chosen, and the ones that come with the package."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from multiface.decision.calibration import Calibration, GallerySizeRow, RateRow, read_calibration
from multiface.decision.shipped import (
    SHIPPED,
    ChosenCalibration,
    choose_calibration,
    own_calibrations,
    refuse_taken,
    undo_calibration,
    use_calibration,
)
from multiface.errors import InputError, NotAvailable, UsageError
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
    folder: Path | None,
    detector: str = "mtcnn",
    flip: bool = True,
    mark: str = "1" * 64,
    name: str | None = None,
) -> ChosenCalibration:
    return choose_calibration(
        folder, detector=detector, weights="mine", fingerprint=mark, flip=flip, wanted=name
    )


def test_a_file_in_the_folder_alone_decides_nothing(tmp_path: Path) -> None:
    """Also one with the package's own vectors."""
    with pytest.raises(NotAvailable):
        choose(put(tmp_path / "a", a=ONE))
    own = read_calibration(min(SHIPPED.glob("*.json")))
    folder = put(tmp_path / "b", mine=replace(own, set_name="mine"))

    def chosen() -> ChosenCalibration:
        return choose_calibration(
            folder, detector=own.detector, weights=own.weights, fingerprint=own.fingerprint, flip=own.flip
        )

    assert chosen() == ChosenCalibration(own, None)
    use_calibration(folder, "mine")
    assert (chosen().calibration.set_name, chosen().name) == ("mine", "mine")
    assert (
        undo_calibration(folder, detector=own.detector, fingerprint=own.fingerprint, flip=own.flip) == "mine"
    )
    assert chosen() == ChosenCalibration(own, None)


def test_one_that_is_used_decides_for_its_own_pair_only(tmp_path: Path) -> None:
    folder = put(tmp_path / "a", a=ONE, b=replace(ONE, detector="yunet_n"))
    use_calibration(folder, "a")
    assert choose(folder) == ChosenCalibration(ONE, None, "a")
    for other in ({"detector": "yunet_n"}, {"flip": False}, {"mark": "2" * 64}):
        with pytest.raises(NotAvailable):
            choose(folder, **other)  # type: ignore[arg-type]


def test_one_that_is_asked_for_by_name_wins(tmp_path: Path) -> None:
    folder = put(tmp_path / "a", a=ONE, b=replace(ONE, set_name="second"))
    use_calibration(folder, "a")
    assert choose(folder, name="b").calibration.set_name == "second"
    with pytest.raises(UsageError, match="no calibration 'c'; there are a, b"):
        choose(folder, name="c")
    with pytest.raises(UsageError, match="with flips, not of mine without flips"):
        choose(folder, name="b", flip=False)


def test_another_detector_has_a_caveat(tmp_path: Path) -> None:
    chosen = choose(put(tmp_path / "a", a=ONE), detector="scrfd_2.5g", name="a")
    assert chosen.calibration == ONE
    assert chosen.caveat is not None
    assert "mtcnn" in chosen.caveat and "scrfd_2.5g" in chosen.caveat and "calibrate" in chosen.caveat


def test_those_of_the_user_are_listed(tmp_path: Path) -> None:
    folder = put(tmp_path / "a", a=ONE, b=replace(ONE, set_name="second"))
    (folder / "old.json").write_text("{}")
    use_calibration(folder, "b")
    listed = own_calibrations(folder)
    assert [(one.name, one.in_force) for one in listed] == [("a", False), ("b", True), ("old", False)]
    assert listed[2].problem is not None and "make it again" in listed[2].problem
    assert "not in force" in str(listed[0]) and "calibrate --undo" in str(listed[1])
    assert own_calibrations(tmp_path / "absent") == ()
    (folder / "in_force.json").write_text("{")
    with pytest.raises(InputError, match=r"in_force\.json"):
        own_calibrations(folder)


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    folder = put(tmp_path / "a", a=ONE)
    refuse_taken(folder, "a", "mtcnn", "1" * 64, True, "first")
    refuse_taken(folder, "b", "mtcnn", "1" * 64, True, "first")
    for other in (("yunet_n", "1" * 64, True, "first"), ("mtcnn", "1" * 64, True, "another")):
        with pytest.raises(UsageError, match="another calibration has this name"):
            refuse_taken(folder, "a", *other)
    for bad in ("", "../x", "a/b", ".x", "in_force"):
        with pytest.raises(UsageError, match="cannot name"):
            refuse_taken(folder, bad, "mtcnn", "1" * 64, True, "first")


@pytest.mark.parametrize(("flip", "mark"), [(False, "1" * 64), (True, "2" * 64)])
def test_other_vectors_are_never_judged_by_it(tmp_path: Path, flip: bool, mark: str) -> None:
    with pytest.raises(NotAvailable, match="no calibration is known for the weights mine") as error:
        choose(put(tmp_path / "a", a=ONE), flip=flip, mark=mark)
    assert ("--no-flip" in str(error.value)) == (not flip)


def test_a_broken_file_is_not_passed_over(tmp_path: Path) -> None:
    folder = put(tmp_path / "a", a=ONE)
    use_calibration(folder, "a")
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
        assert calibration.limits is not None and 0 < calibration.limits.refused < 0.06
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
    mark = Store(tmp_path / "store").embedder("sface").fingerprint
    detectors = ("yunet_onet", "yunet", "mtcnn", "scrfd_2.5g")
    assert shipped("sface") == {(one, False): mark for one in detectors} | {("yunet_onet", True): mark}
    assert set(shipped("mobilefacenet_128_ms1m")) == {
        (one, flip) for one in detectors for flip in (True, False)
    }


def test_the_small_pair_s_fingerprint_is_that_of_the_weights_as_pulled(shared: Path, tmp_path: Path) -> None:
    name = "mobilefacenet_128_ms1m"
    files = Store(tmp_path / "store", tmp_path / "cache")
    files.pull(name, shared / "data" / "weights")
    assert set(shipped(name).values()) == {files.embedder(name).fingerprint}

"""What makes a face too poor, in words."""

import math

import pytest

from multiface.decision.quality_limits import PictureFault, QualityLimits

LIMITS = QualityLimits(sharpness=0.14, noise=1.3, contrast=8, norm=9.9, norm_alone=6, refused=0.02)
GOOD = {"eyes": 40.0, "sharpness": 0.5, "contrast": 40.0, "norm": 13.0}


@pytest.mark.parametrize(
    "least", [{}, {"sharpness": 0.14}, {"sharpness": 1.3}, {"contrast": 8.0}, {"norm": 9.9}, {"eyes": 1.0}]
)
def test_at_each_limit_a_face_is_good_enough_whatever_its_size(least: dict[str, float]) -> None:
    assert LIMITS.fault(**(GOOD | least)) is None


@pytest.mark.parametrize(
    ("worse", "words"),
    [
        ({"sharpness": 0.139}, "blurred: sharpness 0.14, wanted 0.14"),
        ({"sharpness": 1.31}, "noisy: detail 1.3, wanted at most 1.3"),
        ({"contrast": 7.4}, "too dark or too even: contrast 7, wanted 8"),
        ({"norm": 9.8}, "too little of the face can be seen: feature norm 9.8, wanted 9.9"),
        ({"sharpness": 0.05, "eyes": 7.2}, "the eyes are 7 pixels apart"),
        ({"sharpness": 0.05, "eyes": 12.0}, "blurred: sharpness 0.05, wanted 0.14"),
        ({"contrast": 0.0, "sharpness": 0.0}, "too dark or too even: contrast 0, wanted 8"),
    ],
)
def test_the_fault_is_named(worse: dict[str, float], words: str) -> None:
    assert LIMITS.fault(**(GOOD | worse)) == PictureFault(words, alone=False)


@pytest.mark.parametrize(("norm", "alone"), [(9.8, False), (6.0, False), (5.99, True), (math.nan, True)])
def test_a_face_of_little_norm_is_too_poor_against_a_good_one_as_well(norm: float, alone: bool) -> None:
    fault = LIMITS.fault(**(GOOD | {"norm": norm}))
    assert fault is not None and fault.alone is alone


@pytest.mark.parametrize("measure", ["sharpness", "contrast", "norm"])
def test_what_is_no_number_is_a_fault(measure: str) -> None:
    assert LIMITS.fault(**(GOOD | {measure: math.nan})) is not None

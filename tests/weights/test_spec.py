"""Input specs: what they refuse, their one text, and the fingerprint over file and spec."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.errors import WeightsError
from multiface.weights.spec import ARCFACE_TEMPLATE, InputSpec, fingerprint

SPEC = InputSpec(112, 112, "rgb", (127.5, 127.5, 127.5), (127.5, 127.5, 127.5), ARCFACE_TEMPLATE, 512)

coordinates = st.floats(-1e4, 1e4)
points = st.tuples(coordinates, coordinates)
specs = st.builds(
    InputSpec,
    width=st.integers(8, 1024),
    height=st.integers(8, 1024),
    colour=st.sampled_from(["rgb", "bgr"]),
    mean=st.tuples(coordinates, coordinates, coordinates),
    std=st.tuples(*[st.floats(1e-6, 1e6)] * 3),
    template=st.lists(points, min_size=5, max_size=5, unique=True).map(tuple),
    dimension=st.integers(1, 100_000),
)


@settings(max_examples=100, deadline=None)
@given(spec=specs)
def test_text_and_back(spec: InputSpec) -> None:
    assert InputSpec.from_json(spec.to_json()) == spec
    assert InputSpec.from_json(spec.to_json()).to_json() == spec.to_json()


@settings(max_examples=50, deadline=None)
@given(spec=specs)
def test_the_text_does_not_depend_on_how_it_was_written(spec: InputSpec) -> None:
    values = json.loads(spec.to_json())
    turned = json.dumps(dict(reversed(values.items())), indent=3)
    assert InputSpec.from_json(turned).to_json() == spec.to_json()


def test_equal_specs_have_equal_text() -> None:
    """Whole numbers and minus zero are equal to their twins in Python and make no other fingerprint."""
    whole = replace(SPEC, mean=(0, 0, 0), std=(1, 1, 1))
    real = replace(SPEC, mean=(0.0, -0.0, 0.0), std=(1.0, 1.0, 1.0))
    assert whole == real
    assert whole.to_json() == real.to_json()
    assert fingerprint("ab" * 32, whole) == fingerprint("ab" * 32, InputSpec.from_json(whole.to_json()))


def test_the_text_is_fixed() -> None:
    """Galleries hold fingerprints: the text of a spec may never change. Literal text, hashed by hashlib."""
    spec = InputSpec(
        150,
        96,
        "bgr",
        (1.0, 2.5, 3.0),
        (256.0, 255.0, 1.0),
        ((1.0, 2.0), (3, 4), (5, 6), (7, 8), (9, 0.5)),
        128,
    )
    text = (
        '{"colour":"bgr","dimension":128,"height":96,"mean":[1.0,2.5,3.0],"std":[256.0,255.0,1.0],'
        '"template":[[1.0,2.0],[3.0,4.0],[5.0,6.0],[7.0,8.0],[9.0,0.5]],"width":150}'
    )
    assert spec.to_json() == text
    assert fingerprint("0f" * 32, spec) == hashlib.sha256(("0f" * 32 + "\n" + text).encode()).hexdigest()


def test_every_part_counts_in_the_fingerprint() -> None:
    others = [
        SPEC,
        replace(SPEC, width=96),
        replace(SPEC, height=96),
        replace(SPEC, colour="bgr"),
        replace(SPEC, mean=(127.5, 127.5, 0.0)),
        replace(SPEC, std=(128.0, 127.5, 127.5)),
        replace(SPEC, template=tuple((x + 8.0, y) for x, y in ARCFACE_TEMPLATE)),
        replace(SPEC, dimension=128),
    ]
    marks = {fingerprint("ab" * 32, spec) for spec in others} | {fingerprint("cd" * 32, SPEC)}
    assert len(marks) == len(others) + 1


NAN = float("nan")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 7}, "size 7x112"),
        ({"height": 1025}, "size 112x1025"),
        ({"colour": "RGB"}, "colour"),
        ({"mean": (1.0, 2.0)}, "three numbers"),
        ({"mean": (1.0, 2.0, NAN)}, "finite"),
        ({"std": (1.0, 1.0, 0.0)}, "above zero"),
        ({"std": (1.0, -1.0, 1.0)}, "above zero"),
        ({"std": (1.0, NAN, 1.0)}, "finite"),
        ({"std": (1.0, float("inf"), 1.0)}, "finite"),
        ({"template": ARCFACE_TEMPLATE[:4]}, "five"),
        ({"template": (*ARCFACE_TEMPLATE[:4], (1.0, 2.0, 3.0))}, "five"),
        ({"template": (*ARCFACE_TEMPLATE[:4], (1.0, NAN))}, "finite"),
        ({"template": (*ARCFACE_TEMPLATE[:4], (1.0, -1e308))}, "too far"),
        ({"template": ((1.0, 2.0),) * 5}, "five points of a face"),
        ({"mean": (1e308, 0.0, 0.0)}, "units of pixel values"),
        ({"std": (1e-300, 1.0, 1.0)}, "units of pixel values"),
        ({"dimension": 0}, "dimension 0"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(WeightsError, match=f"input spec: .*{message}"):
        replace(SPEC, **change)


def changed(**values: Any) -> str:
    return json.dumps(json.loads(SPEC.to_json()) | values)


def without(key: str) -> str:
    return json.dumps({name: value for name, value in json.loads(SPEC.to_json()).items() if name != key})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        "[" * 100_000,
        changed(extra=1),
        changed(width=112.5),
        changed(width="112"),
        changed(width=True),
        changed(dimension=None),
        changed(mean="123"),
        changed(mean=[1, 2]),
        changed(mean=[1, 2, "3"]),
        changed(std=[1, 1, 10**400]),
        changed(template=[[1, 2, 3]] * 5),
        changed(template=7),
        changed(colour=["rgb"]),
        SPEC.to_json().replace("512", "1e999"),
        *[without(key) for key in ("width", "height", "colour", "mean", "std", "template", "dimension")],
    ],
    ids=lambda text: text[:24],
)
def test_a_text_that_is_no_spec_is_a_clear_error(text: str) -> None:
    with pytest.raises(WeightsError, match="input spec"):
        InputSpec.from_json(text)

"""The quick scan: its bound holds for any vectors, and what it leaves is what float32 finds among everybody."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto, helper

from multiface.arrays import Floats
from multiface.gallery import int8_codes
from multiface.gallery.contents import NewTemplate
from multiface.gallery.gallery import Gallery
from multiface.gallery.int8_codes import Bounds, Codes
from multiface.gallery.matrix import Matrix
from multiface.gallery.nearest import FEW, exact_similarities, nearest_people
from multiface.gallery.search import score_people


def unit(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Floats:
    lengths = np.linalg.norm(values.astype(np.float64), axis=1, keepdims=True)
    return np.divide(values, lengths, out=np.zeros(values.shape), where=lengths > 0).astype(np.float32)


def bounds(probes: Floats, groups: list[Codes]) -> Bounds:
    """Of all people at once."""
    parts = list(int8_codes.bounds(probes, groups))
    return Bounds(
        *(np.concatenate([getattr(part, name) for part in parts], axis=1) for name in ("middle", "radius"))
    )


def crowd(people: int, dimension: int, seed: int = 0) -> Matrix:
    """People in families: the best and the second best are often near each other."""
    rng = np.random.default_rng(seed)
    families = rng.standard_normal((people // 5, dimension))
    centres = families[rng.integers(0, len(families), people)] + 0.5 * rng.standard_normal(
        (people, dimension)
    )
    return Matrix(unit(centres), np.arange(people), tuple(f"p{k}" for k in range(people)))


numbers = st.floats(-1, 1, width=32)


@settings(max_examples=200, deadline=None)
@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.just(16)), elements=numbers),
    hnp.arrays(np.float32, st.tuples(st.integers(1, 12), st.just(16)), elements=numbers),
)
def test_every_similarity_lies_within_its_bound(probes: Floats, centres: Floats) -> None:
    probes, centres = unit(probes), unit(centres)
    codes = Codes.of(centres)
    half = len(centres) // 2
    found = bounds(probes, [codes.part(0, half), codes.part(half, len(centres))])
    exact = probes.astype(np.float64) @ centres.astype(np.float64).T
    assert found.middle.shape == found.radius.shape == exact.shape
    assert (np.abs(found.middle - exact) <= found.radius).all()
    assert (np.abs(codes.integers) <= 127).all()


@pytest.mark.parametrize("dimension", [2, 128, 512, 2000])
def test_the_bound_at_its_edges(dimension: int) -> None:
    """Vectors with one large number, equal ones, and random ones; the largest products, which must not saturate."""
    rng = np.random.default_rng(dimension)
    spike = np.eye(1, dimension, dtype=np.float32) + np.float32(1e-3)
    flat = np.ones((1, dimension), np.float32)
    vectors = unit(np.concatenate([spike, -spike, flat, -flat, rng.standard_normal((60, dimension))]))
    codes = Codes.of(vectors)
    found = bounds(vectors, [codes])
    exact = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    assert (np.abs(found.middle - exact) <= found.radius).all()
    assert np.median(found.radius) < 0.03


def test_the_model_is_what_it_says() -> None:
    def tensor(name: str, kind: int, *shape: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, shape)

    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "g",
        [tensor("a", TensorProto.UINT8, "q", "d"), tensor("b", TensorProto.INT8, "n", "d", "t")],
        [tensor("y", TensorProto.INT32, "n", "q", "t")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 10)], ir_version=8)
    assert onnx.load_model_from_string(int8_codes._MODEL) == model


@pytest.mark.parametrize("dimension", [32, 128])
def test_the_same_as_float32_over_everybody(dimension: int) -> None:
    matrix = crowd(3 * FEW, dimension)
    rng = np.random.default_rng(1)
    strangers = unit(rng.standard_normal((700, dimension)))
    members = unit(
        matrix.centres[rng.integers(0, len(matrix), 300)] + 0.05 * rng.standard_normal((300, dimension))
    )
    probes = np.concatenate([strangers, members])
    everybody = score_people(probes, matrix, "mean")
    left = 0
    for probe, wanted in zip(probes, everybody, strict=True):
        positions = nearest_people(probe[np.newaxis], matrix, 5)
        left += len(positions)
        similarities = exact_similarities(probe[np.newaxis], matrix, positions)[0]
        best = positions[np.argsort(-similarities, kind="stable")[:5]]
        assert best.tolist() == np.argsort(-wanted, kind="stable")[:5].tolist()
        assert np.abs(np.sort(similarities)[-5:] - np.sort(wanted)[-5:]).max() < 2e-6
    assert left / len(probes) < len(matrix) / 20  # or the scan were of no use


def test_similarities_below_zero_are_exact_too() -> None:
    matrix = crowd(FEW, 32)
    found = exact_similarities(-matrix.centres[:3], matrix, np.arange(3))
    assert (
        found.dtype == np.float32 and np.abs(found + matrix.centres[:3] @ matrix.centres[:3].T).max() < 1e-6
    )
    assert np.abs(np.diag(found) + 1).max() < 1e-6


def test_all_who_reach_a_similarity_are_left() -> None:
    matrix = crowd(2 * FEW, 32)
    probes = matrix.centres[:40]
    everybody = score_people(probes, matrix, "mean")
    for least in (0.5, 0.8):
        together = nearest_people(probes, matrix, 1, least)
        assert set(np.flatnonzero((everybody >= least).any(axis=0))) <= set(together)
        assert set(everybody.argmax(axis=1)) <= set(together)
        assert (np.diff(together) > 0).all()


def test_a_gallery_is_searched_the_same_way_with_many_people(
    gallery: Gallery, template: Callable[..., NewTemplate], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        gallery.add_templates(f"p{number}", [template(f"{number}")])
    probes = np.stack([template(f"q{k}").vector for k in range(30)] + [template("7").vector])
    plain = gallery.search(probes, "mean")
    monkeypatch.setattr("multiface.gallery.nearest.FEW", 4)
    quick = gallery.search(probes, "mean")
    assert [(one.person, one.runner_up_person) for one in quick] == [
        (one.person, one.runner_up_person) for one in plain
    ]
    assert quick[-1].name == "p7"
    assert np.allclose([one.similarity for one in quick], [one.similarity for one in plain], atol=1e-6)


def test_few_people_and_no_probe() -> None:
    few = crowd(50, 8)
    assert nearest_people(few.centres[:1], few, 2).tolist() == list(range(50))
    many = crowd(FEW + 1, 8)
    assert nearest_people(many.centres[:1], many, FEW + 1).tolist() == list(range(FEW + 1))
    assert len(nearest_people(many.centres[:0], many, 2)) == FEW + 1
    assert len(nearest_people(many.centres[:1], many, FEW)) >= FEW

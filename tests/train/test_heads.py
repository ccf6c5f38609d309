"""The blocked loss against literal formulas with autograd; every margin, slices, memory, edges."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from multiface.errors import UsageError
from multiface.train.heads.blocks import (
    BLOCK_ELEMENTS,
    GPU_BLOCK_BYTES,
    GPU_KEPT_BYTES,
    KEPT_BYTES,
    BlockSizes,
)
from multiface.train.heads.chunked import blocked_loss
from multiface.train.heads.head import Head, HeadConfig, first_centres
from multiface.train.heads.margins import (
    AdaFace,
    ArcFace,
    Combined,
    CosFace,
    CurricularFace,
    MagFace,
    Margin,
    Softmax,
    UniFace,
    first_state,
    next_state,
)
from multiface.train.heads.sliced import split

MARGINS: list[Margin] = [
    Softmax(),
    CosFace(0.35),
    ArcFace(0.5),
    Combined(1.1, 0.3, 0.2),
    AdaFace(0.4, 0.333, 0.1),
    CurricularFace(0.5, 0.3),
]
BATCH, SIZE, CLASSES = 9, 24, 37


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small products: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def name_of(margin: Margin) -> str:
    return type(margin).__name__


def batch(dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Unit embeddings, labels, norms; some labels twice, some embeddings near their classes."""
    generator = torch.Generator().manual_seed(seed)
    embedding = normalize(torch.randn(BATCH, SIZE, generator=generator, dtype=torch.float64))
    labels = torch.randint(CLASSES, (BATCH,), generator=generator)
    labels[1] = labels[0]
    norms = 15 + 10 * torch.rand(BATCH, generator=generator, dtype=torch.float64)
    return embedding.to(dtype), labels, norms.to(dtype)


def head_of(
    margin: Margin, slices: int, normalise: bool = False, average: bool = False, scale: float = 64.0
) -> Head:
    head = Head(
        HeadConfig(CLASSES, margin, SIZE, slices, scale, normalise, average),
        torch.Generator().manual_seed(5),
    )
    head.centres.data = head.centres.data.double() * (
        0.5 + torch.rand(slices, CLASSES, 1, generator=torch.Generator().manual_seed(6))
    )
    embedding, labels, _ = batch()
    for row in (2, 3, 4):  # some centres near and opposite their faces, so that every branch is met
        parts = split(embedding, slices, normalise)[:, row]
        head.centres.data[:, labels[row]] = (
            parts * (-3.0 if row == 4 else 2.0) + 0.1 * head.centres.data[:, 0]
        )
    if head.margin_state.numel() and isinstance(margin, CurricularFace):
        head.margin_state.fill_(0.3)
    return head.double() if not isinstance(margin, AdaFace) else head


def literal(head: Head, embedding: Tensor, labels: Tensor, norms: Tensor) -> Tensor:
    """Loss by the papers' formulas, whole matrices, plain autograd, with the state after the step."""
    config, margin, state = head.config, head.config.margin, head.margin_state.double()
    losses = []
    size = config.slice_size
    for i in range(config.slices):
        part = embedding[:, i * size : (i + 1) * size]
        if config.normalise_slices:
            part = part / part.norm(dim=1, keepdim=True)
        centres = head.centres[i] / head.centres[i].norm(dim=1, keepdim=True)
        cos = part @ centres.T
        own = torch.zeros_like(cos, dtype=torch.bool).scatter(1, labels[:, None], True)
        theta = cos.clamp(-1 + 1e-12, 1 - 1e-12).arccos()
        rest = cos
        match margin:
            case Softmax():
                target = cos
            case CosFace(m):
                target = cos - m
            case ArcFace(m):
                target = torch.where(theta + m < math.pi, (theta + m).cos(), cos - m * math.sin(m))
            case Combined(m1, m2, m3):
                phi = m1 * theta + m2
                target = torch.where(phi < math.pi, phi.cos(), -phi.cos() - 2) - m3
            case AdaFace(m, h, _):
                z = ((norms.clamp(0.001, 100) - state[0]) / (state[1] + 0.001) * h).clamp(-1, 1)[:, None]
                target = (theta - m * z).clamp(1e-3, math.pi - 1e-3).cos() - (m + m * z)
            case CurricularFace(m, _):
                moved = cos * math.cos(m) - (1 - cos**2).clamp_min(1e-12).sqrt() * math.sin(m)
                target = torch.where(theta + m < math.pi, moved, cos - m * math.sin(m))
                hard = cos > moved.gather(1, labels[:, None]).detach()
                rest = torch.where(hard, cos * (state[i] + cos), cos)
        losses.append(cross_entropy(torch.where(own, target, rest) * config.scale, labels))
    total = torch.stack(losses)
    return total.mean() if config.average else total.sum()


def gradients(loss: Tensor, *inputs: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, inputs))


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("slices", [1, 2, 4])
@pytest.mark.parametrize("margin", MARGINS, ids=name_of)
def test_value_and_gradients_equal_the_literal_formula(
    margin: Margin, slices: int, normalise: bool, average: bool
) -> None:
    head = head_of(margin, slices, normalise, average)
    embedding, labels, norms = batch()
    embedding.requires_grad_()
    loss = head(embedding, labels, norms)
    expected = literal(head, embedding, labels, norms)
    torch.testing.assert_close(loss, expected, rtol=1e-11, atol=1e-11)
    got = gradients(loss, embedding, head.centres)
    want = gradients(expected, embedding, head.centres)
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)

    head.eval()  # the literal module form with the same state
    plain = torch.stack([cross_entropy(part, labels) for part in head.logits(embedding, labels, norms)])
    plain = plain.mean() if average else plain.sum()
    torch.testing.assert_close(plain, expected, rtol=1e-11, atol=1e-11)
    for a, b in zip(gradients(plain, embedding, head.centres), want, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("slices", [1, 2, 4])
def test_magface_equals_the_literal_formula_with_gradients_by_the_norms(
    slices: int, normalise: bool, average: bool
) -> None:
    """Loss, and gradients of embeddings, centres and norms: some norms lie outside of what is told apart."""
    margin = MagFace(0.4, 0.7, 12.0, 22.0, 30.0)
    head = head_of(margin, slices, normalise, average)
    embedding, labels, _ = batch()
    norms = torch.linspace(10, 24, BATCH, dtype=torch.float64).requires_grad_()
    embedding.requires_grad_()
    losses = []
    length = norms.clamp(12, 22)
    m = 0.3 * (length - 12) / 10 + 0.4
    for part, centres in zip(split(embedding, slices, normalise), head.centres, strict=True):
        cos = part @ (centres / centres.norm(dim=1, keepdim=True)).T
        own = torch.zeros_like(cos, dtype=torch.bool).scatter(1, labels[:, None], True)
        theta = cos.clamp(-1 + 1e-12, 1 - 1e-12).arccos()
        turned = (theta + m[:, None]).cos()
        target = torch.where(theta + m[:, None] < math.pi, turned, cos - (m * m.sin())[:, None])
        losses.append(cross_entropy(torch.where(own, target, cos) * 64, labels))
    total = torch.stack(losses)
    expected = total.mean() if average else total.sum()
    reward = 30 * (1 / length + length / 22**2).mean()
    loss = head(embedding, labels, norms)
    torch.testing.assert_close(loss, expected + reward, rtol=1e-11, atol=1e-11)
    inputs = (embedding, head.centres, norms)
    for a, b in zip(gradients(loss, *inputs), gradients(expected + reward, *inputs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(head.eval()(embedding, labels, norms), expected)  # a loss of others: no reward
    with pytest.raises(UsageError, match="MagFace needs the norms"):
        head(embedding, labels)


@pytest.mark.parametrize(
    "sizes", [BlockSizes(5, 0), BlockSizes(5, 15), BlockSizes(7, 1000), BlockSizes(1, 3)]
)
@pytest.mark.parametrize("scale", [10.0, 64.0, 1200.0])
@pytest.mark.parametrize("margin", [ArcFace(0.5), CurricularFace(0.5)], ids=name_of)
def test_any_blocks_kept_or_made_again_with_or_without_running_maximum(
    margin: Margin, scale: float, sizes: BlockSizes
) -> None:
    head = head_of(margin, 2, scale=scale)
    embedding, labels, norms = batch()
    embedding.requires_grad_()
    expected = literal(head, embedding, labels, norms)
    head.eval()
    parts = split(embedding, 2, False)
    targets, _ = head._targets(parts, labels, norms)
    loss = blocked_loss(parts, head.centres, labels, targets, scale, False, sizes=sizes)
    torch.testing.assert_close(loss, expected, rtol=1e-11, atol=1e-11)
    for a, b in zip(
        gradients(loss, embedding, head.centres),
        gradients(expected, embedding, head.centres),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


def test_blocks_of_a_loss_that_wants_no_gradient() -> None:
    """All exponentials could be kept, and none are."""
    head = head_of(ArcFace(0.5), 2).eval()
    embedding, labels, norms = batch()
    parts = split(embedding, 2, False)
    targets, _ = head._targets(parts, labels, norms)
    with torch.no_grad():
        loss = blocked_loss(parts, head.centres, labels, targets, 64.0, False, sizes=BlockSizes(5, 1000))
    torch.testing.assert_close(loss, literal(head, embedding, labels, norms), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("slices", "faces", "size"), [(1, 512, 512), (4, 1024, 128), (2, 64, 256)])
def test_blocks_are_as_large_as_memory_allows(slices: int, faces: int, size: int, dtype: torch.dtype) -> None:
    """On a processor a block of a slice, on a GPU one of all slices; what is kept is whole blocks."""
    cpu = BlockSizes.fitting(slices, faces, size, dtype, "cpu")
    assert cpu.block * max(faces, size) == BLOCK_ELEMENTS and cpu.together == 1
    gpu = BlockSizes.fitting(slices, faces, size, dtype, "cuda")
    wide = slices * max(faces, size) * dtype.itemsize
    assert gpu.block * wide == GPU_BLOCK_BYTES and gpu.together == slices
    for sizes, row, most in ((cpu, faces * dtype.itemsize, KEPT_BYTES), (gpu, wide, GPU_KEPT_BYTES)):
        assert sizes.kept % sizes.block == 0
        assert most - sizes.block * row < sizes.kept * row <= most


def test_first_centres_are_drawn_class_by_class_whoever_holds_them() -> None:
    """Of 9,000 classes, more than are drawn at once."""
    config = HeadConfig(9000, Softmax(), 8, 2)
    generator = torch.Generator().manual_seed(3)
    slices = [
        torch.cat([torch.randn(count, 4, generator=generator) for count in (4096, 4096, 808)]) for _ in "ab"
    ]
    wanted = normalize(torch.stack(slices), dim=2)
    for start, stop in ((0, 9000), (0, 4097), (4097, 8192), (8192, 9000)):
        found = first_centres(config, start, stop, torch.Generator().manual_seed(3))
        torch.testing.assert_close(found, wanted[:, start:stop], rtol=0, atol=0)


@pytest.mark.parametrize("margin", MARGINS, ids=name_of)
def test_a_cosine_that_rounding_has_put_beyond_one_is_one(margin: Margin) -> None:
    norms, state = torch.full((2,), 20.0, dtype=torch.float64), first_state(margin, 1)
    beyond = margin.targets(torch.tensor([[-1 - 1e-7, 1 + 1e-7]], dtype=torch.float64), state, norms)
    there = margin.targets(torch.tensor([[-1.0, 1.0]], dtype=torch.float64), state, norms)
    for a, b in (
        (beyond.logit, there.logit),
        (beyond.slope, there.slope),
        (beyond.hard_above, there.hard_above),
    ):
        if a is not None:
            torch.testing.assert_close(a, b, rtol=0, atol=2e-7)


@pytest.mark.parametrize("margin", MARGINS, ids=name_of)
def test_gradcheck_in_float64(margin: Margin) -> None:
    """Finite differences, at a scale of 8, where they are well above rounding."""
    generator = torch.Generator().manual_seed(3)
    embedding = normalize(torch.randn(4, 6, generator=generator, dtype=torch.float64)).requires_grad_()
    centres = torch.randn(2, 7, 3, generator=generator, dtype=torch.float64).requires_grad_()
    labels = torch.tensor([0, 6, 3, 6])
    norms = torch.tensor([12.0, 18.0, 21.0, 30.0], dtype=torch.float64)
    state = first_state(margin, 2)

    def run(embedding: Tensor, centres: Tensor) -> Tensor:
        parts = split(embedding, 2, True)
        cosine = (parts * normalize(centres[:, labels], dim=2)).sum(2)
        targets = margin.targets(cosine.detach(), state, norms)
        return blocked_loss(parts, centres, labels, targets, 8.0, False, sizes=BlockSizes(3, 3))

    assert torch.autograd.gradcheck(run, (embedding, centres), atol=1e-6)


@pytest.mark.parametrize("margin", [m for m in MARGINS if not isinstance(m, AdaFace)], ids=name_of)
@settings(max_examples=40, deadline=None)
@given(cosine=st.floats(-0.999, 0.999))
def test_slope_is_the_derivative_of_the_logit(margin: Margin, cosine: float) -> None:
    state = first_state(margin, 1)
    step = 1e-6
    at = torch.tensor([[cosine - step, cosine, cosine + step]], dtype=torch.float64)
    targets = margin.targets(at, state, None)
    logit = targets.logit[0]
    if abs(logit[2] - logit[0]) > 1e-3:
        return  # ArcFace's jump lies between
    assert targets.slope[0, 1].item() == pytest.approx(((logit[2] - logit[0]) / (2 * step)).item(), rel=1e-3)
    assert targets.slope[0, 1] >= 0


@settings(max_examples=40, deadline=None)
@given(cosine=st.floats(-0.999, 0.999), norm=st.floats(0, 60))
def test_slope_of_adaface(cosine: float, norm: float) -> None:
    step = 1e-6
    at = torch.tensor([[cosine - step, cosine, cosine + step]], dtype=torch.float64)
    state = torch.tensor([20.0, 5.0])
    targets = AdaFace().targets(at, state, torch.full((3,), norm, dtype=torch.float64))
    change = (targets.logit[0, 2] - targets.logit[0, 0]).item() / (2 * step)
    slopes = targets.slope[0]
    low, high = sorted((slopes[0].item(), slopes[2].item()))
    assert low - 1e-3 * (1 + high) <= change <= high + 1e-3 * (1 + high)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("margin", MARGINS, ids=name_of)
def test_gradients_are_finite_at_cosine_one_minus_one_and_zero_vectors(
    margin: Margin, dtype: torch.dtype
) -> None:
    head = Head(HeadConfig(4, margin, 8, 2))
    centres = torch.zeros(2, 4, 4, dtype=dtype)
    centres[:, 0, 0], centres[:, 1, 1], centres[:, 2, 2] = 2, 1, 0.5  # class 3: a zero centre
    head.centres.data = centres
    embedding = torch.zeros(5, 8, dtype=dtype)
    embedding[0, 0] = 1  # cosine 1 with its class in slice 0, a zero vector in slice 1
    embedding[1, 0] = -1  # cosine -1 with its class
    embedding[2, 4] = 1  # cosine 1 with another class
    embedding[4, 5] = 0.6  # row 3 stays zero throughout
    embedding.requires_grad_()
    labels = torch.tensor([0, 0, 1, 2, 3])
    for normalise in (False, True):
        parts = split(embedding, 2, normalise)
        targets, _ = head._targets(parts.detach(), labels, torch.full((5,), 20.0, dtype=dtype))
        loss = blocked_loss(parts, head.centres, labels, targets, 64.0, False)
        grads = gradients(loss, embedding, head.centres)
        assert torch.isfinite(loss)
        assert all(torch.isfinite(grad).all() for grad in grads)
        assert (grads[1][:, 3] == 0).all()  # nothing pulls at a centre without direction
        # moving the centre along itself changes nothing
        along = (grads[1] * centres).sum(2)
        torch.testing.assert_close(along, torch.zeros_like(along), rtol=0, atol=1e-3)


def test_a_small_gradient_step_lowers_the_loss_from_cosine_minus_one() -> None:
    """Sound, not only finite: descent from opposite and equal directions goes down."""
    head = Head(HeadConfig(3, ArcFace(0.5), 4), torch.Generator().manual_seed(1)).double()
    for sign in (1.0, -1.0):
        embedding = (sign * head.centres.data[0, :1]).clone().requires_grad_()
        labels = torch.tensor([0])
        before = head(embedding, labels)
        (grad,) = gradients(before, embedding)
        moved = normalize(embedding - 1e-5 * grad / grad.norm())
        assert head(moved, labels) <= before + 1e-9


@pytest.mark.parametrize("margin", MARGINS, ids=name_of)
def test_float32_and_bfloat16_inputs(margin: Margin) -> None:
    reference = head_of(margin, 2)
    embedding, labels, norms = batch()
    embedding.requires_grad_()
    loss = reference(embedding, labels, norms)
    want = gradients(loss, embedding, reference.centres)
    for dtype, tolerance in ((torch.float32, 2e-4), (torch.bfloat16, 0.2)):
        head = head_of(margin, 2)
        head.centres.data = head.centres.data.to(dtype)
        low = embedding.detach().to(dtype).requires_grad_()
        value = head(low, labels, norms)
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(loss.item(), rel=tolerance)
        for a, b in zip(gradients(value, low, head.centres), want, strict=True):
            assert a.dtype == dtype
            assert (a - b).norm() <= tolerance * b.norm()


def test_autocast_changes_nothing() -> None:
    head = head_of(ArcFace(0.5), 2).float()
    embedding, labels, _ = batch(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        inside = head(embedding, labels)
    assert inside == head(embedding, labels)


def test_upstream_gradient_and_repeated_backward() -> None:
    head = head_of(CosFace(), 2)
    embedding, labels, _ = batch()
    embedding.requires_grad_()
    want = gradients(head(embedding, labels), embedding, head.centres)
    loss = head(embedding, labels) * 3
    for _ in range(2):
        for a, b in zip(
            torch.autograd.grad(loss, (embedding, head.centres), retain_graph=True), want, strict=True
        ):
            torch.testing.assert_close(a, 3 * b)


def test_only_the_wanted_gradients_are_made() -> None:
    head = head_of(ArcFace(), 2)
    embedding, labels, _ = batch()
    with torch.no_grad():
        value = head(embedding, labels)
    assert not value.requires_grad
    head.centres.requires_grad_(False)
    embedding.requires_grad_()
    head(embedding, labels).backward()
    assert head.centres.grad is None
    assert embedding.grad is not None


@settings(max_examples=25, deadline=None)
@given(
    slices=st.sampled_from([1, 2, 3]), faces=st.integers(1, 6), classes=st.integers(2, 11),
    block=st.integers(1, 12), kept=st.integers(0, 12), seed=st.integers(0, 1000),
)  # fmt: skip
def test_any_shape(slices: int, faces: int, classes: int, block: int, kept: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    head = Head(HeadConfig(classes, ArcFace(0.3), 6, slices), generator).double()
    embedding = normalize(torch.randn(faces, 6, generator=generator, dtype=torch.float64)).requires_grad_()
    labels = torch.randint(classes, (faces,), generator=generator)
    parts = split(embedding, slices, False)
    targets, _ = head._targets(parts, labels, None)
    sizes = BlockSizes(block, kept // block * block)
    loss = blocked_loss(parts, head.centres, labels, targets, 64.0, False, sizes=sizes)
    want = literal(head, embedding, labels, torch.zeros(0))
    torch.testing.assert_close(loss, want)
    for a, b in zip(
        gradients(loss, embedding, head.centres), gradients(want, embedding, head.centres), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


def test_state_of_adaface_and_curricularface_moves_in_training_only() -> None:
    embedding, labels, norms = batch()
    head = head_of(AdaFace(momentum=0.1), 2)
    head(embedding, labels, norms)
    mean, std = 0.9 * 20 + 0.1 * norms.mean(), 0.9 * 100 + 0.1 * norms.std()
    torch.testing.assert_close(head.margin_state, torch.stack((mean, std)).float())
    before = head.margin_state.clone()
    head.eval()(embedding, labels, norms)
    assert torch.equal(before, head.margin_state)

    one = next_state(
        AdaFace(momentum=1.0), torch.tensor([20.0, 7.0]), torch.zeros(1, 1), torch.tensor([30.0])
    )
    assert one.tolist() == [30.0, 7.0]  # the deviation of one face is unknown: it stays

    head = head_of(CurricularFace(momentum=0.25), 2)
    head(embedding, labels)
    for i, part in enumerate(split(embedding, 2, False)):
        cos = (part * normalize(head.centres.detach()[i, labels])).sum(1)
        assert head.margin_state[i].item() == pytest.approx(0.75 * 0.3 + 0.25 * cos.mean().item())


@pytest.mark.parametrize(
    "make",
    [
        lambda: HeadConfig(1, Softmax()),
        lambda: HeadConfig(10, Softmax(), 512, 3),
        lambda: HeadConfig(10, Softmax(), scale=0),
        lambda: ArcFace(-0.1),
        lambda: ArcFace(math.nan),
        lambda: CosFace(3),
        lambda: AdaFace(momentum=2),
        lambda: MagFace(lower_margin=0.9),
        lambda: MagFace(upper_margin=1.6),
        lambda: MagFace(lower_norm=110.0),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        make()


@pytest.mark.parametrize("margin", [*MARGINS, MagFace(), UniFace()], ids=name_of)
def test_a_margin_is_a_value(margin: Margin) -> None:
    assert replace(margin) == margin and hash(replace(margin)) == hash(margin)


def test_margins_as_wide_as_they_may_be() -> None:
    right_angle = math.pi / 2
    assert MagFace(right_angle, right_angle).upper_margin == ArcFace(right_angle).margin == right_angle


def test_batches_that_do_not_fit_are_refused() -> None:
    head = head_of(ArcFace(), 2).float()
    embedding, labels, _ = batch(torch.float32)
    for bad in (labels.int(), labels[:2]):
        with pytest.raises(UsageError, match="labels"):
            head(embedding, bad)
    with pytest.raises(UsageError, match="embeddings"):
        head(embedding[:, :20], labels)
    with pytest.raises(UsageError, match="embeddings"):
        head(embedding[:0], labels[:0])
    ada = head_of(AdaFace(), 2)
    with pytest.raises(UsageError, match="norms"):
        ada(embedding, labels)

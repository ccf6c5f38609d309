"""The heads against the values of the original MultiFace (golden/heads.*): logits, losses, gradients."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from multiface.train.heads.head import Head, HeadConfig
from multiface.train.heads.margins import ArcFace, CosFace, Margin, Softmax
from tests.train.reference_centres import centres_from_reference, centres_to_reference


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small products: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def head_of(entry: dict[str, Any], kernels: list[np.ndarray], dtype: torch.dtype) -> Head:
    name = entry["head"].removeprefix("multi_")
    margin: Margin
    match name:
        case "softmax":
            margin = Softmax()
        case "arcface":
            margin = ArcFace(entry["params"]["m"])
        case "am_softmax":
            margin = CosFace(entry["params"]["m"])
    state = {f"para{i}": torch.from_numpy(kernel) for i, kernel in enumerate(kernels)}
    if entry["N"] is None:
        state = {"kernel": state["para0"]}
    centres = centres_from_reference(state)
    head = Head(HeadConfig(12, margin, 64, len(kernels), entry["params"]["s"]))
    head.centres.data = centres.to(dtype)
    return head


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_logits_losses_and_gradients_of_the_reference(shared: Path, dtype: torch.dtype) -> None:
    entries = json.loads((shared / "golden/heads.json").read_text())["entries"]
    arrays = np.load(shared / "golden/heads.npz")
    replaced = 0
    for entry in entries:
        key, count = entry["key"], entry["N"] or 1
        kernels = [arrays[f"{entry['inputs']}.kernel{i}"] for i in range(count)]
        embedding = torch.from_numpy(arrays[f"{entry['inputs']}.emb"]).to(dtype).requires_grad_()
        labels = torch.from_numpy(arrays[f"{entry['inputs']}.labels"])
        head = head_of(entry, kernels, dtype)

        logits = head.logits(embedding, labels)
        expected = np.stack([arrays[f"out.{key}.logits{i}"] for i in range(count)])
        np.testing.assert_allclose(logits.detach().numpy(), expected, rtol=0, atol=64e-5, err_msg=key)
        plain = sum(torch.nn.functional.cross_entropy(part, labels) for part in logits)

        loss = head(embedding, labels)
        loss.backward()
        for value in (loss.item(), plain.item()):
            if dtype == torch.float64:
                assert value == pytest.approx(entry["loss_f64"], rel=1e-9, abs=1e-9), key
            else:
                assert value == pytest.approx(entry["loss_f32"], rel=1e-5, abs=1e-5), key
        grads = {"grad_emb": embedding.grad.numpy()}
        for name, kernel in centres_to_reference(head.centres.grad).items():
            grads["grad_kernel" + name.removeprefix("para")] = kernel.numpy()
        for name, grad in grads.items():
            assert np.isfinite(grad).all(), (key, name)
            expected = arrays[f"out.{key}.{name}"]
            finite = np.isfinite(expected)
            replaced += (~finite).sum()
            # 1e-5 of the gradient's scale, float32 rounding of the reference included
            np.testing.assert_allclose(
                grad[finite], expected[finite], rtol=1e-5, atol=2e-5, err_msg=f"{key} {name}"
            )
    assert replaced > 100  # the reference's NaN are there, and ours are finite in their place


def test_where_the_reference_has_nan_ours_agrees_with_a_nearby_angle(shared: Path) -> None:
    """At |cos| = 1 of a non-target the gradient is that of the formula without the useless branch."""
    entries = json.loads((shared / "golden/heads.json").read_text())["entries"]
    arrays = np.load(shared / "golden/heads.npz")
    nan_entries = [
        entry for entry in entries if entry["case"].endswith("1_other") and "arcface" in entry["head"]
    ]
    assert nan_entries
    for entry in nan_entries:
        count = entry["N"] or 1
        kernels = [arrays[f"{entry['inputs']}.kernel{i}"] for i in range(count)]
        emb = torch.from_numpy(arrays[f"{entry['inputs']}.emb"]).double()
        labels = torch.from_numpy(arrays[f"{entry['inputs']}.labels"])
        head = head_of(entry, kernels, torch.float64)
        exact = emb.clone().requires_grad_()
        head(exact, labels).backward()
        near = (emb * (1 - 1e-7)).requires_grad_()
        literal_arcface(near, head.centres.detach(), labels, entry["params"]["m"]).backward()
        torch.testing.assert_close(exact.grad, near.grad, rtol=1e-4, atol=1e-4)


def literal_arcface(
    embedding: torch.Tensor, centres: torch.Tensor, labels: torch.Tensor, m: float
) -> torch.Tensor:
    """The reference's formula, own words of the notes beside the golden values, autograd throughout."""
    loss = embedding.new_zeros(())
    size = embedding.shape[1] // len(centres)
    for i, part in enumerate(centres):
        cos = embedding[:, i * size : (i + 1) * size] @ (part / part.norm(dim=1, keepdim=True)).T
        moved = cos * np.cos(m) - (1 - cos**2).sqrt() * np.sin(m)
        target = torch.where(cos > np.cos(np.pi - m), moved, cos - m * np.sin(m))
        own = torch.nn.functional.one_hot(labels, len(part)).bool()
        loss = loss + torch.nn.functional.cross_entropy(torch.where(own, target, cos) * 64, labels)
    return loss

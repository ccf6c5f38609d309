"""Learning from a teacher: every loss against its formula written slowly, finite differences, real ONNX teachers,
several processes, and runs that learn, stop and go on.
"""

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor
from torch.nn.functional import normalize
from typer.testing import CliRunner

from multiface.cli.main import app
from multiface.datasets.identities import identities_from_records
from multiface.errors import UsageError, WeightsError, WeightsMissing
from multiface.train import distil
from multiface.train.building import build_network
from multiface.train.crops import decode_pixels
from multiface.train.distil import distil_loss, find_teacher, open_teacher
from multiface.train.export import TrainedNetwork, export, input_spec
from multiface.train.heads.shards import shard_bounds
from multiface.train.loop import build_learner, train
from multiface.train.lr_finder import find_rate
from multiface.train.processes import Place
from multiface.train.recipe import DistilConfig, NetworkConfig, Recipe, recipe_from_toml, recipe_to_toml
from multiface.train.step import add_gradients, finish_step, to_input
from multiface.train.validation import embed_crops
from multiface.weights.spec import ARCFACE_TEMPLATE, InputSpec
from multiface.weights.store import Store
from tests.train.several import joined

CPU = torch.device("cpu")


def huber(a: Tensor, b: Tensor) -> Tensor:
    apart = (a - b).abs()
    return 0.5 * apart**2 if apart < 1 else apart - 0.5


def literal(config: DistilConfig, features: Tensor, taught: Tensor) -> Tensor:
    """The formulas, pair by pair and triple by triple."""
    count = len(features)
    x = [f / f.norm() for f in features]
    t = [f / f.norm() for f in taught]
    everyone = range(count)
    total = features.new_zeros(())
    if config.cosine:
        total = total + config.cosine * sum(1 - a @ b for a, b in zip(x, t, strict=True)) / count
    if config.squared:
        total = total + config.squared * ((features - taught) ** 2).sum() / features.numel()
    pairs = [(i, j) for i in everyone for j in everyone if i != j]
    if config.distances:
        mean = sum((x[i] - x[j]).norm() for i, j in pairs) / len(pairs)
        mean_of_teacher = sum((t[i] - t[j]).norm() for i, j in pairs) / len(pairs)
        for i, j in pairs:
            h = huber((x[i] - x[j]).norm() / mean, (t[i] - t[j]).norm() / mean_of_teacher)
            total = total + config.distances * h / len(pairs)
    if config.angles:
        triples = [(i, j, k) for i, j in pairs for k in everyone if k not in (i, j)]
        for i, j, k in triples:
            angles = [
                ((p[i] - p[j]) / (p[i] - p[j]).norm()) @ ((p[k] - p[j]) / (p[k] - p[j]).norm())
                for p in (x, t)
            ]
            total = total + config.angles * huber(angles[0], angles[1]) / len(triples)
    return total


CONFIGS = [
    DistilConfig("t", cosine=0.7),
    DistilConfig("t", squared=0.3),
    DistilConfig("t", distances=2.0),
    DistilConfig("t", angles=3.0),
    DistilConfig("t", 1.0, 2.0, 3.0, 4.0),
]


def batch(size: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    features = 3 * torch.randn(6, 5, generator=generator, dtype=torch.float64)
    return features.requires_grad_(), 20 * torch.randn(6, size, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.cosine}-{c.squared}-{c.distances}-{c.angles}")
def test_value_and_gradient_equal_the_formulas(config: DistilConfig) -> None:
    relational = not config.cosine and not config.squared
    for size in (5, 9) if relational else (5,):
        features, taught = batch(size)
        loss, want = distil_loss(config, features, taught), literal(config, features, taught)
        torch.testing.assert_close(loss, want, rtol=1e-11, atol=1e-12)
        (got,) = torch.autograd.grad(loss, features)
        (wanted,) = torch.autograd.grad(want, features)
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-11)
    assert torch.autograd.gradcheck(lambda x: distil_loss(config, x, taught), (features,), atol=1e-6)


def test_angles_are_compared_within_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six faces in groups of four: the mean over the 24 triples of the first four, and none of the last two."""
    monkeypatch.setattr(distil, "ANGLE_GROUP", 4)
    features, taught = batch()
    config = DistilConfig("t", angles=1.0)
    want = literal(config, features[:4], taught[:4])
    torch.testing.assert_close(distil_loss(config, features, taught), want)


@pytest.mark.parametrize("config", CONFIGS[:4], ids=str)
def test_a_perfect_pupil_has_nothing_to_learn(config: DistilConfig) -> None:
    features, _ = batch()
    same = features.detach().clone()
    if not config.squared:
        same = (
            7 * same @ torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64)).Q
            if not config.cosine
            else 7 * same
        )
    loss = distil_loss(config, features, same)
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert torch.autograd.grad(loss, features)[0].abs().max() < 1e-6


def test_faces_in_one_place_and_single_faces_give_finite_gradients() -> None:
    features = torch.ones(4, 5, requires_grad=True)
    taught = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    for count in (1, 2, 4):
        loss = distil_loss(CONFIGS[4], features[:count], taught[:count])
        (got,) = torch.autograd.grad(loss, features)
        assert torch.isfinite(loss) and torch.isfinite(got).all()


def test_several_processes_equal_one(tmp_path: Path) -> None:
    """7 faces as 4 + 3: the loss of all in both processes, and each the gradient of its own faces."""
    generator = torch.Generator().manual_seed(4)
    features = torch.randn(7, 5, generator=generator, dtype=torch.float64)
    taught = torch.randn(7, 5, generator=generator)

    def work(place: Place) -> None:
        first, last = shard_bounds(7, place.rank, 2)
        own = features[first:last].clone().requires_grad_()
        loss = distil_loss(CONFIGS[4], own, taught[first:last], place.group)
        (gradient,) = torch.autograd.grad(loss, own)
        torch.save((loss.detach(), gradient), tmp_path / f"{place.rank}.pt")

    assert joined(2, tmp_path / "out", work) == ["", ""]
    results = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    whole = features.clone().requires_grad_()
    want = literal(CONFIGS[4], whole, taught.double())
    (wanted,) = torch.autograd.grad(want, whole)
    for loss, _ in results:
        torch.testing.assert_close(loss, want.detach(), rtol=1e-6, atol=1e-7)
    got = torch.cat([gradient for _, gradient in results])
    torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-7)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", tmp_path / "cache")


def crops_of(records: Path) -> np.ndarray:
    pictures = identities_from_records(records)
    return np.stack([decode_pixels(pictures.read(i)) for i in range(8)])


def teacher_file(folder: Path, records: Path, colour: str = "rgb", seed: int = 7) -> Path:
    torch.manual_seed(seed)
    config = NetworkConfig(width=0.25, embedding=16)
    network = build_network(config)
    with torch.no_grad():  # batch norms with the statistics of real faces, as after training
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
                module.momentum = 1.0
        network.train()(torch.from_numpy(crops_of(records)).permute(0, 3, 1, 2).float() / 127.5 - 1)
    trained = TrainedNetwork(network.eval(), config, input_spec(colour, 16))
    export(folder / "teacher.onnx", trained, crops_of(records))
    return folder / "teacher.onnx"


def plain_file(folder: Path, spec: InputSpec) -> Path:
    """An embedder whose features are the means of each channel's rows."""
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["means"], axes=[3], keepdims=0),
        helper.make_node("Reshape", ["means", "shape"], ["features"]),
    ]
    shape = numpy_helper.from_array(np.array([-1, 3 * spec.height], np.int64), "shape")
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, spec.height, spec.width])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 3 * spec.height])],
        [shape],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
    onnx.save(model, folder / "plain.onnx")
    (folder / "plain.onnx.json").write_text(spec.to_json())
    return folder / "plain.onnx"


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_a_teacher_is_fed_as_its_spec_says(
    colour: str, tmp_path: Path, records: Path, store: Store, tiny_recipe: Callable[..., Recipe]
) -> None:
    """Against the network that the file was made of; and numbers by hand for a spec with other means."""
    file = teacher_file(tmp_path, records, colour)
    recipe = tiny_recipe(distil={"teacher": str(file), "cosine": 1.0})
    teacher = open_teacher(find_teacher(recipe, store), CPU)
    assert teacher is not None
    crops = torch.from_numpy(crops_of(records))
    torch.manual_seed(7)
    features = teacher.features(crops, CPU)
    assert features.shape == (8, 16) and not features.requires_grad
    trained = build_network(NetworkConfig(width=0.25, embedding=16))
    session_weights = {p.name: numpy_helper.to_array(p) for p in onnx.load(file).graph.initializer}
    state = trained.state_dict()
    for name, values in session_weights.items():
        state[name].copy_(torch.from_numpy(values.copy()).view_as(state[name]))
    wanted = embed_crops(trained.eval(), crops.numpy(), colour, False, CPU)
    torch.testing.assert_close(normalize(features), wanted, rtol=1e-4, atol=1e-5)

    spec = InputSpec(112, 112, "bgr", (10.0, 20.0, 30.0), (2.0, 4.0, 5.0), ARCFACE_TEMPLATE, 336)
    recipe = tiny_recipe(distil={"teacher": str(plain_file(tmp_path, spec)), "angles": 1.0})
    plain = open_teacher(find_teacher(recipe, store), CPU)
    assert plain is not None
    blue = (crops[3, 5, :, 2].double().mean() - 10) / 2
    assert plain.features(crops, CPU)[3, 5].item() == pytest.approx(blue.item(), rel=1e-5)


def test_teachers_that_cannot_teach_are_refused(
    tmp_path: Path, records: Path, store: Store, tiny_recipe: Callable[..., Recipe]
) -> None:
    file = str(teacher_file(tmp_path, records))
    assert find_teacher(tiny_recipe(), store) is None and open_teacher(None, CPU) is None
    narrow = tiny_recipe(distil={"teacher": file, "cosine": 1.0}, network={"embedding": 32})
    with pytest.raises(UsageError, match="set embedding = 16 under"):
        find_teacher(narrow, store)
    spec = InputSpec(160, 160, "rgb", (0.0,) * 3, (1.0,) * 3, ARCFACE_TEMPLATE, 480)
    large = tiny_recipe(distil={"teacher": str(plain_file(tmp_path, spec)), "angles": 1.0})
    with pytest.raises(UsageError, match="wanted a teacher that is fed the crops of this training"):
        find_teacher(large, store)
    spec = dataclasses.replace(spec, width=112, height=112, dimension=300)
    wrong = tiny_recipe(distil={"teacher": str(plain_file(tmp_path, spec)), "angles": 1.0})
    with pytest.raises(WeightsError):
        teacher = open_teacher(find_teacher(wrong, store), CPU)
        assert teacher is not None
        teacher.features(torch.from_numpy(crops_of(records)), CPU)
    with pytest.raises(WeightsMissing):
        find_teacher(tiny_recipe(distil={"teacher": str(tmp_path / "none.onnx"), "angles": 1.0}), store)
    for text, said in (
        ('teacher = "a"', "a teacher teaches nothing unless"),
        ("cosine = 1", "factors need a `teacher`"),
        ('teacher = "a"\nangles = -1', "at least 0"),
        ('teacher = "a"\ncosin = 1', "did you mean 'cosine'"),
    ):
        with pytest.raises(UsageError, match=said):
            recipe_from_toml("[distil]\n" + text)


def test_a_run_stops_and_resumes_to_the_bit(
    tmp_path: Path, records: Path, store: Store, tiny_recipe: Callable[..., Recipe]
) -> None:
    """The same bits after a stop; another teacher is refused, one that was moved is not."""
    file = teacher_file(tmp_path, records)
    pictures, place = identities_from_records(records), Place(CPU)
    short = {"epochs": 1.0}
    factors = {"teacher": str(file), "cosine": 20.0, "angles": 1.0, "distances": 1.0}
    recipe = tiny_recipe(distil=factors, schedule=short)
    assert recipe_from_toml(recipe_to_toml(recipe)) == recipe
    teacher = open_teacher(find_teacher(recipe, store), CPU)
    with pytest.raises(UsageError, match="must be opened"):
        train(recipe, tmp_path / "none", pictures, [], place)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert train(recipe, whole, pictures, [], place, teacher=teacher).finished
    train(recipe, cut, pictures, [], place, stop=iter([False, True]).__next__, teacher=teacher)

    other = tmp_path / "other"
    other.mkdir()
    other_recipe = tiny_recipe(
        distil=factors | {"teacher": str(teacher_file(other, records, seed=8))}, schedule=short
    )
    stranger = open_teacher(find_teacher(other_recipe, store), CPU)
    with pytest.raises(UsageError, match="has learned from another teacher"):
        train(other_recipe, cut, pictures, [], place, resume=True, teacher=stranger)
    weaker = tiny_recipe(distil=factors | {"cosine": 1.0}, schedule=short)
    with pytest.raises(UsageError, match=r"cosine = 1.0 \(was 20.0\)"):
        train(weaker, cut, pictures, [], place, resume=True, teacher=teacher)

    moved = tmp_path / "moved.onnx"
    moved.write_bytes(file.read_bytes())
    moved_recipe = tiny_recipe(distil=factors | {"teacher": str(moved)}, schedule=short)
    again = open_teacher(find_teacher(moved_recipe, store), CPU)
    assert train(moved_recipe, cut, pictures, [], place, resume=True, teacher=again).finished
    last = [sorted((run / "checkpoints").iterdir())[-1].read_bytes() for run in (whole, cut)]
    assert last[0] == last[1]


def test_a_network_learns_to_answer_as_its_teacher(
    tmp_path: Path, records: Path, store: Store, tiny_recipe: Callable[..., Recipe]
) -> None:
    recipe = tiny_recipe(
        distil={"teacher": str(teacher_file(tmp_path, records)), "cosine": 20.0, "angles": 1.0},
        optimiser={"rate": 0.02},
    )
    teacher = open_teacher(find_teacher(recipe, store), CPU)
    assert teacher is not None
    learner, _ = build_learner(recipe, identities_from_records(records), Place(CPU))
    crops = torch.from_numpy(crops_of(records))
    taught = teacher.features(crops, CPU)
    cosines = []
    for _ in range(30):
        pictures = to_input(crops, CPU, "rgb", False)
        loss, embedded = add_gradients(learner, pictures, torch.arange(8) // 5, taught=taught)
        finish_step(learner, loss)
        cosines.append((embedded.embedding.detach() * normalize(taught)).sum(1).mean().item())
    assert cosines[0] < 0.3 and max(cosines) > 0.4, cosines


def test_the_command_learns_from_a_teacher_and_resumes(
    tmp_path: Path, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`[distil]` as a user writes it: in a recipe's file, with the teacher as an ONNX file in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MULTIFACE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MULTIFACE_CACHE", str(tmp_path / "cache"))
    teacher_file(tmp_path, records)
    tiny = "[network]\nwidth = 0.1\nembedding = 16\n[schedule]\nepochs = 1\n[run]\nbatch = 6\nlog_every = 1\n"
    (tmp_path / "alone.toml").write_text(tiny)
    taught = '[distil]\nteacher = "teacher.onnx"\ncosine = 20.0\ndistances = 1.0\nangles = 1.0\n'
    (tmp_path / "taught.toml").write_text(tiny + taught)

    def run_command(recipe: str, run: str, *more: str) -> BaseException | None:
        """What the command ends with, None where all is well."""
        options = f"--data {records} --out {run} -w 0 --threads 1 --seed 4 -q".split()
        result = CliRunner().invoke(app, ["train", recipe, *options, *more])
        return result.exception

    def losses(run: str) -> list[float]:
        return [
            json.loads(line)["loss"] for line in (tmp_path / run / "metrics.jsonl").read_text().splitlines()
        ]

    assert run_command("alone.toml", "alone") is None
    assert run_command("taught.toml", "whole") is None
    # The same weights and faces at the first step, so the difference is the teacher's: three losses, at most 40, 1, 1.
    assert 1 < losses("whole")[0] - losses("alone")[0] < 42

    assert run_command("taught.toml", "cut", "--max-steps", "2") is None
    refused = run_command("alone.toml", "cut", "--resume")
    assert isinstance(refused, UsageError) and "teacher = '' (was 'teacher.onnx')" in str(refused)
    (tmp_path / "teacher.onnx").rename(tmp_path / "moved.onnx")
    gone = run_command("taught.toml", "cut", "--resume")
    assert isinstance(gone, WeightsError | WeightsMissing) and "teacher.onnx" in str(gone)
    (tmp_path / "moved.onnx").rename(tmp_path / "teacher.onnx")
    assert run_command("taught.toml", "cut", "--resume") is None
    assert losses("cut") == losses("whole")
    last = [(tmp_path / run / "last.safetensors").read_bytes() for run in ("whole", "cut")]
    assert last[0] == last[1]


def test_the_search_for_a_rate_sees_the_teachers_loss(
    tmp_path: Path, records: Path, store: Store, tiny_recipe: Callable[..., Recipe]
) -> None:
    recipe = tiny_recipe(distil={"teacher": str(teacher_file(tmp_path, records)), "cosine": 1000.0})
    pictures, place = identities_from_records(records), Place(CPU)
    teacher = open_teacher(find_teacher(recipe, store), CPU)
    taught, plain = (find_rate(recipe, pictures, place, steps=1, teacher=one) for one in (teacher, None))
    assert taught.losses[0] > plain.losses[0] + 100 and math.isfinite(taught.losses[0])

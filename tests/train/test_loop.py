"""A whole small run: what it learns, what it leaves in its folder, and how it stops when numbers break."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from multiface.datasets.bin_pack import write_bin
from multiface.datasets.identities import IdentitySet, identities_from_records
from multiface.errors import DataSetError, InputError, UsageError
from multiface.train.average import Average
from multiface.train.building import build_head, build_network, head_config
from multiface.train.checkpoint import checkpoints
from multiface.train.export import read_trained
from multiface.train.heads.margins import WITH_NORMS, AdaFace, ArcFace, CurricularFace, MagFace, Margin
from multiface.train.loop import Limits, Report, train
from multiface.train.processes import Place
from multiface.train.recipe import HeadSettings, NetworkConfig, Recipe, recipe_from_toml
from multiface.train.slice_losses import SliceLosses
from multiface.train.step import Embedded
from multiface.train.validation import ValidationSet, measure, open_validation_set
from multiface.weights.store import Store
from tests.train.whole_checkpoint import read_checkpoint


def place() -> Place:
    return Place(torch.device("cpu"))


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory, faces: list[tuple[int, bytes]]) -> Path:
    """40 pairs of the training people themselves: every second pair is of one person."""
    rng = np.random.default_rng(0)
    pictures, same = [], []
    for q in range(40):
        a = int(rng.integers(len(faces)))
        fits = [k for k, (who, _) in enumerate(faces) if k != a and (who == faces[a][0]) == (q % 2 == 0)]
        pictures += [faces[a][1], faces[int(rng.choice(fits))][1]]
        same.append(q % 2 == 0)
    path = tmp_path_factory.mktemp("pack") / "own.bin"
    write_bin(path, pictures, same)
    return path


def test_a_run_learns_and_its_folder_is_usable_as_weights(
    tmp_path: Path, records: Path, pack: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    recipe = tiny_recipe(schedule={"epochs": 8.0}, validation={"every": 2.0}, run={"accumulate": 2})
    run = tmp_path / "run"
    reports: list[Report] = []
    sets = [open_validation_set(pack, None)]
    outcome = train(
        recipe, run, identities_from_records(records), sets, place(),
        limits=Limits(profile=True), report=reports.append,
    )  # fmt: skip
    assert outcome.finished and outcome.steps == outcome.step == 30
    assert reports[-1].step == 30 and reports[-1].seconds_left == 0 and reports[-1].images_per_second > 0

    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["kind"] == "train"]
    assert [line["step"] for line in steps] == list(range(2, 31, 2))
    assert steps[-1]["loss"] < 0.7 * steps[0]["loss"]
    for line in steps:
        assert len(line["loss_slices"]) == 2 and line["rate"] <= 0.05
    measured = [line for line in lines if line["kind"] == "validation"]
    assert [line["step"] for line in measured] == [8, 16, 24, 30]
    best = max(line["accuracy"] for line in measured)
    assert outcome.best == best > 0.8
    assert [line["step"] for line in measured if line["best"]][-1] == next(
        line["step"] for line in measured if line["accuracy"] == best
    )
    last = measured[-1]
    low, high = last["accuracy_interval"]
    assert low <= last["accuracy"] <= high and set(last["tar_at_far"]) == {"0.01", "0.001"}
    assert last["genuine_angle"][0] < last["impostor_angle"][0]

    board = EventAccumulator(str(run / "tensorboard"))
    board.Reload()
    assert {"loss", "loss/slice 0", "loss/slice 1", "rate", "own/accuracy", "own/EER"} <= set(
        board.Tags()["scalars"]
    )
    assert board.Tags()["images"] == ["own/ROC"]
    assert set(board.Tags()["histograms"]) == {"own/genuine angle", "own/impostor angle"}
    assert json.loads((run / "trace-0.json").read_text())["traceEvents"]
    assert recipe_from_toml((run / "recipe.toml").read_text()) == recipe

    # The folder is weights at once: what ONNX Runtime gives is what PyTorch gave.
    file = Store(tmp_path / "store", tmp_path / "cache").embedder(str(run))
    assert file.spec.dimension == 16 and file.spec.colour == "rgb"
    again = measure(read_trained(run).network, sets[0], "rgb", False, place())
    assert again.result.accuracy == best


def test_validation_leaves_the_network_as_it_was_and_agrees_with_the_flips(pack: Path) -> None:
    torch.manual_seed(0)
    network = build_network(NetworkConfig(width=0.1, embedding=16)).train()
    network.bn.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    validation = open_validation_set(pack, None)
    plain, flipped = (measure(network, validation, "rgb", flip, place()) for flip in (False, True))
    assert network.training and not network.bn.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not np.array_equal(plain.scores, flipped.scores)
    mirrored = ValidationSet(validation.pairs, _Mirrored(validation))
    assert np.allclose(measure(network, mirrored, "rgb", True, place()).scores, flipped.scores, atol=1e-5)
    swapped = measure(network, ValidationSet(validation.pairs, _Swapped(validation)), "bgr", False, place())
    assert np.array_equal(swapped.scores, plain.scores)


class _Mirrored:
    def __init__(self, of: ValidationSet) -> None:
        self.of = of.faces

    def __len__(self) -> int:
        return len(self.of)

    def crops(self, start: int, stop: int) -> np.ndarray:
        return self.of.crops(start, stop)[:, :, ::-1]


class _Swapped(_Mirrored):
    def crops(self, start: int, stop: int) -> np.ndarray:
        return self.of.crops(start, stop)[..., ::-1]


def test_sets_that_cannot_be_measured_are_refused(tmp_path: Path) -> None:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (96, 112)).save(file, "JPEG")
    write_bin(tmp_path / "narrow.bin", [file.getvalue()] * 40, [True, False] * 10)
    with pytest.raises(DataSetError, match=r"narrow.bin: number 0 is 96 x 112"):
        open_validation_set(tmp_path / "narrow.bin", None)
    (tmp_path / "lfw").mkdir()
    with pytest.raises(DataSetError, match=r"pairs\.txt"):
        open_validation_set(tmp_path / "lfw", None)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_its_faces(
    tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    recipe = tiny_recipe(optimiser={"rate": 1e30}, schedule={"warmup_epochs": 0.0})
    pictures = identities_from_records(records)
    with pytest.raises(InputError, match=r"step \d+: the loss is .*diverged-step-\d+-process-0.npz"):
        train(recipe, tmp_path / "run", pictures, [], place())
    (file,) = (tmp_path / "run").glob("diverged-*.npz")
    saved = np.load(file)
    assert saved["pixels"].shape == (8, 112, 112, 3) and saved["pixels"].dtype == np.uint8
    assert np.array_equal(saved["labels"], pictures.labels[saved["samples"][:, 1]])


def test_unusable_pictures_are_named_once_and_counted(
    tmp_path: Path,
    faces: list[tuple[int, bytes]],
    write_records: Callable[[Path, list[tuple[int, bytes]]], Path],
    tiny_recipe: Callable[..., Recipe],
) -> None:
    spoilt = list(faces)
    spoilt[7] = (spoilt[7][0], b"broken")
    pictures = identities_from_records(write_records(tmp_path / "set", spoilt))
    run = tmp_path / "run"
    outcome = train(tiny_recipe(validation={"every": 9.0}), run, pictures, [], place(), limits=Limits(9))
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["picture"] for line in lines if line["kind"] == "skipped"] == [7] and outcome.unusable == 1
    assert read_checkpoint(checkpoints(run)[-1])[1].unusable == (7,)


@pytest.mark.parametrize(
    "changes",
    [
        {"run": {"precision": "bf16"}},
        {"run": {"precision": "fp16"}},
        {"run": {"channels_last": True}},
        {"head": {"margin": AdaFace()}},
        {"head": {"margin": MagFace()}},
        {"head": {"slices": 3, "drop_remainder": True}},
        {"data": {"colour": "bgr"}},
    ],
    ids=["bf16", "fp16", "channels_last", "adaface", "magface", "remainder", "bgr"],
)
def test_settings_run_and_resume(
    tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe], changes: dict[str, dict[str, object]]
) -> None:
    recipe = tiny_recipe(**{**changes, "validation": {"every": 9.0}})
    pictures = identities_from_records(records)
    for name, stops in (("whole", (4,)), ("cut", (2, 4))):
        for number, stop in enumerate(stops):
            train(recipe, tmp_path / name, pictures, [], place(), resume=number > 0, limits=Limits(stop))
    (a, pa), (b, pb) = (read_checkpoint(checkpoints(tmp_path / name)[-1]) for name in ("whole", "cut"))
    assert pa == pb and pa.step == 4
    assert all(torch.equal(a[name], b[name]) for name in a)
    if recipe.head.drop_remainder:
        assert a["head.centres"].shape == (3, 6, 5)


@pytest.mark.parametrize("label", [-1, 6])
def test_labels_that_are_nobodys_are_refused_before_anything_is_made(
    label: int, tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    """Once, at the opening: the head does not look, and a GPU would die of them."""
    pictures = identities_from_records(records)
    labels = pictures.labels.copy()
    labels[7] = label
    wrong = IdentitySet(labels, pictures.classes, pictures)
    with pytest.raises(
        DataSetError, match=r"says that it has 6 people, but has labels from -?\d to \d; .*0\.\.5"
    ):
        train(tiny_recipe(), tmp_path / "run", wrong, [], place())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("batch", "accumulate", "processes"), [(1, 1, 1), (4, 4, 1), (8, 4, 2), (8, 1, 5), (2, 1, 3)]
)
def test_a_single_face_a_part_is_refused_since_batch_norms_need_more(
    tmp_path: Path,
    records: Path,
    tiny_recipe: Callable[..., Recipe],
    batch: int,
    accumulate: int,
    processes: int,
) -> None:
    recipe = tiny_recipe()
    recipe = replace(recipe, run=replace(recipe.run, batch=batch, accumulate=accumulate))
    where = Place(torch.device("cpu"), 0, processes)
    with pytest.raises(UsageError, match="one face a part or none, and batch norms need two or more"):
        train(recipe, tmp_path / "run", identities_from_records(records), [], where)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("margin", [ArcFace(0.3), CurricularFace(momentum=0.3), AdaFace(), MagFace()])
@pytest.mark.parametrize("normalise", [False, True])
def test_losses_of_slices_add_up_to_the_heads(margin: Margin, normalise: bool) -> None:
    settings = HeadSettings(margin, slices=4, scale=16.0, normalise_slices=normalise)
    head = build_head(head_config(settings, 32, 5), 1.0, 0, None)
    generator = torch.Generator().manual_seed(0)
    embedding = torch.nn.functional.normalize(torch.randn(6, 32, generator=generator))
    labels, norms = torch.arange(6) % 5, 20 + torch.arange(6.0)
    given = norms if isinstance(margin, WITH_NORMS) else None
    if isinstance(margin, MagFace):
        head.eval()  # its reward is no slice's
    loss = head(embedding, labels, given).detach()
    losses = SliceLosses(head).of(Embedded(embedding, given), labels)
    assert len(losses) == 4 and math.fsum(losses) == pytest.approx(float(loss), rel=1e-5)


def test_the_average_is_the_literal_running_mean() -> None:
    torch.manual_seed(1)
    network = build_network(NetworkConfig(width=0.1, embedding=4))
    average = Average(network, 0.9)
    wanted = network.linear.weight.detach().clone()
    for step in range(30):
        with torch.no_grad():
            network.linear.weight.add_(torch.randn_like(network.linear.weight))
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        wanted = decay * wanted + (1 - decay) * network.linear.weight.detach()
    torch.testing.assert_close(average.network.linear.weight, wanted)

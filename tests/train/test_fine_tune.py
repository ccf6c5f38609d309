"""Fine-tuning: from a run or the original's file, frozen or slowed, with centres where the people's pictures
lie.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from multiface.datasets.identities import IdentitySet, identities_from_records
from multiface.errors import WeightsError
from multiface.train.building import build_head, build_network, head_config
from multiface.train.checkpoint import checkpoints
from multiface.train.crops import decode_crops
from multiface.train.export import TrainedNetwork, input_spec, write_safetensors
from multiface.train.fine_tune import PICTURES_A_PERSON, centres_from_pictures, load_start
from multiface.train.loop import Limits, train
from multiface.train.processes import Place
from multiface.train.recipe import HeadSettings, NetworkConfig, Recipe
from multiface.train.validation import embed_crops
from tests.train.whole_checkpoint import read_checkpoint

TINY = NetworkConfig(width=0.1, embedding=16)
CPU = torch.device("cpu")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(11)
    network = build_network(TINY).eval()
    path = tmp_path / "start.safetensors"
    write_safetensors(path, TrainedNetwork(network, TINY, input_spec("rgb", 16)))
    return path


def test_a_frozen_backbone_stays_and_a_slowed_one_moves_less(
    tmp_path: Path, records: Path, weights: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    pictures = identities_from_records(records)
    start = build_network(TINY)
    load_start(start, weights, "rgb")
    before = start.state_dict()
    moved = {}
    for rate in (0.0, 0.01, 1.0):
        settings = {"weights": str(weights), "backbone_rate": rate, "freeze_batch_norm": True}
        recipe = tiny_recipe(start=settings, validation={"every": 9.0})
        run = tmp_path / f"run-{rate}"
        train(recipe, run, pictures, [], Place(CPU), limits=Limits(3))
        state, _ = read_checkpoint(checkpoints(run)[-1])
        after = {name: state[f"network.{name}"] for name in before}
        moved[rate] = float(torch.dist(after["conv1.conv.weight"], before["conv1.conv.weight"]))
        assert not torch.equal(after["linear.weight"], before["linear.weight"])
        running = [name for name in before if "running" in name]
        assert all(torch.equal(after[name], before[name]) for name in running)
    assert moved[0.0] == 0 < moved[0.01] < 0.2 * moved[1.0]


def test_centres_begin_at_the_mean_of_each_persons_pictures(records: Path, weights: Path) -> None:
    pictures = identities_from_records(records)
    network = build_network(TINY)
    load_start(network, weights, "rgb")
    settings = HeadSettings(slices=3, drop_remainder=True)
    head = build_head(head_config(settings, 16, pictures.classes), 1.0, 0, None)
    centres_from_pictures(network, head, pictures, "rgb", CPU)
    crops = decode_crops([pictures.read(i) for i in range(len(pictures))], "all")
    embedding = embed_crops(network.eval(), crops, "rgb", False, CPU)
    for person in range(pictures.classes):
        mean = embedding[torch.from_numpy(pictures.labels == person)].mean(0)
        for number in range(3):
            wanted = normalize(mean[5 * number : 5 * number + 5], dim=0)
            torch.testing.assert_close(head.centres[number, person].detach(), wanted, atol=1e-5, rtol=1e-4)


def test_only_the_first_pictures_count_and_a_person_without_usable_ones_keeps_a_random_centre(
    tmp_path: Path,
    faces: list[tuple[int, bytes]],
    weights: Path,
    write_records: Callable[[Path, list[tuple[int, bytes]]], Path],
) -> None:
    many = [(0, faces[0][1])] * PICTURES_A_PERSON + [(0, faces[20][1])] * 3
    pictures = identities_from_records(
        write_records(tmp_path / "set", [*many, (1, b"broken"), (2, faces[9][1])])
    )
    network = build_network(TINY)
    load_start(network, weights, "rgb")
    head = build_head(head_config(HeadSettings(), 16, 3), 1.0, 0, None)
    random = head.centres.detach().clone()
    centres_from_pictures(network, head, pictures, "rgb", CPU)
    wanted = embed_crops(network, decode_crops([faces[0][1], faces[9][1]], ""), "rgb", False, CPU)
    torch.testing.assert_close(head.centres[0, [0, 2]].detach(), wanted, atol=1e-5, rtol=1e-4)
    assert torch.equal(head.centres[0, 1], random[0, 1])


def test_weights_that_do_not_fit_are_refused(tmp_path: Path, weights: Path) -> None:
    network = build_network(TINY)
    with pytest.raises(WeightsError, match="was trained on rgb pictures"):
        load_start(network, weights, "bgr")
    with pytest.raises(WeightsError, match="does not fit the network"):
        load_start(build_network(NetworkConfig(width=0.5, embedding=16)), weights, "rgb")
    with pytest.raises(WeightsError):
        load_start(network, tmp_path / "none.safetensors", "rgb")
    torch.save({f"module.{k}": v for k, v in network.state_dict().items()}, tmp_path / "model.pth")
    other = build_network(TINY)
    load_start(other, tmp_path / "model.pth", "bgr")
    assert torch.equal(other.linear.weight, network.linear.weight)


def test_few_pictures_a_person_are_learned_in_few_steps(
    tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    """From a network that knows these people, new centres fit at once: the first loss is far below.

    With live batch norms it is not: two people in a batch have other means than all.
    """
    pictures = identities_from_records(records)
    train(
        tiny_recipe(schedule={"epochs": 6.0}, validation={"every": 9.0}),
        tmp_path / "base",
        pictures,
        [],
        Place(CPU),
    )
    first = {}
    few = IdentitySet(pictures.labels[:10], 2, pictures)
    assert np.array_equal(few.labels, [0] * 5 + [1] * 5)
    for known in (True, False):
        settings = {
            "weights": str(tmp_path / "base"),
            "centres_from_pictures": known,
            "freeze_batch_norm": True,
        }
        recipe = tiny_recipe(start=settings, run={"log_every": 1}, validation={"every": 99.0})
        run = tmp_path / f"few-{known}"
        train(recipe, run, few, [], Place(CPU), limits=Limits(1))
        first[known] = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])["loss"]
    assert first[True] < 0.75 * first[False]

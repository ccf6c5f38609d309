"""The vision transformer: against torch's own encoder layers, in its published shape, exported, trained by AdamW."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import relu6

from multiface.datasets.identities import identities_from_records
from multiface.errors import UsageError
from multiface.train.building import build_network
from multiface.train.checkpoint import checkpoints, open_checkpoint
from multiface.train.crops import decode_pixels
from multiface.train.export import TrainedNetwork, check_agreement, export, input_spec, read_trained, to_onnx
from multiface.train.heads.head import Head, HeadConfig
from multiface.train.heads.margins import CosFace, UniFace
from multiface.train.loop import build_learner, train
from multiface.train.networks.vit import DropPath, VisionTransformer, VitUnit
from multiface.train.optimiser import build_optimiser, groups, step_rows
from multiface.train.processes import Place
from multiface.train.recipe import NetworkConfig, OptimiserConfig, Recipe, load_recipe, recipe_from_toml
from multiface.train.step import add_gradients, finish_step
from multiface.weights.session import Engine, open_session

SMALL = NetworkConfig("vit", embedding=16, width=0.25, depth=12)
CPU = torch.device("cpu")


def network_of(config: NetworkConfig = SMALL) -> VisionTransformer:
    torch.manual_seed(5)
    network = build_network(config)
    assert isinstance(network, VisionTransformer)
    for parameter in network.parameters():  # norms and biases as after training
        if parameter.ndim == 1:
            with torch.no_grad():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return network


def encoder_of(one: VitUnit) -> nn.Module:
    """The same unit by torch."""
    channels = one.mlp.fc1.in_features
    layer = nn.TransformerEncoderLayer(
        channels, one.attn.heads, 4 * channels, 0.0, relu6, batch_first=True, norm_first=True
    )
    with torch.no_grad():
        layer.self_attn.in_proj_weight.copy_(one.attn.qkv.weight)
        layer.self_attn.in_proj_bias.zero_()
    pairs = (
        (layer.self_attn.out_proj, one.attn.proj),
        (layer.linear1, one.mlp.fc1),
        (layer.linear2, one.mlp.fc2),
        (layer.norm1, one.norm1),
        (layer.norm2, one.norm2),
    )
    for mine, theirs in pairs:
        mine.load_state_dict(theirs.state_dict())
    return layer.train()  # its fast path in evaluation is another computation


def test_features_and_gradients_equal_torchs_encoder() -> None:
    network = network_of().eval().double()
    pictures = torch.randn(2, 3, 112, 112, dtype=torch.float64, requires_grad=True)
    # Patches by hand, row by row.
    weight = network.tokens.proj.weight.flatten(1)
    tokens = torch.stack(
        [
            pictures[:, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8].flatten(1) @ weight.T
            for row in range(14)
            for column in range(14)
        ],
        1,
    )
    tokens = tokens + network.tokens.proj.bias + network.tokens.position
    for one in network.units:
        assert isinstance(one, VitUnit)
        tokens = encoder_of(one).double()(tokens)
    want = network.feature(
        nn.functional.layer_norm(tokens, (128,), network.norm.weight, network.norm.bias).flatten(1)
    )
    got = network.features(pictures)
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9)
    a, b = (torch.autograd.grad(one.square().sum(), pictures)[0] for one in (got, want))
    torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


def test_the_published_shape() -> None:
    """S and B as InsightFace counts them, but for the tokens: 196 patches of 8 x 8, not 144 of 9 x 9."""
    with torch.device("meta"):
        for depth in (12, 24):
            network = VisionTransformer(depth)
            unit = 512 * 1536 + 512 * 512 + 512 + 2 * 512 * 2048 + 2048 + 512 + 4 * 512
            ends = 3 * 64 * 512 + 512 + 196 * 512 + 2 * 512 + 196 * 512 * 512 + 512 * 512 + 4 * 512
            assert sum(p.numel() for p in network.parameters()) == depth * unit + ends
            assert (len(network.blocks), network.blocks[0].attn.heads, network.embedding_size) == (
                depth,
                8,
                512,
            )
    *_, linear, norm = VisionTransformer(12, 512, 0.125).feature
    assert isinstance(norm, nn.BatchNorm1d) and linear.bias is None


def test_drop_path_keeps_the_mean_and_falls_on_whole_faces() -> None:
    torch.manual_seed(0)
    drop = DropPath(0.25)
    ones = torch.ones(4000, 3, 2)
    found = drop(ones)
    assert found.mean().item() == pytest.approx(1, abs=0.03)
    assert found.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (found.flatten(1).std(1) == 0).all()
    assert torch.equal(drop.eval()(ones), ones)
    shares = [one.drop.share for one in VisionTransformer(12, 8, 0.125, 0.11).blocks]
    assert shares == pytest.approx([0.01 * number for number in range(12)])


@pytest.fixture(scope="module")
def crops(records: Path) -> np.ndarray:
    pictures = identities_from_records(records)
    return np.stack([decode_pixels(pictures.read(i)) for i in range(4)])


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_onnx_gives_what_pytorch_gives(colour: str, crops: np.ndarray, tmp_path: Path) -> None:
    network = network_of()
    with torch.no_grad():
        network.train()(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1)
    trained = TrainedNetwork(network.eval(), SMALL, input_spec(colour, 16))
    assert export(tmp_path / "vit.onnx", trained, crops) > 0.999999
    assert check_agreement(to_onnx(trained), trained, crops) > 0.999999
    session = open_session(tmp_path / "vit.onnx", Engine(threads=1))
    given = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1
    for rows in (1, 3, 4):
        (got,) = session.run(None, {"input": given[:rows].numpy()})
        with torch.no_grad():
            torch.testing.assert_close(
                torch.from_numpy(got), network.features(given[:rows]), rtol=1e-4, atol=1e-4
            )


def adamw(**settings: float) -> OptimiserConfig:
    return OptimiserConfig(kind="adamw", weight_decay=0.05, last_weight_decay=0.1, **settings)


def test_adamw_decays_no_norm_bias_or_position() -> None:
    network, head = network_of(), Head(HeadConfig(6, CosFace(), 16))
    names = {id(p): name for name, p in network.named_parameters()} | {id(head.centres): "centres"}
    decay = {
        names[id(p)]: group.weight_decay
        for group in groups(network, head, adamw(), 1.0)
        for p in group.parameters
    }
    assert decay.keys() == set(names.values())
    assert {name for name, value in decay.items() if value == 0.1} == {
        "feature.0.weight", "feature.2.weight", "centres"
    }  # fmt: skip
    decayed = {"tokens.proj.weight"} | {
        f"blocks.{number}.{name}.weight"
        for number in range(12)
        for name in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    }
    assert {name for name, value in decay.items() if value == 0.05} == decayed
    assert decay["tokens.position"] == decay["norm.weight"] == decay["blocks.3.mlp.fc1.bias"] == 0
    uniface = Head(HeadConfig(6, UniFace(), 16))
    (of_head,) = (g for g in groups(network, uniface, adamw(), 1.0) if g.name == "centres")
    assert of_head.parameters == (uniface.centres, uniface.threshold)


def test_adamw_follows_the_papers_algorithm() -> None:
    """Loshchilov & Hutter 2019, algorithm 2, number by number, with a decay that does not pass through the memories."""
    network, head = network_of(), Head(HeadConfig(6, CosFace(), 16)).double()
    optimiser = build_optimiser(groups(network, head, adamw(rate=0.01), 1.0), adamw(rate=0.01))
    theta = head.centres.detach().flatten().tolist()
    m, v = [0.0] * len(theta), [0.0] * len(theta)
    for step in range(1, 4):
        gradient = torch.randn(head.centres.shape, dtype=torch.float64)
        head.centres.grad = gradient.clone()
        optimiser.step()
        for i, g in enumerate(gradient.flatten().tolist()):
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g * g
            mean, square = m[i] / (1 - 0.9**step), v[i] / (1 - 0.999**step)
            theta[i] -= 0.01 * (mean / (square**0.5 + 1e-8)) + 0.01 * 0.1 * theta[i]
        assert head.centres.flatten().tolist() == pytest.approx(theta, rel=1e-9)


def test_a_step_of_rows_is_adamws_and_the_others_stay() -> None:
    """Against torch's AdamW on the rows alone; the steps count for all rows together."""
    whole = nn.Parameter(torch.rand(2, 6, 3))
    settings = {"lr": 0.1, "weight_decay": 0.1}
    optimiser = torch.optim.AdamW([whole], **settings)
    singles = [nn.Parameter(whole.detach()[:, row].clone()) for row in range(6)]
    oracles = [torch.optim.AdamW([single], **settings) for single in singles]
    for step, rows in enumerate(([0, 2, 5], [2, 3], [0, 1, 2, 3], [5])):
        gradient = torch.rand(2, len(rows), 3)
        step_rows(optimiser, whole, torch.tensor(rows), gradient)
        for place, row in enumerate(rows):
            single, oracle = singles[row], oracles[row]
            single.grad = gradient[:, place].clone()
            if not oracle.state:  # zeros, as if it had been left out so far
                oracle.state[single] = {name: torch.zeros_like(single) for name in ("exp_avg", "exp_avg_sq")}
            oracle.state[single]["step"] = torch.tensor(float(step))
            oracle.step()
        torch.testing.assert_close(whole.detach(), torch.stack([one.detach() for one in singles], 1))


def vit_recipe(tiny_recipe: Callable[..., Recipe], **run: object) -> Recipe:
    return tiny_recipe(
        network={"name": "vit", "depth": 12, "width": 0.125, "drop_path": 0.1},
        optimiser={"kind": "adamw", "rate": 0.001, "average": 0.9, "clip": 1.0},
        schedule={"epochs": 1.0},
        run={"checkpoint_every": 2, **run},
    )


def test_a_run_by_adamw_is_stopped_and_resumed_to_the_bit(
    tiny_recipe: Callable[..., Recipe], records: Path, tmp_path: Path
) -> None:
    recipe = vit_recipe(tiny_recipe, batch=10)
    pictures, place = identities_from_records(records), Place(CPU)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert train(recipe, whole, pictures, [], place).finished
    train(recipe, cut, pictures, [], place, stop=lambda: True)
    assert train(recipe, cut, pictures, [], place, resume=True).finished
    assert checkpoints(whole)[-1].read_bytes() == checkpoints(cut)[-1].read_bytes()
    assert (whole / "best.onnx").read_bytes() == (cut / "best.onnx").read_bytes()
    file, position = open_checkpoint(checkpoints(whole)[-1])
    assert file.whole("optimiser.steps").item() == position.step == 3
    assert {"squares.head.centres", "squares.network.tokens.position", "momentum.head.centres"} <= set(
        file.shapes
    )
    file.close()
    assert read_trained(whole).config == recipe.network


def test_activation_checkpoints_change_nothing(tiny_recipe: Callable[..., Recipe], records: Path) -> None:
    """Stochastic depth draws the same faces the second time."""
    pictures = identities_from_records(records)
    crops = torch.randn(4, 3, 112, 112, generator=torch.Generator().manual_seed(1))
    found = []
    for again in (False, True):
        recipe = vit_recipe(tiny_recipe, activation_checkpoints=again)
        learner, _ = build_learner(recipe, pictures, Place(CPU))
        torch.manual_seed(3)
        loss, _ = add_gradients(learner, crops, torch.tensor([0, 1, 2, 3]))
        finish_step(learner, loss)
        found.append(learner.network.state_dict())
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())


def test_settings_that_cannot_be_meant_are_refused() -> None:
    for text, said in (
        ('[network]\nname = "vit"\ndepth = 50', "the depths of vit are 12, 24"),
        ('[optimiser]\nkind = "adam"', "must be one of sgd, adamw"),
        ('[optimiser]\nkind = "adamw"\nnesterov = true', "nesterov belongs to sgd"),
        ("[optimiser]\nsquares = 1.0", "below 1"),
    ):
        with pytest.raises(UsageError, match=said):
            recipe_from_toml(text)
    for settings in ({"depth": 13}, {"embedding_size": 0}, {"width": 0.0}, {"drop_path": 1.0}):
        with pytest.raises(UsageError):
            VisionTransformer(**{"depth": 12, **settings})  # type: ignore[arg-type]
    recipe = load_recipe("vit_b_8gpus")
    assert (recipe.network.depth, recipe.optimiser.kind, recipe.optimiser.weight_decay) == (24, "adamw", 0.1)
    assert recipe.run.batch == 8 * 12 * 256 and recipe.run.accumulate == 12

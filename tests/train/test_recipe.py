"""Recipes: what is read, what is refused, and that the shipped ones are what they say."""

import dataclasses
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiface.cli.train_commands import Overrides, apply_options
from multiface.errors import UsageError
from multiface.train.heads.margins import ArcFace, Combined, CosFace, CurricularFace, Margin, Softmax
from multiface.train.recipe import (
    DataConfig,
    HeadSettings,
    OptimiserConfig,
    Recipe,
    RunConfig,
    load_recipe,
    margin_named,
    recipe_from_toml,
    recipe_to_toml,
    shipped_recipes,
)

PUBLISHED: dict[str, tuple[Margin, int]] = {
    "mobilefacenet_softmax": (Softmax(), 1),
    "mobilefacenet_multi_softmax_4": (Softmax(), 4),
    "mobilefacenet_arcface": (ArcFace(0.5), 1),
    "mobilefacenet_multi_arcface_2": (ArcFace(0.3), 2),
    "mobilefacenet_cosface": (CosFace(0.35), 1),
    "mobilefacenet_multi_cosface_2": (CosFace(0.35), 2),
    "mobilefacenet_multi_cosface_4": (CosFace(0.35), 4),
    "ir_se_50_arcface": (ArcFace(0.5), 1),
    "ir_se_50_multi_arcface_2": (ArcFace(0.3), 2),
    "ir_se_50_cosface": (CosFace(0.35), 1),
    "ir_se_50_multi_cosface_2": (CosFace(0.35), 2),
}


@given(
    st.builds(
        Recipe,
        data=st.builds(DataConfig, folders=st.lists(st.text(max_size=12), max_size=3).map(tuple)),
        head=st.builds(
            HeadSettings,
            margin=st.sampled_from(
                [Softmax(), ArcFace(0.123456789), Combined(1.1, 0.2, 0.3), CurricularFace()]
            ),
            slices=st.sampled_from([1, 2, 4]),
            average=st.booleans(),
        ),
        optimiser=st.builds(OptimiserConfig, rate=st.floats(1e-9, 10), clip=st.floats(0, 1e9)),
        run=st.builds(RunConfig, seed=st.integers(0, 2**62 - 1), batch=st.integers(1, 10**6)),
    )
)
def test_what_is_written_is_read_back_equal(recipe: Recipe) -> None:
    assert recipe_from_toml(recipe_to_toml(recipe)) == recipe


def test_a_written_recipe_is_complete() -> None:
    tables = tomllib.loads(recipe_to_toml(Recipe(head=HeadSettings(ArcFace()))))
    for section in dataclasses.fields(Recipe):
        wanted = {entry.name for entry in dataclasses.fields(getattr(Recipe(), section.name))}
        assert wanted <= set(tables[section.name]), section.name
    assert tables["head"]["kind"] == "arcface" and tables["head"]["margin"] == {"margin": 0.5}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[run]\nbach = 3", r"\[run\] has no setting 'bach' \(did you mean 'batch'\?\)"),
        ("[optimizer]\nrate = 1", "no setting 'optimizer' .did you mean 'optimiser'"),
        ("run = 3", r"written \[run\]"),
        ("[run]\nbatch = '3'", "batch must be a whole number"),
        ("[run]\nbatch = 3.5", "batch must be a whole number"),
        ("[run]\nbatch = true", "batch must be a whole number"),
        ("[run]\nbatch = 9\naccumulate = 2", "equal parts"),
        ("[network]\nname = 'resnet'", "one of mobilefacenet, ir, ir_se"),
        ("[network]\ndepth = 49", "one of 12, 18, 24, 34, 50, 100, 152"),
        ("[network]\nname = 'ir'\nembedding = 128", "512 dimensions"),
        ("[head]\nslices = 3", "3 slices do not divide an embedding of 512.*drop_remainder = true"),
        ("[head]\nslices = 513\ndrop_remainder = true", "too many"),
        ("[head]\nkind = 'arcfase'", "did you mean 'arcface'"),
        ("[head]\nkind = 'arcface'\nmargin = 0.3", r"\[head.margin\]"),
        ("[head]\nkind = 'arcface'\n[head.margin]\nm = 0.3", "no setting 'm'"),
        ("[head]\nkind = 'arcface'\n[head.margin]\nmargin = 9", "within"),
        ("[schedule]\nmilestones = 3", "must be a list"),
        ("[augment]\nflip = 1.5", "augment: flip must be within 0..1"),
        ("[start]\nbackbone_rate = 0.1", "needs `weights`"),
        ("[data", "is not TOML"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        recipe_from_toml(text)


def test_a_remainder_may_be_dropped_where_that_is_said() -> None:
    assert recipe_from_toml("[head]\nslices = 3\ndrop_remainder = true").head.slices == 3


def test_shipped_recipes_are_known_by_name_and_a_wrong_name_is_helped() -> None:
    assert set(PUBLISHED) | {"modern", "small", "r50_8gpus", "r100_8gpus", "vit_b_8gpus"} == set(
        shipped_recipes()
    )
    with pytest.raises(UsageError, match="did you mean 'mobilefacenet_arcface'"):
        load_recipe("mobilefacenet_arcfac")


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_published_rows_have_the_originals_settings(name: str) -> None:
    recipe = load_recipe(name)
    margin, slices = PUBLISHED[name]
    assert (recipe.head.margin, recipe.head.slices, recipe.head.scale) == (margin, slices, 64.0)
    assert (recipe.run.batch, recipe.optimiser.rate, recipe.optimiser.momentum) == (180, 0.05, 0.9)
    assert recipe.schedule.milestones == (12, 15, 18) and recipe.schedule.factor == 0.1
    decays = (recipe.optimiser.weight_decay, recipe.optimiser.last_weight_decay)
    assert decays == ((4e-5, 4e-4) if name.startswith("mobilefacenet") else (5e-4, 5e-4))
    assert recipe.augment.flip == 0.5 and recipe.augment.crop == 0
    assert recipe.network.embedding == 512 and recipe.network.dropout == 0.6 and recipe.network.depth == 50


def test_the_command_line_of_the_original() -> None:
    """multiface train --net mobilefacenet -b 200 -w 4 -e 10 --lr 0.1 --head arcface --spheres 2."""
    given = Overrides(
        net="mobilefacenet", batch=200, workers=4, epochs=10, lr=0.1, head="arcface", spheres=2, seed=3
    )
    recipe = apply_options(Recipe(), given)
    assert (recipe.run.batch, recipe.data.workers, recipe.optimiser.rate, recipe.run.seed) == (200, 4, 0.1, 3)
    assert recipe.head == HeadSettings(ArcFace(0.3), slices=2)
    assert recipe.schedule.epochs == 10 and recipe.schedule.milestones == (6, 7.5, 9)
    assert apply_options(Recipe(), Overrides(batch=45)).optimiser.rate == pytest.approx(0.1 / 4)
    ir = apply_options(Recipe(), Overrides(net="ir_se", depth=100, head="cosface", margin=0.4))
    assert (ir.network.name, ir.network.depth) == ("ir_se", 100) and ir.head.margin == CosFace(0.4)
    assert (ir.optimiser.weight_decay, ir.optimiser.last_weight_decay) == (5e-4, 5e-4)
    assert apply_options(Recipe(), Overrides()) == Recipe()
    for wrong in (
        Overrides(net="resnet"),
        Overrides(depth=50),
        Overrides(net="ir", depth=7),
        Overrides(spheres=3),
    ):
        with pytest.raises(UsageError):
            apply_options(Recipe(), wrong)


@pytest.mark.parametrize(("batch", "rate"), [(180, 0.05), (360, 0.1), (1440, 0.4), (90, 0.025)])
def test_another_batch_changes_the_rate_in_proportion_unless_a_rate_is_given(batch: int, rate: float) -> None:
    """The linear scaling rule; the batch of the recipe itself, as when a run is resumed, changes nothing."""
    base = load_recipe("mobilefacenet_cosface")
    assert apply_options(base, Overrides(batch=batch)).optimiser.rate == pytest.approx(rate)
    assert apply_options(base, Overrides(batch=batch, lr=0.3)).optimiser.rate == 0.3
    once = apply_options(base, Overrides(batch=batch))
    assert apply_options(once, Overrides(batch=batch)) == once


def test_margins_are_known_by_name() -> None:
    assert margin_named("combined", multiply=1.0, subtract=0.1) == Combined(1.0, 0.3, 0.1)
    with pytest.raises(UsageError, match="unknown margin 'sphereface'"):
        margin_named("sphereface")

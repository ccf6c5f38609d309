"""Every shipped recipe loads and learns two steps. Only the batch is smaller, and the precision full:
processors without bfloat16 of their own take minutes for it (test_step.py has the half precisions)."""

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from multiface.datasets.identities import identities_from_records
from multiface.train.batches import Share, batches
from multiface.train.loop import build_learner
from multiface.train.optimiser import set_rate
from multiface.train.processes import Place, seed_step
from multiface.train.recipe import load_recipe, shipped_recipes
from multiface.train.schedule import rate_factor_of_step
from multiface.train.step import add_gradients, set_mode, to_input, update

FIFTY = "ir_se_50_multi_arcface_2"
"""The recipe that learns with its fifty layers; the others learn with eighteen of the same."""


@pytest.mark.parametrize("name", shipped_recipes())
def test_two_steps(name: str, records: Path) -> None:
    recipe = load_recipe(name)
    if recipe.network.depth == 50 and name != FIFTY:
        recipe = dataclasses.replace(recipe, network=dataclasses.replace(recipe.network, depth=18))
    recipe = dataclasses.replace(recipe, run=dataclasses.replace(recipe.run, batch=2, precision="float32"))
    pictures = identities_from_records(records)
    place = Place(torch.device("cpu"))
    learner, average = build_learner(recipe, pictures, place)
    set_mode(learner.network, recipe.start)
    before = [p.detach().clone() for p in learner.network.parameters()]
    stream = batches(pictures, recipe.augment, Share(2, 1, 0, 1), 0, range(2), 0)
    for step, part in enumerate(stream):
        seed_step(0, step, 0)
        factor = rate_factor_of_step(recipe.schedule, step, len(pictures), 2)
        set_rate(learner.optimiser, recipe.optimiser.rate * factor)
        given = to_input(part.pixels, place.device, recipe.data.colour, recipe.run.channels_last)
        loss, embedded = add_gradients(learner, given, part.labels, 1)
        assert math.isfinite(loss) and embedded.embedding.shape == (2, recipe.network.embedding)
        assert math.isfinite(update(learner))
        if average is not None:
            average.update(learner.network, step)
    changed = [not torch.equal(a, b) for a, b in zip(before, learner.network.parameters(), strict=True)]
    assert all(changed)

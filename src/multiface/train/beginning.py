"""How a run begins: its folder, where it goes on, its first weights, and that all processes are of the same run.

The first process decides: it alone looks at the run folder, and tells the others the step. So a folder that only its
machine sees, or other machines' folders with checkpoints of their own, do no harm.

A resume refuses settings that change what is learned. The rest may change, and is told in the log:
- where data, validation packs and a teacher lie, `workers`, `log_every`, `checkpoint_every`, `keep`, what is validated
  and how often (after another first pack, or with `flip` changed, the best score is looked for anew);
- `channels_last`, `compile`, `activation_checkpoints`: the same sums in another order, or made twice;
- `accumulate`: the gradient is that of the same mean. Batch norms see other groups of faces, as they do with another
  number of processes, which may change too; and eight processes with one part each have the same groups as four
  with two, which is what a run needs that moves to fewer GPUs.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from multiface.atomic_write import write_whole
from multiface.datasets.identities import IdentitySet
from multiface.errors import DataSetError, UsageError
from multiface.json_text import document_of, parse_json, record_from
from multiface.regular_file import read_regular_text
from multiface.train.agreement import agree, digest_of_labels, tell
from multiface.train.average import Average
from multiface.train.checkpoint import (
    FOLDER,
    Position,
    checkpoints,
    equal_everywhere,
    open_checkpoint,
    restore,
)
from multiface.train.export import weights_sha256
from multiface.train.fine_tune import centres_from_pictures, load_start
from multiface.train.processes import Place
from multiface.train.recipe import (
    DataConfig,
    Recipe,
    RunConfig,
    ValidationConfig,
    recipe_from_toml,
    recipe_to_toml,
)
from multiface.train.step import Learner
from multiface.train.validation import ValidationSet

RECIPE = "recipe.toml"


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the first process decided. position: where the run stands. checkpoint: the file's name, "" for a run from
    its start. changed: settings that are other ones than before, in words.
    """

    position: Position
    checkpoint: str = ""
    changed: tuple[str, ...] = ()


def start_run(
    recipe: Recipe, run: Path, pictures: IdentitySet, place: Place, resume: bool, teacher: str = ""
) -> Beginning:
    """Makes the run folder with its recipe, or opens the one that is there, in the first process; the same answer in
    all.

    teacher: the fingerprint of a teacher, "" without one.
    Raises, in the first process: UsageError where there is a run already and `resume` is off, where the settings
    change what is learned, or the folder cannot be written; DataSetError for other data; WeightsError for a broken
    checkpoint.
    """
    decided = _decide(recipe, run, pictures, resume, teacher) if place.first else None
    told = tell(place, None if decided is None else json.dumps(document_of(decided)))
    return record_from(parse_json(told), Beginning)


def load_beginning(
    recipe: Recipe,
    run: Path,
    beginning: Beginning,
    pictures: IdentitySet,
    learner: Learner,
    average: Average | None,
) -> Average | None:
    """Fills a learner from the checkpoint, or with first weights; the average that belongs to it."""
    if not beginning.checkpoint:
        return first_weights(recipe, pictures, learner, average)
    file = open_checkpoint(run / FOLDER / beginning.checkpoint)[0] if learner.place.first else None
    try:
        restore(learner, average, file, beginning.checkpoint)
    finally:
        if file is not None:
            file.close()
    return average


def first_weights(
    recipe: Recipe, pictures: IdentitySet, learner: Learner, average: Average | None
) -> Average | None:
    """The weights that the recipe starts from, where it names any; the average of these.

    Raises WeightsError where they are missing, broken or do not fit.
    """
    if not recipe.start.weights:
        return average
    colour = recipe.data.colour
    load_start(learner.network, Path(recipe.start.weights), colour)
    if recipe.start.centres_from_pictures:
        centres_from_pictures(learner.network, learner.head, pictures, colour, learner.place.device)
    return None if average is None else Average(learner.network, recipe.optimiser.average)


def check_agreement(
    recipe: Recipe,
    pictures: IdentitySet,
    sets: Sequence[ValidationSet],
    learner: Learner,
    average: Average | None,
    steps: range,
    teacher: str = "",
) -> None:
    """Raises UsageError, in every process, where the processes differ in what must be the same.

    steps: to be done in this call. teacher: its fingerprint, "" without one.
    """
    if learner.place.group is None:
        return
    same_everywhere = replace(
        recipe,
        data=DataConfig(colour=recipe.data.colour),
        validation=replace(recipe.validation, sets=()),
        start=_anywhere(recipe).start,
        distil=_anywhere(recipe).distil,
    )
    agree(
        learner.place,
        {
            "first and last step": f"{steps.start} {steps.stop}",
            "recipe": recipe_to_toml(same_everywhere),
            "teacher": teacher,
            "labels": f"{pictures.classes} {digest_of_labels(pictures.labels)}",
            "validation sets": " ".join(
                f"{len(one.faces)} {digest_of_labels(one.pairs.issame.astype(np.int64))}" for one in sets
            ),
            "weights": weights_sha256(equal_everywhere(learner, average)),
        },
    )


def _decide(recipe: Recipe, run: Path, pictures: IdentitySet, resume: bool, teacher: str) -> Beginning:
    file = run / RECIPE
    there = checkpoints(run)
    if there and not resume:
        raise UsageError(
            f"{run}: there is a run already",
            path=run,
            hint="add --resume to go on with it, or choose another --out",
        )
    labels = digest_of_labels(pictures.labels)
    position = Position(0, len(pictures), pictures.classes, None, (), 0.0, 0, labels, teacher)
    before = recipe_from_toml(read_regular_text(file), str(file)) if resume and file.is_file() else None
    changed: tuple[str, ...] = ()
    if before is not None:
        refused = _differences(before, recipe, lambda one: _mathematics(one, bool(there)))
        if refused:
            raise UsageError(
                f"{run}: was started with other settings (see its {RECIPE}): {'; '.join(refused)}",
                path=run,
                hint="resume it with those",
            )
        changed = _differences(before, recipe)
    if there:
        opened, position = open_checkpoint(there[-1])
        opened.close()
        _check_data(run, position, pictures, labels)
        if position.teacher != teacher:
            raise UsageError(
                f"{run}: has learned from another teacher, or from none (fingerprint "
                f"{position.teacher[:16] or 'none'}, now {teacher[:16] or 'none'})",
                path=run,
                hint="resume it with the same file under [distil]",
            )
        position = replace(position, labels=labels)
        if before is not None and _judge(before) != _judge(recipe):
            position = replace(position, best=None)
    if before != recipe:
        try:
            run.mkdir(parents=True, exist_ok=True)
            write_whole(file, recipe_to_toml(recipe).encode())
        except OSError as error:
            raise UsageError(
                f"{run}: cannot be written ({error.strerror})", path=run, hint="choose another --out"
            ) from error
    return Beginning(position, there[-1].name if there else "", changed)


def _check_data(run: Path, position: Position, pictures: IdentitySet, labels: str) -> None:
    if (position.pictures, position.classes) != (len(pictures), pictures.classes):
        raise DataSetError(
            f"{run}: was trained on {position.pictures} pictures of {position.classes} people, the data now has "
            f"{len(pictures)} of {pictures.classes}",
            path=run,
            hint="give the same --data",
        )
    if position.labels and position.labels != labels:
        raise DataSetError(
            f"{run}: was trained on as many pictures and people, but they stood in another order or belonged to "
            "others",
            path=run,
            hint="give the same --data, folders in the same order",
        )


def _mathematics(recipe: Recipe, begun: bool) -> Recipe:
    """The recipe with a fixed value for all that does not change what is learned. begun: the first weights were
    learned from already, so where they came from is history.
    """
    kept = {name: getattr(recipe.run, name) for name in ("batch", "precision", "seed")}
    return replace(
        recipe,
        data=DataConfig(colour=recipe.data.colour),
        run=RunConfig(**kept),
        validation=ValidationConfig(),
        start=_anywhere(recipe).start if begun else recipe.start,
        distil=_anywhere(recipe).distil,
    )


def _anywhere(recipe: Recipe) -> Recipe:
    """The recipe as if its first weights, and its teacher, lay somewhere else."""
    distil = recipe.distil
    return replace(
        recipe,
        start=replace(recipe.start, weights="elsewhere", centres_from_pictures=True),
        distil=replace(distil, teacher="elsewhere") if distil.teacher else distil,
    )


def _judge(recipe: Recipe) -> tuple[str, bool]:
    """What a score is of: the name of the first set, wherever it lies, and whether faces were mirrored."""
    sets = recipe.validation.sets
    return (Path(sets[0]).name if sets else "", recipe.validation.flip)


def _differences(
    before: Recipe, now: Recipe, seen: Callable[[Recipe], Recipe] = lambda one: one
) -> tuple[str, ...]:
    """The settings that are other ones where recipes are looked at as `seen` gives them, with their real values."""
    found = []
    for section in dataclasses.fields(Recipe):
        old, new = (getattr(seen(one), section.name) for one in (before, now))
        was, becomes = (getattr(one, section.name) for one in (before, now))
        found += [
            f"[{section.name}] {one.name} = {getattr(becomes, one.name)!r} (was {getattr(was, one.name)!r})"
            for one in dataclasses.fields(new)
            if getattr(old, one.name) != getattr(new, one.name)
        ]
    return tuple(found)

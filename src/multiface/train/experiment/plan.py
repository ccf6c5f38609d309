"""The file of an experiment, and the runs that follow from it.

```toml
recipe = "small"                  # a name, or a file beside this one
data = ["faces"]                  # beside this file; --data in its place
judge = ["heldout.bin"]           # packs that all arms are judged on; --judge in its place
seeds = 3                         # runs of each arm at each combination of levels
against = "single"                # the arm that all others are compared with
least_pictures = 3                # people with fewer are left out
shrink = 4                        # keep pictures in memory with 112 / 4 pixels a side; of a `plain` network only

[tuning]                          # each arm, before it is judged, on people of its own
people = 150                      # taken from the data, never learned from
pairs = 1000                      # of the same person, and as many of two
seeds = 1
rates = [0.05, 0.1]
margins = [0.2, 0.35]
scales = [16, 32]

[levels]                          # every arm at every combination
"network.embedding" = [64, 256]
noise = [0, 0.1, 0.3]             # share of the pictures that get a wrong label

[arms.single]
[arms.four.head]                  # what is other than in the recipe
slices = 4
[arms.four.tuning]                # where the arm's margin, rate or scale has another range
margins = [0.1, 0.17]
```

An arm is tuned at the first level of each: the rate, margin and scale with the largest area under the ROC of the
tuning pairs, averaged over the tuning's seeds. The judged runs use seeds that no tuning run has used.
"""

import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from multiface.errors import UsageError
from multiface.regular_file import read_given_text
from multiface.train.augment import AugmentConfig
from multiface.train.recipe import (
    Recipe,
    load_recipe,
    margin_name,
    margin_named,
    recipe_from_toml,
    recipe_to_toml,
)

NOISE = "noise"
"""The level that is no setting of a recipe."""
TUNING = "tuning"
"""Folder of the runs that tune."""
FIRST_SEED = 1000
"""Of the judged runs; tuning counts from 0."""

_TRIED = ("rates", "margins", "scales")
"""In the order of the fields of `Choice`."""

Level = float | int | str | bool


@dataclass(frozen=True, slots=True)
class Tuning:
    """How arms are tuned. people: taken from the data for it. pairs: of one person, and as many of two. seeds: runs for
    each choice. rates, margins, scales: what is tried, each with each; where one is empty, the recipe's stands.
    """

    people: int = 100
    pairs: int = 1000
    seeds: int = 1
    rates: tuple[float, ...] = ()
    margins: tuple[float, ...] = ()
    scales: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("people", "pairs", "seeds"):
            if getattr(self, name) < 1:
                raise UsageError(f"[tuning] {name} must be at least 1, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Choice:
    """What tuning decides; None leaves the recipe's. scale: of the head's logits."""

    rate: float | None
    margin: float | None
    scale: float | None = None


@dataclass(frozen=True, slots=True)
class Arm:
    """A name and changes to the recipe: {section: {setting: value}}. choices: what it is tuned over."""

    name: str
    changes: Mapping[str, Mapping[str, Any]]
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One training. name: also its folder below the experiment's. arm: whose. levels: (name, level). seed: of weights,
    order and wrong labels. choice: rate, margin and scale. tuning: whether it is one of those that tune.
    """

    name: str
    arm: str
    levels: tuple[tuple[str, Level], ...]
    seed: int
    choice: Choice
    tuning: bool

    @property
    def noise(self) -> float:
        """Share of the pictures with a wrong label, 0..1."""
        return float(dict(self.levels).get(NOISE, 0.0))


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment; the head of this file says what each means. levels: (name, its levels) in the file's order."""

    recipe: Recipe
    data: tuple[str, ...]
    judge: tuple[str, ...]
    arms: tuple[Arm, ...]
    against: str
    seeds: int = 3
    least_pictures: int = 1
    shrink: int = 1
    tuning: Tuning = field(default_factory=Tuning)
    levels: tuple[tuple[str, tuple[Level, ...]], ...] = ()

    def tuning_runs(self) -> tuple[Run, ...]:
        """The runs that tune, arm by arm; none for an arm with a single choice."""
        first = tuple((name, values[0]) for name, values in self.levels)
        return tuple(
            Run(f"{TUNING}/{arm.name}/{_choice_name(choice)}/{seed}", arm.name, first, seed, choice, True)
            for arm in self.arms
            if len(arm.choices) > 1
            for choice in arm.choices
            for seed in range(self.tuning.seeds)
        )

    def judged_runs(self, chosen: Mapping[str, Choice]) -> tuple[Run, ...]:
        """The judged runs with what was chosen for each arm: all arms at all levels with the first seed, then with the
        second, so that an experiment that is cut short compares arms still.
        """
        found = []
        for seed in range(FIRST_SEED, FIRST_SEED + self.seeds):
            for values in itertools.product(*(values for _, values in self.levels)):
                levels = tuple((name, value) for (name, _), value in zip(self.levels, values, strict=True))
                place = ",".join(f"{name.split('.')[-1]}={value}" for name, value in levels) or "all"
                found += [
                    Run(f"judged/{arm.name}/{place}/{seed}", arm.name, levels, seed, chosen[arm.name], False)
                    for arm in self.arms
                ]
        return tuple(found)

    def recipe_of(self, run: Run) -> Recipe:
        """The whole recipe of a run. Raises UsageError where its parts do not go together."""
        (arm,) = (arm for arm in self.arms if arm.name == run.arm)
        tables = tomllib.loads(recipe_to_toml(self.recipe))
        for section, settings in arm.changes.items():
            _merge(tables, section, settings)
        for name, value in run.levels:
            if name != NOISE:
                section, _, setting = name.partition(".")
                _merge(tables, section, {setting: value})
        made = recipe_from_toml(_toml(tables), f"arm {run.arm}")
        if self.shrink > 1:
            if made.network.name != "plain":
                raise UsageError(f"arm {run.arm}: `shrink` needs a network that takes small pictures: plain")
            made = replace(
                made, augment=AugmentConfig(flip=made.augment.flip)
            )  # all that small pictures know
        optimiser, head = made.optimiser, made.head
        if run.choice.rate is not None:
            optimiser = replace(optimiser, rate=run.choice.rate)
        if run.choice.margin is not None:
            head = replace(head, margin=margin_named(margin_name(head.margin), margin=run.choice.margin))
        if run.choice.scale is not None:
            head = replace(head, scale=run.choice.scale)
        return replace(
            made,
            # Each run is one process of its own, with its own share of the processors.
            data=replace(made.data, folders=(), workers=0),
            validation=replace(made.validation, sets=()),
            run=replace(made.run, seed=run.seed),
            optimiser=optimiser,
            head=head,
        )


def load_experiment(path: Path) -> Experiment:
    """An experiment from its file. Raises UsageError for what is unknown, missing or does not go together."""
    try:
        tables = tomllib.loads(read_given_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is not a readable experiment ({error})", path=path) from error
    try:
        made = _experiment(tables, path.parent)
        for run in (*made.tuning_runs(), *made.judged_runs({arm.name: arm.choices[0] for arm in made.arms})):
            made.recipe_of(run)
    except UsageError as error:
        raise UsageError(f"{path}: {error}", path=path, hint=error.hint) from error
    return made


def _experiment(tables: dict[str, Any], beside: Path) -> Experiment:
    known = {entry.name for entry in fields(Experiment)}
    _only(tables, known, "an experiment")
    tuning = _typed(Tuning, tables.get("tuning", {}), "[tuning]")
    arms = tuple(_arm(name, table, tuning) for name, table in _table(tables, "arms").items())
    if len(arms) < 2:
        raise UsageError("wanted two arms or more, each a section [arms.NAME]")
    against = tables.get("against", arms[0].name)
    if against not in [arm.name for arm in arms]:
        raise UsageError(f"against = {against!r} is none of the arms {', '.join(arm.name for arm in arms)}")
    levels = []
    for name, values in _table(tables, "levels").items():
        if not isinstance(values, list) or not values or any(isinstance(v, list | dict) for v in values):
            raise UsageError(f'[levels] "{name}" must be a list of one value or more')
        if name == NOISE and not all(isinstance(v, int | float) and 0 <= v < 1 for v in values):
            raise UsageError(f"[levels] {NOISE} must be shares from 0 to below 1, not {values}")
        levels.append((name, tuple(values)))
    recipe = tables.get("recipe", "small")
    file = beside / str(recipe)
    return Experiment(
        recipe=load_recipe(str(file) if file.suffix == ".toml" else str(recipe)),
        data=tuple(str(beside / one) for one in _texts(tables, "data")),
        judge=tuple(str(beside / one) for one in _texts(tables, "judge")),
        arms=arms,
        against=against,
        seeds=_whole(tables, "seeds", 3),
        least_pictures=_whole(tables, "least_pictures", 1),
        shrink=_whole(tables, "shrink", 1),
        tuning=tuning,
        levels=tuple(levels),
    )


def _arm(name: str, table: Any, tuning: Tuning) -> Arm:
    if not isinstance(table, dict) or not name.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"an arm is a section [arms.NAME] of letters, digits, - and _, not {name!r}")
    own = dict(table)
    mine = own.pop("tuning", {})
    _only(mine, set(_TRIED), f"[arms.{name}.tuning]")
    tried = {key: getattr(tuning, key) for key in _TRIED} | mine
    mine = _typed(Tuning, tried, f"[arms.{name}.tuning]")
    sections = {entry.name for entry in fields(Recipe)} - {"data", "validation"}
    _only(own, sections, f"[arms.{name}]")
    for section, settings in own.items():
        if not isinstance(settings, dict):
            raise UsageError(f"[arms.{name}] {section} is a section, written [arms.{name}.{section}]")
    choices = itertools.product(*(getattr(mine, key) or (None,) for key in _TRIED))
    return Arm(name, own, tuple(Choice(*choice) for choice in choices))


def _merge(tables: dict[str, Any], section: str, settings: Mapping[str, Any]) -> None:
    table = tables.setdefault(section, {})
    for key, value in settings.items():
        if isinstance(value, Mapping):
            _merge(table, key, value)
        else:
            table[key] = value
            if key == "kind":
                table.pop("margin", None)  # the parameters of another kind


def _toml(tables: Mapping[str, Any], prefix: str = "") -> str:
    own = {key: value for key, value in tables.items() if not isinstance(value, Mapping)}
    lines = [f"[{prefix.rstrip('.')}]"] if prefix else []
    lines += [f"{key} = {_value(value)}" for key, value in own.items()]
    for key, value in tables.items():
        if isinstance(value, Mapping):
            lines.append(_toml(value, f"{prefix}{key}."))
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in value)
        return f'"{escaped}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)


def _typed(kind: type[Tuning], table: Any, where: str) -> Tuning:
    if not isinstance(table, dict):
        raise UsageError(f"{where} is a section")
    _only(table, {entry.name for entry in fields(kind)}, where)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key in _TRIED:
            if not isinstance(value, list | tuple) or not all(
                type(v) in (int, float) and v >= 0 for v in value
            ):
                raise UsageError(f"{where} {key} must be a list of numbers, not {value!r}")
            if key == "scales" and 0 in value:
                raise UsageError(f"{where} scales must be above 0")
            values[key] = tuple(float(v) for v in value)
        else:
            values[key] = _whole(table, key, 1)
    return kind(**values)


def _whole(table: Mapping[str, Any], key: str, default: int) -> int:
    value = table.get(key, default)
    if type(value) is not int or value < 1:
        raise UsageError(f"{key} must be a whole number of at least 1, not {value!r}")
    return value


def _texts(table: Mapping[str, Any], key: str) -> Iterator[str]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise UsageError(f"{key} must be a list of texts in quotes, not {value!r}")
    yield from value


def _table(tables: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = tables.get(key, {})
    if not isinstance(value, dict):
        raise UsageError(f"{key} is a section")
    return value


def _only(table: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise UsageError(f"{where} has no {key!r}; it has {', '.join(sorted(known))}")


def _choice_name(choice: Choice) -> str:
    scale = "" if choice.scale is None else f",scale={choice.scale}"
    return f"rate={choice.rate},margin={choice.margin}{scale}"


def named(runs: Sequence[Run]) -> dict[str, Run]:
    """Runs by their names."""
    return {run.name: run for run in runs}

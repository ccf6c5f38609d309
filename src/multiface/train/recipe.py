"""The settings of a run: a frozen dataclass for each subject, read from and written to TOML.

A recipe is complete: what the file leaves out has the defaults below, and a run folder keeps the whole.
Unknown keys are refused with the nearest known one. Recipes that come with the package lie in the folder
`recipes` beside this file and are known by their names.
"""

import dataclasses
import difflib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from multiface.errors import UsageError, about
from multiface.regular_file import read_given_text
from multiface.train.augment import AugmentConfig
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
)
from multiface.train.networks.arc_iresnet import ArcDepth
from multiface.train.networks.iresnet import Depth
from multiface.train.networks.vit import VitDepth
from multiface.train.schedule import ScheduleConfig

FOLDER = Path(__file__).with_name("recipes")
"""Recipes that come with the package."""

NetworkName = Literal["mobilefacenet", "ir", "ir_se", "iresnet", "vit", "plain"]
OptimiserName = Literal["sgd", "adamw"]
Precision = Literal["float32", "bf16", "fp16"]


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What is learned from.

    folders: record folders (train.rec), folders of a folder a person, tar shards or Parquet files; joined in this
        order.
    colour: order of the channels that the network is fed; "bgr" is that of the original's weights.
    workers: processes that load pictures; they change nothing but the speed.
    """

    folders: tuple[str, ...] = ()
    colour: Literal["rgb", "bgr"] = "rgb"
    workers: int = 2

    def __post_init__(self) -> None:
        _at_least("data", "workers", self.workers, 0)


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Which network: the original's, arcface_torch's iresnet, a vision transformer (vit), or a plain one for
    experiments of seconds.

    embedding: of all but ir and ir_se, whose is 512. width: of mobilefacenet, vit and plain.
    squeeze_excitation: of mobilefacenet. depth: of the others; 152 is of ir and ir_se, 200 of iresnet, 12 (S) and 24
    (B) of vit. dropout: of ir, ir_se and iresnet, which is trained without. drop_path: of vit, see networks/vit.py.
    """

    name: NetworkName = "mobilefacenet"
    embedding: int = 512
    width: float = 1.0
    squeeze_excitation: bool = False
    depth: Literal[12, 18, 24, 34, 50, 100, 152, 200] = 50
    dropout: float = 0.6
    drop_path: float = 0.0

    def __post_init__(self) -> None:
        _at_least("network", "embedding", self.embedding, 1)
        depths = depths_of(self.name)
        if self.name not in ("mobilefacenet", "plain") and self.depth not in depths:
            raise UsageError(
                f"network: the depths of {self.name} are {', '.join(map(str, depths))}, not {self.depth}"
            )
        if self.name in ("ir", "ir_se") and self.embedding != 512:
            raise UsageError(
                f"network: the embedding of {self.name} has 512 dimensions, not {self.embedding}"
            )


def depths_of(name: str) -> tuple[int, ...]:
    """The depths that a network comes in; MobileFaceNet has no choice, and is not looked at."""
    return get_args({"iresnet": ArcDepth, "vit": VitDepth}.get(name, Depth))


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """The head: N slices and a margin; scale, normalise_slices and average as in heads.head.HeadConfig.

    drop_remainder: where `slices` do not divide the embedding, let the head see only the first slices * (D //
        slices)
        dimensions, as the original does in silence; otherwise that is refused.
    sample_rate: share of the classes that takes part in a step (Partial FC); 1 is exact.
    subcentres: centres of each class, as in heads.head.HeadConfig; 3 is usual where labels are wrong now and then.
    """

    margin: Margin = field(default_factory=Softmax)
    slices: int = 1
    scale: float = 64.0
    normalise_slices: bool = False
    average: bool = False
    drop_remainder: bool = False
    sample_rate: float = 1.0
    subcentres: int = 1

    def __post_init__(self) -> None:
        _at_least("head", "slices", self.slices, 1)
        _at_least("head", "subcentres", self.subcentres, 1)
        if not 0 < self.sample_rate <= 1:
            raise UsageError(f"head: sample_rate must be above 0 and at most 1, not {self.sample_rate:g}")


@dataclass(frozen=True, slots=True)
class OptimiserConfig:
    """SGD with momentum, or AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101), whose decay is apart from the gradient.

    rate: the full learning rate, for steps of `run.batch` faces.
    momentum: of AdamW the memory of gradients, and `squares` of their squares.
    weight_decay: of convolutions and PReLU. last_weight_decay: of the layer that makes the embedding and of
        the class
        centres. Norms have none; with AdamW neither have biases, PReLU and a transformer's positions.
    clip: largest norm of all gradients together; 0 is no limit.
    average: decay of a running mean of the weights (EMA), which is then what is validated and kept; 0 is
        none.
    """

    kind: OptimiserName = "sgd"
    rate: float = 0.1
    momentum: float = 0.9
    squares: float = 0.999
    nesterov: bool = False
    weight_decay: float = 4e-5
    last_weight_decay: float = 4e-4
    clip: float = 0.0
    average: float = 0.0

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise UsageError(f"optimiser: rate must be above 0, not {self.rate:g}")
        if not all(0 <= one < 1 for one in (self.momentum, self.squares, self.average)):
            raise UsageError("optimiser: momentum, squares and average must be at least 0 and below 1")
        if self.nesterov and self.kind == "adamw":
            raise UsageError("optimiser: nesterov belongs to sgd", hint="leave it out with adamw")
        if min(self.weight_decay, self.last_weight_decay, self.clip) < 0:
            raise UsageError("optimiser: weight decays and clip must be at least 0")
        if self.nesterov and self.momentum == 0:
            raise UsageError("optimiser: nesterov needs a momentum above 0")


@dataclass(frozen=True, slots=True)
class DistilConfig:
    """Learning from an embedder beside the head: factors of the losses in distil.py, 0 leaves one out.

    teacher: a name of the store, a run folder, or an ONNX file with its input spec; "" is none. It is shown the same
        crops as the network, and learns nothing.
    cosine, squared: the network's features are to be the teacher's, as directions or as they are.
    distances, angles: faces are to lie to each other as they do for the teacher.
    """

    teacher: str = ""
    cosine: float = 0.0
    squared: float = 0.0
    distances: float = 0.0
    angles: float = 0.0

    def __post_init__(self) -> None:
        factors = (self.cosine, self.squared, self.distances, self.angles)
        if min(factors) < 0:
            raise UsageError("distil: the factors must be at least 0")
        if self.teacher and not any(factors):
            raise UsageError(
                "distil: a teacher teaches nothing unless `cosine`, `squared`, `distances` or `angles` is above 0"
            )
        if any(factors) and not self.teacher:
            raise UsageError("distil: factors need a `teacher`: an embedder's name, run folder or ONNX file")


@dataclass(frozen=True, slots=True)
class StartConfig:
    """Fine-tuning: where the weights come from, and how much of the network learns.

    weights: a run folder, a .safetensors file of a run, or a model file of the original (.pth); "" starts
        from nothing.
    backbone_rate: factor on the rate of all layers before the one that makes the embedding; 0 freezes them,
        their
        batch norms included.
    freeze_batch_norm: keep the means and deviations of all batch norms as they are.
    centres_from_pictures: begin with each person's mean embedding as class centre, not with random ones.
    """

    weights: str = ""
    backbone_rate: float = 1.0
    freeze_batch_norm: bool = False
    centres_from_pictures: bool = True

    def __post_init__(self) -> None:
        if self.backbone_rate < 0:
            raise UsageError(f"start: backbone_rate must be at least 0, not {self.backbone_rate:g}")
        if not self.weights and (self.backbone_rate != 1 or self.freeze_batch_norm):
            raise UsageError("start: a slowed or frozen network needs `weights` to start from")


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How a run is carried out.

    batch: faces of a step, in all processes and parts together.
    accumulate: parts that a step is computed in, one after the other, to save memory.
    precision: of the network; the head is computed in float32 always. fp16 scales its gradients.
    channels_last: memory format of the network. activation_checkpoints: compute the units of ir, ir_se, iresnet and
        vit twice and keep less. compile: the network by torch.compile, see compiled.py; not both.
    log_every, checkpoint_every: steps. keep: checkpoints that stay.
    """

    batch: int = 180
    accumulate: int = 1
    precision: Precision = "float32"
    channels_last: bool = False
    activation_checkpoints: bool = False
    compile: bool = False
    seed: int = 0
    log_every: int = 20
    checkpoint_every: int = 1000
    keep: int = 2

    def __post_init__(self) -> None:
        for name in ("batch", "accumulate", "log_every", "checkpoint_every", "keep"):
            _at_least("run", name, getattr(self, name), 1)
        if not 0 <= self.seed < 1 << 62:
            raise UsageError(f"run: seed must be within 0..2**62 - 1, not {self.seed}")
        if self.compile and self.activation_checkpoints:
            raise UsageError("run: compile and activation_checkpoints do not go together", hint="choose one")
        if self.batch % self.accumulate:
            raise UsageError(f"run: a batch of {self.batch} cannot be cut into {self.accumulate} equal parts")


@dataclass(frozen=True, slots=True)
class ValidationConfig:
    """Measuring while training.

    sets: packs (.bin) and LFW folders (pictures and pairs.txt); the first decides which weights are the best.
    every: epochs between two measurements. flip: embed each face with its mirror image.
    """

    sets: tuple[str, ...] = ()
    every: float = 1.0
    flip: bool = False

    def __post_init__(self) -> None:
        if not self.every > 0:
            raise UsageError(f"validation: every must be above 0 epochs, not {self.every:g}")


@dataclass(frozen=True, slots=True)
class Recipe:
    """All settings of a run."""

    data: DataConfig = field(default_factory=DataConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    head: HeadSettings = field(default_factory=HeadSettings)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    start: StartConfig = field(default_factory=StartConfig)
    distil: DistilConfig = field(default_factory=DistilConfig)
    run: RunConfig = field(default_factory=RunConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)

    def __post_init__(self) -> None:
        size, slices = self.network.embedding, self.head.slices
        if slices > size:
            raise UsageError(
                f"head: {slices} slices of an embedding of {size} dimensions: there are too many"
            )
        if size % slices and not self.head.drop_remainder:
            raise UsageError(
                f"head: {slices} slices do not divide an embedding of {size} dimensions",
                hint="choose another number, or "
                f"say `drop_remainder = true` under [head], and the last {size % slices} learn nothing",
            )


def margin_named(name: str, **parameters: float) -> Margin:
    """The margin of this name. Raises UsageError for an unknown name or parameter."""
    classes = _margin_classes()
    if name not in classes:
        raise UsageError(
            f"head: unknown margin {name!r}{_nearest(name, classes)}; there are {', '.join(classes)}"
        )
    kind = classes[name]
    margin: Margin = _section(kind, dict(parameters), "head.margin")
    return margin


def margin_name(margin: Margin) -> str:
    """The name of a margin, as in recipes."""
    return type(margin).__name__.lower()


def shipped_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with the package."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load_recipe(name_or_path: str) -> Recipe:
    """A recipe of the package by its name, or from a file. Raises UsageError."""
    path = Path(name_or_path)
    if path.suffix != ".toml" and name_or_path in shipped_recipes():
        path = FOLDER / f"{name_or_path}.toml"
    try:
        text = read_given_text(path)
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a path with a null character
        known = shipped_recipes()
        raise UsageError(
            f"{name_or_path}: no such recipe{_nearest(name_or_path, known)}",
            path=path,
            hint=f"give a TOML file, or one of {', '.join(known)}",
        ) from error
    with about(path):
        return recipe_from_toml(text, str(path))


def recipe_from_toml(text: str, name: str = "recipe") -> Recipe:
    """A recipe from TOML; `name` is how errors call it. Raises UsageError."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name}: is not TOML ({error})") from error
    except RecursionError as error:
        raise UsageError(f"{name}: lists or tables are nested too deeply for a recipe") from error
    try:
        return _recipe(tables)
    except UsageError as error:
        raise UsageError(f"{name}: {error}", hint=error.hint) from error


def recipe_to_toml(recipe: Recipe) -> str:
    """The whole recipe as TOML, every setting written out; `recipe_from_toml` gives an equal one."""
    lines: list[str] = []
    for section in dataclasses.fields(recipe):
        value = getattr(recipe, section.name)
        lines.append(f"[{section.name}]")
        if isinstance(value, HeadSettings):
            lines.append(f'kind = "{margin_name(value.margin)}"')
        lines += [
            f"{entry.name} = {_to_toml(getattr(value, entry.name))}"
            for entry in dataclasses.fields(value)
            if entry.name != "margin"
        ]
        if isinstance(value, HeadSettings) and dataclasses.fields(value.margin):
            lines += ["", "[head.margin]"]
            lines += [
                f"{e.name} = {_to_toml(getattr(value.margin, e.name))}"
                for e in dataclasses.fields(value.margin)
            ]
        lines.append("")
    return "\n".join(lines)


T = TypeVar("T")


def _recipe(tables: dict[str, Any]) -> Recipe:
    hints = get_type_hints(Recipe)
    _check_keys(tables, hints, "the recipe")
    sections: dict[str, Any] = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UsageError(f"{name} is a section, written [{name}]")
        sections[name] = _head(table) if name == "head" else _section(hints[name], table, name)
    return Recipe(**sections)


def _head(table: dict[str, Any]) -> HeadSettings:
    table = dict(table)
    parameters = table.pop("margin", {})
    if not isinstance(parameters, dict):
        raise UsageError(
            f'[head] margin = {parameters!r}: wanted kind = "arcface" and a section [head.margin]'
        )
    kind = table.pop("kind", "softmax")
    if not isinstance(kind, str):
        raise UsageError(f"[head] kind must be a name, not {kind!r}")
    known = [entry.name for entry in dataclasses.fields(HeadSettings) if entry.name != "margin"]
    _check_keys(table, [*known, "kind"], "[head]")
    settings: HeadSettings = _section(HeadSettings, table, "head")
    return dataclasses.replace(settings, margin=margin_named(kind, **parameters))


def _section(kind: type[T], table: dict[str, Any], name: str) -> T:
    hints = get_type_hints(kind)
    _check_keys(table, [entry.name for entry in dataclasses.fields(kind)], f"[{name}]")  # type: ignore[arg-type]
    return kind(**{key: _value(f"[{name}] {key}", hints[key], value) for key, value in table.items()})


def _check_keys(table: dict[str, Any], known: Any, where: str) -> None:
    for key in table:
        if key not in known:
            raise UsageError(
                f"{where} has no setting {key!r}{_nearest(key, known)}; it has {', '.join(known)}"
            )


def _value(where: str, hint: Any, value: Any) -> Any:
    """A value of TOML as the type that is wanted."""
    if get_origin(hint) is Literal:
        if value in get_args(hint) and type(value) in {type(choice) for choice in get_args(hint)}:
            return value
        raise UsageError(f"{where} must be one of {', '.join(map(str, get_args(hint)))}, not {value!r}")
    if get_origin(hint) is tuple:
        if isinstance(value, list):
            return tuple(_value(where, get_args(hint)[0], entry) for entry in value)
        raise UsageError(f"{where} must be a list, not {value!r}")
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is hint:
        return value
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text in quotes"}
    raise UsageError(f"{where} must be {words[hint]}, not {value!r}")


def _to_toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in value)
        return f'"{escaped}"'
    if isinstance(value, tuple):
        return f"[{', '.join(_to_toml(entry) for entry in value)}]"
    return repr(value)


def _nearest(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), 1, 0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _margin_classes() -> dict[str, type[Margin]]:
    return {
        "softmax": Softmax,
        "cosface": CosFace,
        "arcface": ArcFace,
        "combined": Combined,
        "adaface": AdaFace,
        "curricularface": CurricularFace,
        "magface": MagFace,
        "uniface": UniFace,
    }


def _at_least(section: str, name: str, value: int, least: int) -> None:
    if value < least:
        raise UsageError(f"{section}: {name} must be at least {least}, not {value}")

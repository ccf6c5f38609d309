"""`train` and `weights export`: from record files or photos to an embedder.

PyTorch is imported only when one of these commands runs.
"""

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiface.cli import options
from multiface.cli.console import Speaker, counted
from multiface.cli.internal_error import STOPPED
from multiface.cli.settings import Settings
from multiface.cli.stopping import stop_on_signals
from multiface.errors import ExtraMissing, PictureError, UsageError, how_to_install

if TYPE_CHECKING:
    from multiface.faces.detector import Detector
    from multiface.train.distil import Teacher
    from multiface.train.export import TrainedNetwork
    from multiface.train.loop import Outcome
    from multiface.train.recipe import Recipe

BITS = ("float32", "float16", "int8")
"""What a network can be exported in."""

Data = Annotated[
    list[Path] | None,
    typer.Option(
        "--data",
        help="Folder with train.rec, or with a folder for each person; tar shards or Parquet files; repeatable.",
        show_default=False,
    ),
]
Network = Annotated[
    str | None,
    typer.Option("--net", help="mobilefacenet, ir, ir_se, iresnet, vit or plain.", show_default=False),
]
Depth = Annotated[
    int | None,
    typer.Option(
        "--depth", help="Layers: 18 to 200 of ir, ir_se and iresnet, 12 or 24 of vit.", show_default=False
    ),
]


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(
            help="A recipe: a TOML file, or a name such as small (the default is the original's settings).",
            show_default=False,
        ),
    ] = None,
    net: Network = None,
    depth: Depth = None,
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch",
            "-b",
            help="Batch size, in all processes together; the recipe's learning rate changes in proportion.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", "-w", help="Processes that load pictures.", show_default=False)
    ] = None,
    epochs: Annotated[float | None, typer.Option("--epochs", "-e", show_default=False)] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Learning rate.", show_default=False)] = None,
    head: Annotated[
        str | None,
        typer.Option(
            "--head",
            help="softmax, cosface, arcface, combined, adaface, curricularface, magface, uniface.",
            show_default=False,
        ),
    ] = None,
    margin: Annotated[
        float | None, typer.Option("--margin", help="Margin of the head.", show_default=False)
    ] = None,
    spheres: Annotated[
        int | None,
        typer.Option(
            "--spheres",
            help="Number of slices of the embedding, each with its own centres.",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
    validate: Annotated[
        list[Path] | None,
        typer.Option(
            "--validate", help="Pack (.bin) or LFW folder to validate on; repeatable.", show_default=False
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            help="Fine-tune these weights: a run, .safetensors, .pth or .pt of the original or of arcface_torch, or an "
            "IResNet as ONNX.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The run folder.")] = Path("run"),
    max_steps: Annotated[
        int | None,
        typer.Option("--max-steps", help="Stop after this many steps of the run.", show_default=False),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run in --out.")] = False,
    seed: Annotated[int | None, typer.Option("--seed", show_default=False)] = None,
    find_lr: Annotated[
        bool,
        typer.Option(
            "--find-lr", help="Only search for a learning rate: a chart in OUT/rates.png and a suggestion."
        ),
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Write a profiler trace of a few steps to OUT.")
    ] = False,
    device: Annotated[
        str | None,
        typer.Option("--device", help="cpu or cuda (default: a GPU if there is one).", show_default=False),
    ] = None,
    detector: options.Detector = None,
    threads: options.Threads = None,
    _max_picture: options.MaxPicture = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Train, resume or fine-tune a network; several processes with `torchrun --no-python multiface train ...`, srun or
    mpirun.
    """
    need_torch()
    import torch

    from multiface.train.distil import find_teacher, open_teacher
    from multiface.train.launchers import launch_of
    from multiface.train.loop import Limits
    from multiface.train.loop import train as run_training
    from multiface.train.meeting import meet
    from multiface.train.recipe import recipe_from_toml, recipe_to_toml
    from multiface.train.training_set import each_once, open_training_set
    from multiface.train.validation import open_validation_set

    launch = launch_of(os.environ)
    speaker = Speaker(as_json, quiet if launch is None or launch.rank == 0 else True)
    chosen = options.choose(Settings.here(), detector, threads=threads)
    if chosen.threads is not None:
        torch.set_num_threads(chosen.threads)
    given = Overrides(
        net, depth, batch, workers, epochs, lr, head, margin, spheres, data, validate, start, seed
    )
    aligner = _Aligner(speaker, chosen)
    with meet(launch) as meeting:
        base = _base(recipe, out, resume)
        if recipe is None and resume:
            # The run's recipe lies where the first process writes.
            base = recipe_from_toml(meeting.told("recipe", recipe_to_toml(base)), str(out))
        settings = apply_options(base, given)
        # What takes long comes before the processes join: in a collective they would wait for each other.
        folders, twice = each_once(settings.data.folders)
        pictures = open_training_set([str(aligner.people(Path(folder))) for folder in folders])
        sets = [open_validation_set(Path(one), aligner.lfw) for one in settings.validation.sets]
        teacher_file = find_teacher(settings, chosen.files())
        with meeting.joined(device, settings.head.sample_rate < 1) as place:
            teacher = open_teacher(teacher_file, place.device)
            if place.first:
                for note in (*twice, *pictures.notes):
                    speaker.warn(note)
                speaker.note(f"{len(pictures):,} pictures of {pictures.classes:,} people, on {place.device}")
                speaker.note(f"batches of {settings.run.batch}, learning rate {settings.optimiser.rate:.4g}")
            if find_lr:
                _find_rate(speaker, settings, pictures, place, out, teacher)
                return
            bar = speaker.training() if place.first else nullcontext(lambda *_: None)
            with stop_on_signals() as stop, bar as progress:
                outcome = run_training(
                    settings,
                    out,
                    pictures,
                    sets,
                    place,
                    resume,
                    Limits(max_steps, profile),
                    stop,
                    lambda done: progress(done.step, done.steps, done.loss, done.images_per_second),
                    teacher,
                )
            if place.first:
                _tell(speaker, outcome, out)
            alone = place.processes == 1
    if not outcome.finished and outcome.step != max_steps:
        raise typer.Exit(STOPPED)
    # A launcher takes any other code than 0 for a process that broke down.
    if alone and (outcome.unusable or aligner.unreadable):
        raise typer.Exit(3)


def export_weights(
    source: Annotated[
        Path,
        typer.Argument(
            help="A run, a .safetensors file of a run, or a .pth or .pt file of the original or of arcface_torch.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The ONNX file.", show_default=False)],
    net: Network = None,
    depth: Depth = None,
    colour: Annotated[
        str | None,
        typer.Option(
            "--colour",
            help="Colour order of a .pth file: rgb or bgr (default: bgr, as the original; rgb for iresnet).",
            show_default=False,
        ),
    ] = None,
    bits: Annotated[
        str,
        typer.Option("--bits", help="float32, float16 (half the file) or int8 (a quarter; wants --data)."),
    ] = "float32",
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            help="Crops to calibrate int8 on and to measure what fewer bits lose: as for train; repeatable.",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Export a trained network as ONNX with its input spec, checked against PyTorch on real crops."""
    need_torch()
    from multiface.train.export import export, read_original, read_trained

    if bits not in BITS:
        raise UsageError(f"--bits {bits}: there are {', '.join(BITS)}")
    if data and bits == "float32":
        raise UsageError("--data is for --bits float16 and int8; float32 is exported as it is")
    if bits == "int8" and not data:
        raise UsageError(
            "--bits int8 needs crops to calibrate its scales on",
            hint="give --data FOLDER, as for training (some hundred faces like those to come)",
        )
    speaker = Speaker(as_json, quiet)
    if source.suffix in (".pth", ".pt"):
        config = _network_settings(net or "mobilefacenet", depth)
        trained = read_original(source, config, colour or ("rgb" if config.name == "iresnet" else "bgr"))
    elif net is not None or depth is not None or colour is not None:
        raise UsageError(
            f"{source}: the file says which network it is", hint="leave out --net, --depth and --colour"
        )
    else:
        trained = read_trained(source)
    crops = _demo_crops(options.choose(Settings.here()))
    if bits != "float32":
        _export_reduced(speaker, trained, out, bits, data or [], crops)
        return
    cosine = export(out, trained, crops)
    speaker.result(
        f"{out}: {trained.config.name}, {trained.spec.dimension} dimensions; cosine to PyTorch {cosine:.7f}"
    )
    speaker.document({"file": str(out), "network": trained.config.name, "dimension": trained.spec.dimension,
                      "colour": trained.spec.colour, "cosine": cosine})  # fmt: skip


def _export_reduced(
    speaker: Speaker, trained: "TrainedNetwork", out: Path, bits: str, data: Sequence[Path], demo: Any
) -> None:
    """Writes the network in fewer bits, and tells what is lost on crops that it was not calibrated on."""
    from multiface.train.export import check_agreement, to_onnx, write_onnx
    from multiface.train.reduce import crops_of, loss_of, to_float16, to_int8
    from multiface.train.training_set import open_training_set

    whole = to_onnx(trained)
    check_agreement(whole, trained, demo)
    calibration, held_out = crops_of(open_training_set([str(one) for one in data])) if data else (demo, demo)
    colour = trained.spec.colour
    reduced = to_float16(whole) if bits == "float16" else to_int8(whole, calibration, colour)
    loss = loss_of(whole, reduced, held_out, colour)
    write_onnx(out, reduced)
    speaker.result(
        f"{out}: {trained.config.name}, {trained.spec.dimension} dimensions in {bits}, {len(reduced) / len(whole):.0%} "
        f"of the size; on {counted(loss.crops, 'held-out crop')} cosines to float32 {loss.mean:.5f} on average, "
        f"{loss.smallest:.5f} at least, and no two faces came nearer or further by more than {loss.shift:.4f}"
    )
    speaker.document({"file": str(out), "network": trained.config.name, "dimension": trained.spec.dimension,
                      "colour": trained.spec.colour, "bits": bits, "bytes": len(reduced),
                      "loss": dataclasses.asdict(loss)})  # fmt: skip


def original_as_onnx(file: Path, arch: str, colour: str, out: Path) -> None:
    """A model file of the original as an ONNX file, checked against PyTorch on real crops.

    arch: mobilefacenet, or ir or ir_se with its depth, such as ir_se_50. Raises UsageError, WeightsError.
    """
    need_torch()
    from multiface.train.export import export, read_original

    net, _, depth = arch.rpartition("_")
    config = _network_settings(net, int(depth)) if depth.isdigit() and net else _network_settings(arch, None)
    trained = read_original(file, config, colour)
    export(out, trained, _demo_crops(options.choose(Settings.here())))


@dataclasses.dataclass(frozen=True, slots=True)
class Overrides:
    """Options that change a recipe; None leaves it as it is."""

    net: str | None = None
    depth: int | None = None
    batch: int | None = None
    workers: int | None = None
    epochs: float | None = None
    lr: float | None = None
    head: str | None = None
    margin: float | None = None
    spheres: int | None = None
    data: list[Path] | None = None
    validate: list[Path] | None = None
    start: str | None = None
    seed: int | None = None


def _base(name: str | None, run: Path, resume: bool) -> "Recipe":
    """The recipe that is named, or that of the run to be resumed, or the original's settings."""
    from multiface.train.beginning import RECIPE
    from multiface.train.recipe import Recipe, load_recipe

    if name is not None:
        return load_recipe(name)
    if resume and (run / RECIPE).is_file():
        return load_recipe(str(run / RECIPE))
    return Recipe()


def apply_options(base: "Recipe", given: Overrides) -> "Recipe":
    """The recipe with these options in it. Raises UsageError.

    IR networks get the original's weight decay for them. Another number of epochs moves the milestones along. Another
    batch multiplies the recipe's rate by new batch / old batch, unless a rate is given: the linear scaling rule of
    Goyal et al. 2017 (arXiv:1706.02677), which holds within about 256 to 8192 and with a warm-up of a few epochs.
    """
    replace = dataclasses.replace
    optimiser, schedule = base.optimiser, base.schedule
    network = base.network
    if given.net is not None or given.depth is not None:
        network = _network_settings(given.net or network.name, given.depth, network)
        if network.name != "mobilefacenet" and base.network.name == "mobilefacenet":
            optimiser = replace(optimiser, weight_decay=5e-4, last_weight_decay=5e-4)
    if given.lr is not None:
        optimiser = replace(optimiser, rate=given.lr)
    elif given.batch is not None and given.batch > 0:
        optimiser = replace(optimiser, rate=optimiser.rate * given.batch / base.run.batch)
    if given.epochs is not None:
        moved = tuple(round(m * given.epochs / schedule.epochs, 6) for m in schedule.milestones)
        schedule = replace(schedule, epochs=given.epochs, milestones=moved)
    data, validation = base.data, base.validation
    if given.data:
        data = replace(data, folders=tuple(str(folder.resolve()) for folder in given.data))
    if given.workers is not None:
        data = replace(data, workers=given.workers)
    if given.validate:
        validation = replace(validation, sets=tuple(str(one.resolve()) for one in given.validate))
    run = base.run
    if given.batch is not None:
        run = replace(run, batch=given.batch)
    if given.seed is not None:
        run = replace(run, seed=given.seed)
    return replace(
        base,
        data=data,
        network=network,
        head=_head(base, given),
        optimiser=optimiser,
        schedule=schedule,
        start=base.start if given.start is None else replace(base.start, weights=given.start),
        run=run,
        validation=validation,
    )


def _head(base: "Recipe", given: Overrides) -> Any:
    from multiface.train.recipe import margin_name, margin_named

    head = base.head
    if given.spheres is not None:
        head = dataclasses.replace(head, slices=given.spheres)
    if given.head is None and given.margin is None:
        return head
    name = given.head or margin_name(head.margin)
    if given.margin is not None:
        return dataclasses.replace(head, margin=margin_named(name, margin=given.margin))
    # The original trains its Multi-ArcFace with 0.3, not with the 0.5 of a single head.
    parameters = {"margin": 0.3} if name == "arcface" and head.slices > 1 else {}
    return dataclasses.replace(head, margin=margin_named(name, **parameters))


def _network_settings(name: str, depth: int | None, base: Any = None) -> Any:
    """The network of these options; raises UsageError for an unknown name."""
    from typing import get_args

    from multiface.train.recipe import NetworkConfig, NetworkName, depths_of

    if name not in get_args(NetworkName):
        raise UsageError(f"--net {name}: the networks are {', '.join(get_args(NetworkName))}")
    depths = depths_of(name)
    if depth is not None and depth not in depths:
        raise UsageError(f"--depth {depth}: the depths are {', '.join(map(str, depths))}")
    if depth is not None and name in ("mobilefacenet", "plain"):
        raise UsageError(f"--depth is of ir, ir_se, iresnet and vit; {name} has one depth only")
    base = base or NetworkConfig()
    if name == "iresnet" and base.name != "iresnet":
        base = dataclasses.replace(base, dropout=0.0)  # as it is trained
    return dataclasses.replace(base, name=name, depth=depth or base.depth)


class _Aligner:
    """Photos to aligned crops, in a folder of the cache, by the chosen detector; what is there already
    stays.
    """

    def __init__(self, speaker: Speaker, chosen: options.Chosen) -> None:
        self._speaker = speaker
        self._chosen = chosen
        self._detector: Detector | None = None
        self.unreadable = 0
        """Photos that could not be read."""

    def people(self, folder: Path) -> Path:
        """A training set as it is where it holds records, tar shards or crops, else a folder with record files of its
        Parquet files, or with crops of its photos.
        """
        from multiface.datasets.shard_names import find_shards
        from multiface.images import list_pictures
        from multiface.train.crops import SIDE

        if (folder / "train.rec").exists():
            return folder
        shards = find_shards(folder)
        if shards is not None and shards.kind == ".parquet":
            return self._packed(folder, shards.files)
        if shards is not None or not folder.is_dir():
            return folder
        inside = [path for path in list_pictures(folder).pictures if path.parent != folder]
        if _first_shape(inside) in (None, (SIDE, SIDE, 3)):
            return folder
        from multiface.evaluate.photos import Reason, prepare_photos

        root = self._root("people", folder)
        with _alone(root), self._speaker.progress(f"aligning {folder.name}") as progress:
            prepared = prepare_photos(
                folder, root, self._opened(), self._chosen.min_face, self._workers, progress
            )
        unreadable = sum(one.reason is Reason.BROKEN for one in prepared.dropped)
        self.unreadable += unreadable
        for count, what in (
            (len(prepared.dropped) - unreadable, "without one clear face are left out"),
            (unreadable, "that cannot be read are left out"),
        ):
            if count:
                self._speaker.warn(f"{folder}: {counted(count, 'photo')} {what}")
        return prepared.folder

    def _packed(self, place: Path, files: Sequence[Path]) -> Path:
        """Parquet files as record files, which have random access; made once for these very files."""
        from multiface.datasets.opening import open_identities
        from multiface.datasets.pack_identities import pack_identities
        from multiface.regular_file import size_and_time

        facts = [(str(file.resolve()), *size_and_time(file)) for file in files]
        digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
        root = self._chosen.cache / "crops" / f"records-{digest}"
        with _alone(root):
            if (root / "property").exists():
                return root
            pictures = open_identities(place)
            with self._speaker.progress(f"packing {place.name}") as progress:
                packed = pack_identities(pictures, root, progress)
        for note in pictures.notes:
            self._speaker.warn(note)
        if packed.left_out:
            self.unreadable += len(packed.left_out)
            left_out = counted(len(packed.left_out), "picture")
            self._speaker.warn(f"{place}: {left_out} that cannot be used are left out ({packed.left_out[0]})")
        return root

    def lfw(self, folder: Path) -> Path:
        """The folder of crops of an LFW folder."""
        from multiface.evaluate.photos import prepare_lfw

        root = self._root("lfw", folder)
        with _alone(root), self._speaker.progress(f"aligning {folder.name}") as progress:
            return prepare_lfw(
                folder, root, self._opened(), self._chosen.min_face, self._workers, progress
            ).folder

    @property
    def _workers(self) -> int:
        return self._chosen.engine_value().thread_count

    def _root(self, kind: str, folder: Path) -> Path:
        place = hashlib.sha256(f"{folder.resolve()}\n{self._chosen.detector}".encode()).hexdigest()[:16]
        return self._chosen.cache / "crops" / f"{kind}-{place}"

    def _opened(self) -> "Detector":
        from multiface.faces.opening import open_detector
        from multiface.weights.session import Engine

        if self._detector is None:
            engine = Engine(self._chosen.engine, 1)
            self._detector = open_detector(
                self._chosen.files(), self._chosen.detector, engine, self._chosen.min_face
            )
        return self._detector


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One process at a time, of all that see this folder: the first one aligns, the others find it done."""
    from multiface.file_lock import opened_alone

    root.parent.mkdir(parents=True, exist_ok=True)
    while (file := opened_alone(root.with_name(root.name + ".lock"))) is None:
        time.sleep(0.2)
    with file:
        yield


def _first_shape(paths: "Sequence[Path]") -> tuple[int, ...] | None:
    """The shape of the first picture that can be read, if one can."""
    from multiface.images import load_picture

    for path in paths:
        try:
            return load_picture(path).shape
        except (PictureError, ExtraMissing):
            continue
    return None


def _find_rate(
    speaker: Speaker, recipe: "Recipe", pictures: Any, place: Any, out: Path, teacher: "Teacher | None"
) -> None:
    from multiface.train.lr_finder import find_rate, save_search

    if place.processes > 1:
        raise UsageError("--find-lr runs in one process")
    with speaker.progress("rates") as progress:
        search = find_rate(recipe, pictures, place, report=progress, teacher=teacher)
    out.mkdir(parents=True, exist_ok=True)
    save_search(search, out / "rates.png")
    speaker.result(f"suggested rate {search.suggested:.2g}; the chart is {out / 'rates.png'}")
    speaker.document({"suggested": search.suggested, "rates": search.rates, "losses": search.losses})


def _tell(speaker: Speaker, outcome: "Outcome", out: Path) -> None:
    best = "" if outcome.best is None else f", best accuracy {outcome.best:.4f}"
    skipped = (
        f"; {outcome.unusable} pictures could not be used (see metrics.jsonl)" if outcome.unusable else ""
    )
    state = "done" if outcome.finished else "stopped, continue with --resume"
    speaker.result(f"{out}: {outcome.step:,} of {outcome.steps:,} steps, {state}{best}{skipped}")
    speaker.document({"run": str(out), **dataclasses.asdict(outcome)})


def _demo_crops(chosen: options.Chosen) -> Any:
    """The portrait in the package and a changed copy of it, aligned; each also mirrored."""
    import numpy as np

    from multiface.faces.align import align
    from multiface.faces.finding import find_faces
    from multiface.faces.opening import open_detector
    from multiface.images import load_picture
    from multiface.recognition.demo import PORTRAIT, changed_copy
    from multiface.weights.session import Engine

    portrait = load_picture(PORTRAIT)
    detector = open_detector(chosen.files(), "mtcnn", Engine("cpu", chosen.threads), chosen.min_face)
    crops = np.concatenate(
        [
            align(image, find_faces(detector, image).faces.landmarks)
            for image in (portrait, changed_copy(portrait))
        ]
    )
    return np.concatenate([crops, crops[:, :, ::-1]])


def need_torch() -> None:
    """Raises ExtraMissing where the libraries of training are not there."""
    from importlib.util import find_spec

    if any(find_spec(name) is None for name in ("torch", "safetensors", "simplejpeg", "tensorboard")):
        raise ExtraMissing(
            "training needs PyTorch, safetensors, simplejpeg and TensorBoard", hint=how_to_install("train")
        )

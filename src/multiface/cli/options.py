"""The options that mean the same in every command, and what they amount to together with the settings."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multiface.cli import completions
from multiface.cli.settings import Settings
from multiface.errors import UsageError
from multiface.progress import Progress

if TYPE_CHECKING:
    from multiface.recognition import Recognizer
    from multiface.weights.session import Engine
    from multiface.weights.store import Store

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to standard output.")]
Quiet = Annotated[
    bool | None,
    typer.Option(
        "--quiet/--no-quiet",
        "-q",
        help="No notes and no progress; warnings and errors stay (default with --json).",
        show_default=False,
    ),
]
Detector = Annotated[
    str | None,
    typer.Option(
        "--detector",
        help="yunet_onet (default), mtcnn, yunet, ...",
        show_default=False,
        autocompletion=completions.detectors,
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        help="Name, ONNX file or training run (default: sface).",
        show_default=False,
        autocompletion=completions.embedders,
    ),
]
People = Annotated[
    str | None,
    typer.Option("--people", help="A folder with a folder of pictures for each person.", show_default=False),
]
Another = Annotated[
    bool, typer.Option("--another", help="This is another person, even if somebody has the name already.")
]
GalleryFile = Annotated[
    str | None, typer.Option("--gallery", help="A gallery file, or a postgresql:// URL.", show_default=False)
]
Flip = Annotated[
    bool | None,
    typer.Option(
        "--flip/--no-flip",
        help="Embed each face with its mirror image (default: if it helps the weights).",
        show_default=False,
    ),
]
Crops = Annotated[
    bool | None,
    typer.Option(
        "--crops/--no-crops",
        help="Keep a small picture of each face, also for other weights later (default: yes).",
        show_default=False,
    ),
]
Threads = Annotated[
    int | None, typer.Option("--threads", help="Thread budget (default: all processors).", show_default=False)
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        help="Work on a Ray cluster: HOST:PORT of its head, auto for the one of this machine, or local to start one.",
        show_default=False,
    ),
]
EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="cpu (default), openvino, cuda, coreml, ...",
        show_default=False,
        autocompletion=completions.engines,
    ),
]
MinFace = Annotated[
    float | None,
    typer.Option(
        "--min-face", help="Shorter side of the smallest face in pixels (default: 20).", show_default=False
    ),
]


def _limit_pictures(context: typer.Context, option: str | None) -> str | None:
    """The limit holds from now on, in the whole process: pictures are read in many places."""
    if context.resilient_parsing:  # the shell completes a line
        return option
    from multiface.images import PictureLimits, limit_pictures

    size = Settings.here().optional_text("max_picture", option)
    limit_pictures(PictureLimits() if size is None else PictureLimits(max_decoded=_bytes(size)))
    return option


def _bytes(size: str) -> int:
    number, unit = (size[:-1], size[-1].upper()) if size[-1:].isalpha() else (size, "")
    powers = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3}
    try:
        return round(float(number) * powers[unit])
    except (KeyError, ValueError, OverflowError) as error:
        raise UsageError(f"the limit on pictures: wanted bytes, such as 800M or 2G, got {size!r}") from error


MaxPicture = Annotated[
    str | None,
    typer.Option(
        "--max-picture",
        callback=_limit_pictures,
        help="Bytes that decoding one picture may take, such as 800M (default: 2G).",
        show_default=False,
    ),
]
IdentifyRate = Annotated[
    float | None,
    typer.Option(
        "--rate",
        help="Share of strangers who may be given a name (FPIR); also MULTIFACE_RATE (default: 0.01).",
        show_default=False,
    ),
]
Pictures = Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.", show_default=False)]
PicturesOrObjects = Annotated[
    list[str],
    typer.Argument(
        help="Pictures, or folders of pictures; s3://BUCKET/PREFIX for .parquet.", show_default=False
    ),
]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What runs: options and settings resolved, with the defaults of the package filled in.

    The fields are those of `Recognizer` and its settings; flip None leaves it to the weights.
    """

    detector: str
    weights: str
    flip: bool | None
    threads: int | None
    engine: str
    min_face: float
    store: Path
    cache: Path
    calibration: str | None = None
    crops: bool = True

    def recognizer(
        self,
        *,
        rate: float | None = None,
        people: str | None = None,
        gallery: str | None = None,
        create: bool = False,
        progress: Progress | None = None,
    ) -> "Recognizer":
        """A recogniser made of this; arguments as there."""
        from multiface.recognition import IDENTIFY_RATE, Recognizer, RecognizerSettings

        return Recognizer(
            detector=self.detector,
            weights=self.weights,
            people=people,
            gallery=gallery,
            create=create,
            progress=progress,
            settings=RecognizerSettings(
                rate=IDENTIFY_RATE if rate is None else rate,
                flip=self.flip,
                threads=self.threads,
                engine=self.engine,
                min_face=self.min_face,
                calibration=self.calibration,
                crops=self.crops,
                store=self.store,
                cache=self.cache,
            ),
        )

    def flips(self, usual: bool) -> bool:
        """Whether mirror images are embedded too: as the user says, else as is usual for the weights."""
        return usual if self.flip is None else self.flip

    def files(self) -> "Store":
        """The store of weights."""
        from multiface.weights.store import Store

        return Store(self.store, self.cache)

    def engine_value(self) -> "Engine":
        """The engine with its thread budget."""
        from multiface.weights.session import Engine

        return Engine(self.engine, self.threads)


def choose(
    settings: Settings,
    detector: str | None = None,
    weights: str | None = None,
    flip: bool | None = None,
    threads: int | None = None,
    engine: str | None = None,
    min_face: float | None = None,
    crops: bool | None = None,
) -> Chosen:
    """Options, else settings, else the package's defaults."""
    # The defaults are those of the library, which takes too long to load for `--help`.
    from multiface.faces.opening import MIN_FACE
    from multiface.recognition.recognizer import DETECTOR, WEIGHTS

    store, cache = _folders(settings)
    return Chosen(
        detector=settings.text("detector", detector, DETECTOR),
        weights=settings.text("weights", weights, WEIGHTS),
        flip=settings.optional_flag("flip", flip),
        threads=settings.whole_number("threads", threads),
        engine=settings.text("engine", engine, "cpu"),
        min_face=settings.number("min_face", min_face, MIN_FACE),
        store=store,
        cache=cache,
        calibration=settings.optional_text("calibration", None),
        crops=keeps_crops(settings, crops),
    )


def keeps_crops(settings: Settings, option: bool | None = None) -> bool:
    """Whether crops of faces are kept in galleries: the option, else the setting, else yes."""
    chosen = settings.optional_flag("crops", option)
    return True if chosen is None else chosen


def weights_store(settings: Settings) -> "Store":
    """The store of weights, for commands that need no more than that."""
    from multiface.weights.store import Store

    return Store(*_folders(settings))


def _folders(settings: Settings) -> tuple[Path, Path]:
    """The folders of the store and of the cache."""
    from multiface.weights.places import default_cache_folder, default_store_folder

    return (
        Path(settings.text("store", None, str(default_store_folder()))),
        Path(settings.text("cache", None, str(default_cache_folder()))),
    )

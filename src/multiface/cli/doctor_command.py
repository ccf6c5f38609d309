"""`doctor`: what is installed, which engine and weights are used, what is slow and why."""

import platform
import time
from typing import TYPE_CHECKING, Any

import typer

from multiface.cli import options
from multiface.cli.calibrations import say_calibrations
from multiface.cli.console import Speaker
from multiface.cli.settings import Settings
from multiface.errors import MultifaceError, how_to_install

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LIBRARIES = ("numpy", "pillow", "onnxruntime")
EXTRAS = {
    "heic": "pillow_heif",
    "import": "onnx",
    "openvino": "openvino",
    "parquet": "pyarrow",
    "ray": "ray",
    "train": "torch",
}
_CLEARLY = 0.9
"""Another engine is recommended if it needs less than this share of the time; less of a gain may be noise."""


def doctor(
    detector: options.Detector = None,
    weights: options.Weights = None,
    threads: options.Threads = None,
    engine: options.EngineName = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Check the installation (exit code 1: there is a problem)."""
    from importlib.util import find_spec

    speaker = Speaker(as_json, quiet)
    settings = Settings.here()
    chosen = options.choose(settings, detector, weights, None, threads, engine)
    report: dict[str, Any] = {"python": platform.python_version(), "platform": platform.platform()}
    problems: list[str] = []
    speaker.result(f"Python {report['python']} on {report['platform']}")
    report["libraries"] = {name: _version(name) for name in LIBRARIES}
    for name, version in report["libraries"].items():
        speaker.result(f"  {name} {version or 'MISSING'}")
        if version is None:
            problems.append(f"{name} is missing: pip install {name}")
    report["extras"] = {name: find_spec(module) is not None for name, module in EXTRAS.items()}
    for name, there in report["extras"].items():
        speaker.result(
            f"  extra [{name}] " + ("installed" if there else f"not installed ({how_to_install(name)})")
        )
    given = {"detector": detector, "weights": weights, "threads": threads, "engine": engine}
    report |= _settings(speaker, settings, given)
    report |= _engine(speaker, chosen, problems)
    report |= _parts(speaker, chosen, problems)
    for problem in problems:
        speaker.result(f"PROBLEM: {problem}")
    if not problems:
        speaker.result("all is well")
    speaker.document({**report, "problems": problems, "ok": not problems})
    raise typer.Exit(1 if problems else 0)


def _settings(speaker: Speaker, settings: Settings, given: dict[str, Any]) -> dict[str, Any]:
    """Every setting that is made, and where; given: options of the command, None for those that were not given."""
    made = settings.origins() | {
        name: (value, f"--{name}") for name, value in given.items() if value is not None
    }
    for name, (value, place) in sorted(made.items()):
        speaker.result(f"  {name} = {value} (from {place})")
    speaker.result(
        "settings: all others have their defaults" if made else "settings: all have their defaults"
    )
    return {
        "settings": {name: {"value": value, "from": place} for name, (value, place) in sorted(made.items())},
        "settings_not_used": settings.passed_over,
    }


def _version(name: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _engine(speaker: Speaker, chosen: options.Chosen, problems: list[str]) -> dict[str, Any]:
    from multiface.weights.session import OPENVINO, available_engines, usable_processors

    engines, processors = available_engines(), usable_processors()
    budget = chosen.engine_value().thread_count
    speaker.result(
        f"engine {chosen.engine} (of {', '.join(engines)}), {budget} threads of {processors} processors"
    )
    if chosen.engine not in (*engines, OPENVINO):  # `_parts` says what OpenVINO lacks
        problems.append(f"the engine {chosen.engine} is not in the installed ONNX Runtime")
    if budget > processors:
        problems.append(f"{budget} threads on {processors} processors are slower than {processors}")
    return {"engine": chosen.engine, "engines": list(engines), "threads": budget, "processors": processors}


def _parts(speaker: Speaker, chosen: options.Chosen, problems: list[str]) -> dict[str, Any]:
    """Open detector and embedder, run both on the packaged portrait, and say how long each takes."""
    from multiface.faces.align import align
    from multiface.faces.finding import find_faces
    from multiface.images import load_picture
    from multiface.recognition.demo import PORTRAIT

    speaker.result(f"weights in {chosen.store}, cache in {chosen.cache}")
    report: dict[str, Any] = {"store": str(chosen.store), "cache": str(chosen.cache)}
    try:
        with chosen.recognizer() as recognizer:
            image = load_picture(PORTRAIT)
            found = find_faces(recognizer.detector, image)
            spec = recognizer.embedder.spec
            crops = align(image, found.faces.landmarks, spec.template, (spec.width, spec.height))
            detecting = _seconds(lambda: recognizer.detector.detect(image))
            embedding = _seconds(lambda: recognizer.embedder.embed(crops, recognizer.flip))
            file = chosen.files().embedder(chosen.weights)
            speaker.result(
                f"detector {recognizer.detector.name}: {1000 * detecting:.0f} ms for a 512 x 512 picture; "
                f"embedder {recognizer.embedder.name}: {1000 * embedding:.0f} ms a face "
                f"{'with' if recognizer.flip else 'without'} flips"
            )
            speaker.result(
                f"weights {file.name}: licence {file.licence}, fingerprint {file.fingerprint[:12]}"
            )
            report |= {
                "detector": recognizer.detector.name,
                "weights": file.name,
                "licence": file.licence,
                "fingerprint": file.fingerprint,
                "detection_ms": round(1000 * detecting, 1),
                "embedding_ms": round(1000 * embedding, 1),
            }
            report |= _other_engine(speaker, chosen, crops, embedding)
            slow = "detection" if detecting > embedding else "embedding"
            speaker.result(f"a picture with one face spends most of its time in {slow}")
            if len(found.faces) != 1:
                problems.append(f"{len(found.faces)} faces found in the packaged portrait, 1 wanted")
            calibration = recognizer.calibration
            speaker.result(f"thresholds from {calibration.source}")
            report["calibration"] = calibration.source
            if recognizer.caveat:
                speaker.warn(recognizer.caveat)
            report["own_calibrations"] = say_calibrations(speaker, chosen.store)
    except MultifaceError as error:
        problems.append(str(error))
    return report


def _other_engine(
    speaker: Speaker, chosen: options.Chosen, crops: "npt.NDArray[np.uint8]", embedding: float
) -> dict[str, Any]:
    """Time the embedder on cpu or openvino, whichever is not in use, and recommend it if it is clearly faster.

    embedding: seconds for these crops on the engine in use. Empty unless both engines are there.
    """
    from multiface.faces.opening import open_embedder
    from multiface.weights.session import OPENVINO, Engine, available_engines

    others = {"cpu": OPENVINO, OPENVINO: "cpu"}
    other = others.get(chosen.engine)
    if other is None or other not in available_engines():
        return {}
    embedder = open_embedder(chosen.files(), chosen.weights, Engine(other, chosen.threads))
    flip = embedder.flip if chosen.flip is None else chosen.flip
    seconds = _seconds(lambda: embedder.embed(crops, flip))
    faster = seconds < _CLEARLY * embedding
    speaker.result(
        f"the embedder takes {1000 * seconds:.0f} ms a face on the engine {other}: "
        + (f"use --engine {other}" if faster else f"{chosen.engine} is the better choice here")
    )
    return {"other_engine": other, "other_embedding_ms": round(1000 * seconds, 1), "other_is_faster": faster}


def _seconds(action: Any) -> float:
    """The best of three runs after one that does not count."""
    action()
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - start)
    return best

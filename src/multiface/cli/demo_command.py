"""`demo`: a whole recognition on the picture in the package."""

from pathlib import Path
from typing import Annotated

import typer

from multiface.cli import options
from multiface.cli.console import Speaker
from multiface.cli.paths import require_folder
from multiface.cli.settings import Settings


def demo(
    out: Annotated[Path, typer.Option("--out", help="The annotated picture (.png or .jpg).")] = Path(
        "multiface-demo.png"
    ),
    detector: options.Detector = None,
    weights: options.Weights = None,
    flip: options.Flip = None,
    threads: options.Threads = None,
    engine: options.EngineName = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Recognise the packaged portrait offline and say where the annotated picture is."""
    from multiface.recognition import run_demo
    from multiface.recognition.documents import identification_document

    speaker = Speaker(as_json, quiet)
    require_folder(out)
    chosen = options.choose(Settings.here(), detector, weights, flip, threads, engine)
    with chosen.recognizer() as recognizer:
        done = run_demo(recognizer, out)
    best = done.result.faces[0].decision.best
    threshold = done.result.faces[0].decision.threshold
    if best is not None and threshold is not None:
        speaker.result(
            f"Enrolled one portrait, and in a mirrored, turned, darkened copy recognised {best.name} "
            f"(similarity {best.similarity:.3f}, threshold {threshold.similarity:.3f})."
        )
    speaker.result(f"The annotated picture: {done.picture.resolve()}")
    speaker.document(
        {
            "name": done.name,
            "picture": str(done.picture),
            "caveat": recognizer.caveat,
            **identification_document(out, done.result),
        }
    )

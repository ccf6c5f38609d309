"""`people reembed`: a gallery for other weights, from the pictures that it was made of."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiface.cli import options
from multiface.cli.console import Speaker, counted
from multiface.cli.gallery_place import existing, gallery_of, opened_gallery
from multiface.cli.settings import Settings
from multiface.errors import UsageError

if TYPE_CHECKING:
    from multiface.gallery import Reembedded, Reembedding


def reembed_people(
    folder: Annotated[
        list[Path] | None,
        typer.Option(
            "--folder",
            help="Also look for pictures here, by their content; repeatable. Folders that were imported are known.",
            show_default=False,
        ),
    ] = None,
    drop_missing: Annotated[
        bool,
        typer.Option(
            "--drop-missing", help="Remove the templates whose picture or face is not found, and switch."
        ),
    ] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Cancel an unfinished run; the gallery stays as it is.")
    ] = False,
    gallery: options.GalleryFile = None,
    detector: options.Detector = None,
    weights: options.Weights = None,
    flip: options.Flip = None,
    threads: options.Threads = None,
    engine: options.EngineName = None,
    min_face: options.MinFace = None,
    _max_picture: options.MaxPicture = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Embed everybody in a gallery again with other weights, from their pictures.

    The old vectors are used until all new ones are there. Run it again to resume. Exit code 3: pictures are
    missing, and the gallery is as it was.
    """
    from multiface.gallery import Gallery

    speaker = Speaker(as_json, quiet)
    if cancel:
        if folder or drop_missing:
            raise UsageError("--cancel goes alone")
        with opened_gallery(gallery) as opened:
            given_up = opened.cancel_reembedding()
        speaker.result("cancelled; the gallery is unchanged" if given_up else "nothing was begun")
        speaker.document({"cancelled": given_up})
        return
    settings = Settings.here()
    chosen = options.choose(settings, detector, weights, flip, threads, engine, min_face)
    place = existing(gallery_of(settings, gallery))
    with chosen.recognizer() as recognizer, Gallery.open(place) as opened:
        name, before, lingering = recognizer.origin.weights, opened.origin.weights, opened.lingering
        begun = opened.reembedding()
        if begun is not None and begun.templates:
            speaker.note(f"{counted(begun.templates, 'template')} done before; continuing")
        try:
            with speaker.stages() as stage:
                done = recognizer.reembed(
                    opened, folder or (), drop_missing, stage("templates"), stage("pictures looked through")
                )
        except KeyboardInterrupt:
            speaker.note("stopped; the same command continues from here; until then the old vectors are used")
            raise
    _say(speaker, done, before, name, place)
    if done.switched and not done.purged:
        speaker.note(lingering)
    speaker.document({"gallery": place, "before": before, "weights": name, **_document(done)})
    if not done.switched:
        raise typer.Exit(3)


def in_progress(state: "Reembedding | None") -> dict[str, Any] | None:
    """How far a gallery is that is being embedded again, as the document of `people check` has it."""
    if state is None:
        return None
    return {
        "weights": state.origin.weights,
        "fingerprint": state.origin.fingerprint,
        "detector": state.origin.detector,
        "flip": state.origin.flip,
        "started": state.started,
        "done": state.done,
        "total": state.total,
    }


def _say(speaker: Speaker, done: "Reembedded", before: str, name: str, place: str) -> None:
    for one in done.missing:
        speaker.warn(
            f"{'removed' if done.switched else 'missing'}: {one.name}: {one.source} "
            f"(template {one.template}): {one.reason}"
        )
    for person in done.without_template:
        speaker.warn(f"{person} has no template now")
    if not done.switched:
        speaker.warn(
            f"{counted(len(done.missing), 'template')} of {len(done.missing) + done.templates} could not be embedded "
            f"again, so {place} still holds vectors of {before}; --folder FOLDER looks for pictures there, "
            "--drop-missing removes these templates, --cancel cancels it"
        )
        return
    if not (done.templates or done.missing or done.strangers or done.faces):
        speaker.result(f"{place}: holds vectors of {name} already")
        return
    speaker.result(f"{place}: {counted(done.templates, 'template')} of {name} now (before: {before})")
    if done.from_crops:
        speaker.note(f"{counted(done.from_crops, 'template')} from crops, as the pictures were not found")
    if done.faces or done.faces_lost:
        speaker.result(f"album: {counted(done.faces, 'face')} embedded again")
    if done.faces_lost:
        speaker.warn(
            f"{counted(done.faces_lost, 'face')} of the album cannot be compared with anybody now: neither photo nor "
            "crop gave a vector; `multiface album scan --again FOLDER` looks for them anew"
        )
    if done.strangers or done.strangers_gone:
        speaker.result(f"strangers: {done.strangers} embedded again")
    if done.strangers_gone:
        speaker.warn(f"{counted(done.strangers_gone, 'stranger')} removed: no face was found in the picture")


def _document(done: "Reembedded") -> dict[str, Any]:
    return {
        "switched": done.switched,
        "templates": done.templates,
        "from_crops": done.from_crops,
        "missing": [
            {
                "template": one.template,
                "name": one.name,
                "person": one.person,
                "source": one.source,
                "sha256": one.digest,
                "reason": one.reason,
            }
            for one in done.missing
        ],
        "without_template": list(done.without_template),
        "album_faces": done.faces,
        "album_faces_lost": done.faces_lost,
        "strangers": done.strangers,
        "strangers_removed": done.strangers_gone if done.switched else 0,
        "purged": done.purged,
    }

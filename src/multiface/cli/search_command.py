"""`search`: who is most like the faces of pictures, without deciding."""

from pathlib import Path
from typing import Annotated, Any

import typer

from multiface.cli import options
from multiface.cli.console import Speaker, counted
from multiface.cli.gallery_place import existing, gallery_of, people_folder_of
from multiface.cli.paths import picture_paths
from multiface.cli.recognise_commands import each_picture, end
from multiface.cli.settings import Settings


def search(
    pictures: options.Pictures,
    people: options.People = None,
    gallery: options.GalleryFile = None,
    most: Annotated[int, typer.Option("--most", help="People for each face.", min=1)] = 5,
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
    """Rank the people who are most like each face. Nothing is decided and no error rate is stated.

    It needs no calibration and answers in galleries of any size; `identify` says who it is.
    """
    from multiface.images import open_picture
    from multiface.recognition.documents import ranking_document

    speaker = Speaker(as_json, quiet)
    settings = Settings.here()
    chosen = options.choose(settings, detector, weights, flip, threads, engine, min_face)
    paths = picture_paths(speaker, pictures)
    folder = people_folder_of(settings, people, gallery)
    place = existing(gallery_of(settings, gallery)) if folder is None else None
    with (
        speaker.progress("people") as progress,
        chosen.recognizer(people=folder, gallery=place, progress=progress) as recognizer,
    ):

        def one(path: Path) -> dict[str, Any]:
            analysis = recognizer.analyse(open_picture(path).pixels)
            document = ranking_document(path, analysis, recognizer.rank(analysis.embeddings, most))
            speaker.result(f"{path}: {counted(len(document['faces']), 'face')}")
            for face in document["faces"]:
                x0, y0, x1, y1 = face["box"]
                ranked = (
                    ", ".join(f"{one['name']} {one['similarity']:.3f}" for one in face["people"]) or "nobody"
                )
                speaker.result(f"  {ranked}  (box {x0:.0f},{y0:.0f} to {x1:.0f},{y1:.0f})")
            return document

        documents, failed = each_picture(speaker, paths, one)
    speaker.note(
        "similarities alone say nothing about who it is: `multiface identify` decides at a stated rate"
    )
    speaker.document({"pictures": documents})
    end(failed)

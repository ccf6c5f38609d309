"""Pictures of people to templates: one face a picture, or a reason why not."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from multiface.errors import FaceError, MultifaceError, NoFace, SeveralFaces
from multiface.faces.analysis import Analyser, Analysis
from multiface.faces.main_face import clear_main_face
from multiface.gallery import NewTemplate, PictureFacts, Refusal
from multiface.images import load_picture

BATCH = 32
"""Pictures in memory at once."""


def template_from(analysis: Analysis, name: str, digest: str, detector: str) -> NewTemplate:
    """The template of the one face, or of the clear main face, of a picture called `name`.

    Raises NoFace or SeveralFaces.
    """
    count = len(analysis.faces)
    if count == 0:
        raise NoFace(f"{name}: no face was found, neither upright nor in the quarter turns")
    main = clear_main_face(analysis.faces)
    if main is None:
        raise SeveralFaces(
            f"{name}: {count} faces and none of them twice as large as the others, so it is not clear who is "
            f"meant; crop the picture to one person"
        )
    x0, y0, x1, y1 = (float(edge) for edge in analysis.faces.boxes[main])
    facts = PictureFacts(
        width=analysis.width,
        height=analysis.height,
        box=(x0, y0, x1, y1),
        score=float(analysis.faces.scores[main]),
        detector=detector,
        quarter_turns=analysis.turn,
        faces_in_picture=count,
    )
    return NewTemplate(analysis.embeddings[main], digest, name, facts)


def templates_of(analyser: Analyser, paths: Sequence[Path]) -> Iterator[tuple[Path, NewTemplate | Refusal]]:
    """For each path its template, or the reason why there is none; embedded batch by batch."""
    for start in range(0, len(paths), BATCH):
        yield from _templates_of_batch(analyser, paths[start : start + BATCH])


def _templates_of_batch(
    analyser: Analyser, paths: Sequence[Path]
) -> Iterator[tuple[Path, NewTemplate | Refusal]]:
    images, digests, refusals = [], {}, {}
    for path in paths:
        try:
            images.append((path, load_picture(path)))
            digests[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        except MultifaceError as error:
            refusals[path] = Refusal(str(error))
    analyses = dict(
        zip((path for path, _ in images), analyser.analyse([image for _, image in images]), strict=True)
    )
    for path in paths:
        if path in refusals:
            yield path, refusals[path]
            continue
        try:
            yield path, template_from(analyses[path], path.name, digests[path], analyser.detector.name)
        except FaceError as error:
            yield path, Refusal(str(error))

"""A whole recognition on the portrait that comes with the package: enrol it, recognise a changed copy,
annotate.

The portrait is NASA's photograph of the astronaut Eileen Collins (public domain), the picture that
scikit-image carries as `astronaut`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from multiface.errors import FaceError, UsageError
from multiface.images import Image, load_picture, save_picture
from multiface.recognition.annotate import annotated
from multiface.recognition.recognizer import Recognizer
from multiface.recognition.results import Identification

PORTRAIT = Path(__file__).parent / "portrait" / "astronaut.jpg"
NAME = "Eileen Collins"


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demonstration found, and where its picture lies."""

    name: str
    result: Identification
    picture: Path


def run_demo(recognizer: Recognizer, out: Path) -> Demo:
    """Enrol the portrait, identify a changed copy of it, and write the annotated copy to `out` (PNG or JPEG).

    recognizer: without people; a gallery in a temporary folder is given to it for the time.
    Raises FaceError when the installation does not find or know the face again.
    """
    if recognizer.gallery is not None:
        raise UsageError("the demonstration needs a recogniser without people")
    changed = changed_copy(load_picture(PORTRAIT))
    with recognizer.temporary_gallery():
        recognizer.enroll(NAME, [PORTRAIT])
        result = recognizer.identify(changed)
    if [face.name for face in result.faces] != [NAME]:
        raise FaceError(
            f"the demonstration did not recognise its own portrait ({len(result.faces)} faces found)",
            hint="`multiface doctor` may say why",
        )
    save_picture(annotated(changed, result), out)
    return Demo(NAME, result, out)


def changed_copy(image: Image) -> Image:
    """The picture mirrored, turned by 8 degrees, darkened, smaller, with noise: not the enrolled pixels."""
    picture = Pillow.fromarray(image[:, ::-1]).rotate(8, Pillow.Resampling.BICUBIC, fillcolor=(90, 90, 90))
    small = np.asarray(picture.resize((400, 400), Pillow.Resampling.LANCZOS), np.float32)
    noise = np.random.default_rng(0).normal(0, 6, small.shape)
    return np.clip(small * 0.75 + noise, 0, 255).astype(np.uint8)

"""The pictures of the examples, made of the portrait in the package: no other picture of a person is needed.

    python docs/pictures.py [FOLDER]

Seen through a strong lens, a face is another person to a recognition network. So there are three people: Eileen (the
portrait), Max (a lens over the middle of the face) and a stranger (a lens over the forehead). Written are `people/`
with Eileen and Max, `more/` with further pictures, `party.jpg` with all three and, where PyAV is installed,
`party.mp4`, in which Eileen and the stranger move.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from multiface.recognition.demo import PORTRAIT

FACE = (223, 120)
"""Middle of the face in the portrait, in pixels."""


def lens(picture: Image.Image, middle: tuple[int, int], radius: float, strength: float) -> Image.Image:
    """The picture through a lens that enlarges around a point, by 1 / (1 - strength) in its middle."""
    pixels = np.asarray(picture)
    height, width = pixels.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(float)
    away = np.hypot(x - middle[0], y - middle[1]) / radius
    scale = np.where(away < 1, 1 - strength * (1 - away), 1)
    columns = np.clip(middle[0] + (x - middle[0]) * scale, 0, width - 1).astype(int)
    rows = np.clip(middle[1] + (y - middle[1]) * scale, 0, height - 1).astype(int)
    return Image.fromarray(pixels[rows, columns])


def changed(picture: Image.Image) -> Image.Image:
    """Another picture of the same person: mirrored, turned a little, darker."""
    return ImageEnhance.Brightness(ImageOps.mirror(picture).rotate(6, fillcolor=(90, 110, 100))).enhance(0.8)


def main(folder: Path) -> None:
    eileen = Image.open(PORTRAIT).convert("RGB")
    max_ = lens(eileen, FACE, 110, 0.9)
    stranger = lens(eileen.resize((512, 600)), (FACE[0], 110), 150, 0.9)
    for name, picture in (("Eileen", eileen), ("Max", max_)):
        (folder / "people" / name).mkdir(parents=True, exist_ok=True)
        picture.save(folder / "people" / name / "1.png")
        (folder / "more").mkdir(exist_ok=True)
        changed(picture).save(folder / "more" / f"{name}.png")
    party = Image.new("RGB", (1280, 480), (90, 110, 100))
    for k, picture in enumerate((changed(eileen), changed(max_), stranger)):
        party.paste(picture.resize((420, 420)), (5 + 425 * k, 30))
    party.save(folder / "party.jpg", quality=92)
    if find_spec("av") is not None:
        write_video(folder / "party.mp4", eileen, stranger)


def write_video(file: Path, left: Image.Image, right: Image.Image) -> None:
    """Four seconds at 25 frames a second; the one on the right comes after two."""
    import av

    with av.open(file, "w") as video:
        stream = video.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for number in range(100):
            frame = Image.new("RGB", (640, 360), (90, 110, 100))
            frame.paste(left.resize((300, 300)), (10 + number // 4, 30))
            if number >= 50:
                frame.paste(right.resize((300, 300)), (330 - number // 8, 30))
            video.mux(stream.encode(av.VideoFrame.from_image(frame)))
        video.mux(stream.encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())

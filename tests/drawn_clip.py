"""A film with sound in which drawn people appear; no picture of a person is needed."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.drawn_faces import drawn_face

SIZE = (640, 360)
"""Width and height."""
RATE = 30
"""Frames a second."""
ALONE = (1.0, 5.0)
"""From when to when cleo is alone and looks at us, in seconds; before and after bob and dora are there."""
SECONDS = 6
"""Its length."""


def write_clip(path: Path) -> Path:
    """180 frames of 640 x 360 as H.264 with a key frame each half second, a tone as AAC; the format by the name."""
    rng = np.random.default_rng(0)
    grounds = [
        np.asarray(Image.fromarray(rng.integers(60, 140, (9, 16, 3), np.uint8)).resize(SIZE)) for _ in "123"
    ]
    faces = {name: Image.fromarray(drawn_face(name)) for name in ("bob", "cleo", "dora")}
    with av.open(str(path), "w") as out:
        picture = out.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "g": "15"})
        picture.width, picture.height, picture.pix_fmt = *SIZE, "yuv420p"
        sound = out.add_stream("aac", rate=44100, layout="mono")
        for number in range(SECONDS * RATE):
            image = _frame(number, grounds, faces)
            out.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            out.mux(sound.encode(_tone(number)))
        for stream in (picture, sound):
            out.mux(stream.encode(None))
    return path


def _frame(
    number: int, grounds: list[npt.NDArray[np.uint8]], faces: dict[str, Image.Image]
) -> npt.NDArray[np.uint8]:
    """The people move a little and turn their heads; each of the three scenes has another background."""
    scene = int(number >= ALONE[0] * RATE) + int(number >= ALONE[1] * RATE)
    image = Image.fromarray(grounds[scene])
    for name, left in (("cleo", 200),) if scene == 1 else (("bob", 60), ("dora", 380)):
        turned = faces[name].rotate(
            4 * float(np.sin(number / 9)), Image.Resampling.BICUBIC, fillcolor=(100, 100, 100)
        )
        image.paste(turned, (left + number // 6, 80 + number // 10))
    return np.asarray(image)


def _tone(number: int) -> av.AudioFrame:
    """440 Hz for as long as a frame of the picture is shown."""
    samples = 44100 // RATE
    when = (number * samples + np.arange(samples)) / 44100
    frame = av.AudioFrame.from_ndarray(
        0.3 * np.sin(2 * np.pi * 440 * when)[None].astype(np.float32), "fltp", "mono"
    )
    frame.sample_rate, frame.pts, frame.time_base = 44100, number * samples, Fraction(1, 44100)
    return frame

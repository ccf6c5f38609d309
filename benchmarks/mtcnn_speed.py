"""How much faster MultiFace's MTCNN is than facenet-pytorch's on the CPU; does it find the same faces?

    python benchmarks/mtcnn_speed.py --peer-python PYTHON --photo FIVE_PEOPLE.jpg

PYTHON is an interpreter with torch and facenet-pytorch (pip install --no-deps facenet-pytorch; it also wants
requests and tqdm). The photo is scaled and cut to 1280 x 720. The peer runs as a worker process; the two
take turns, one picture each, so that both see the same machine; each uses `--threads` threads. Where
the peer has no torchvision, a stand-in of this file takes the place of its non-maximum suppression, and the
time spent in it is taken off the peer's. Ratios are peer over MultiFace: above 1, MultiFace is faster.
On a busy machine compare with --threads 1: PyTorch's threads wait for each other by spinning, and its time
with several threads grows out of proportion.
"""

import argparse
import json
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import PIL.Image

from multiface.faces.boxes import iou
from multiface.faces.face import Faces
from multiface.faces.mtcnn import Mtcnn, MtcnnSessions
from multiface.weights.places import default_store_folder
from multiface.weights.session import Engine, open_session
from multiface.weights.store import Store

SIZE = (1280, 720)

STAND_IN = """
import time
import numpy as np, torch
spent = 0.0
def batched_nms(boxes, scores, idxs, iou_threshold):
    global spent
    start = time.perf_counter()
    apart = float(boxes.max()) + 1 if len(boxes) else 0.0
    b = boxes.numpy().astype(np.float64) + (idxs.numpy() * apart)[:, None]
    left = np.argsort(-scores.numpy(), kind="stable")
    area = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    keep = []
    while len(left):
        best, left = left[0], left[1:]
        keep.append(best)
        sides = np.minimum(b[best, 2:], b[left, 2:]) - np.maximum(b[best, :2], b[left, :2])
        common = np.maximum(sides, 0).prod(axis=1)
        left = left[common <= iou_threshold * (area[best] + area[left] - common)]
    spent += time.perf_counter() - start
    return torch.as_tensor(np.array(keep, np.int64))
"""

WORKER = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
photo, threads, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
sys.path.append(folder)
import numpy as np, torch
from PIL import Image
torch.set_num_threads(threads)
from facenet_pytorch import MTCNN
import torchvision.ops.boxes as nms
picture = Image.open(photo).convert("RGB")
detectors = {}
print(json.dumps({"stand_in": hasattr(nms, "spent")}), flush=True)
for line in sys.stdin:
    size = int(line)
    if size not in detectors:
        detectors[size] = MTCNN(min_face_size=size, keep_all=True, device="cpu", thresholds=[0.6, 0.7, 0.9])
    before = getattr(nms, "spent", 0.0)
    start = time.perf_counter()
    boxes, scores, landmarks = detectors[size].detect(picture, landmarks=True)
    seconds = time.perf_counter() - start - (getattr(nms, "spent", 0.0) - before)
    found = [] if boxes is None else zip(boxes, scores, landmarks)
    faces = [[np.float64(b).tolist(), float(s), np.float64(m).tolist()] for b, s, m in found]
    print(json.dumps({"seconds": seconds, "faces": faces}), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Turn:
    seconds: float
    faces: Faces


@dataclass(frozen=True, slots=True)
class Peer:
    """The worker process."""

    ask: IO[str]
    answers: IO[str]

    def detect(self, min_face: int) -> Turn:
        print(min_face, file=self.ask, flush=True)
        answer = json.loads(self.answers.readline())
        faces = answer["faces"]
        return Turn(
            answer["seconds"],
            Faces(
                np.array([box for box, _, _ in faces], np.float32).reshape(-1, 4),
                np.array([score for _, score, _ in faces], np.float32),
                np.array([points for _, _, points in faces], np.float32).reshape(-1, 5, 2),
            ),
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer-python", required=True, help="interpreter with torch and facenet-pytorch")
    parser.add_argument("--photo", required=True, type=Path, help="a photo of a few people")
    parser.add_argument("--sizes", type=int, nargs="+", default=[20, 40, 80], help="minimum face sizes")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each, after two to warm up")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    sessions = open_sessions(options.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_peer(folder)
        picture = fill(options.photo)
        picture.save(folder / "photo.png")
        command = [options.peer_python, folder / "worker.py", folder / "photo.png", str(options.threads)]
        with subprocess.Popen(
            [*command, folder / "stand_in"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as worker:
            assert worker.stdin is not None and worker.stdout is not None
            peer = Peer(worker.stdin, worker.stdout)
            stand_in = json.loads(worker.stdout.readline())["stand_in"]
            print(f"torchvision: {'stand-in, its time taken off' if stand_in else 'the real one'}")
            for size in options.sizes:
                compare(Mtcnn(sessions, 0.9, size), peer, np.asarray(picture), size, options.rounds)
            worker.stdin.close()


def compare(detector: Mtcnn, peer: Peer, image: npt.NDArray[np.uint8], size: int, rounds: int) -> None:
    ours, theirs = [], []
    for turn in range(rounds + 2):
        other = peer.detect(size)
        start = time.perf_counter()
        faces = detector.detect(image)
        seconds = time.perf_counter() - start
        if turn >= 2:
            ours.append(seconds)
            theirs.append(other.seconds)
    low, high = interval(np.array(theirs) / np.array(ours))
    ratio = float(np.median(np.array(theirs) / np.array(ours)))
    print(
        f"min face {size:3d}: MultiFace {np.median(ours) * 1e3:6.1f} ms, facenet-pytorch "
        f"{np.median(theirs) * 1e3:6.1f} ms, ratio {ratio:.2f} (95 % interval {low:.2f} to {high:.2f}); "
        f"{agreement(faces, other.faces)}"
    )


def agreement(ours: Faces, theirs: Faces) -> str:
    sides = theirs.boxes[:, 2:] - theirs.boxes[:, :2]
    match = iou(theirs.boxes, ours.boxes)
    best = match.argmax(axis=1)
    pairs = np.flatnonzero(match.max(axis=1) > 0.5)
    apart = np.linalg.norm(theirs.landmarks[pairs] - ours.landmarks[best[pairs]], axis=2).mean(axis=1)
    eyes = np.linalg.norm(theirs.landmarks[pairs, 0] - theirs.landmarks[pairs, 1], axis=1)
    alone = [f"{s.min():.0f} px at {score:.3f}" for s, score in zip(sides, theirs.scores, strict=True)]
    missed = [alone[k] for k in range(len(theirs)) if k not in pairs]
    return (
        f"faces {len(ours)} and {len(theirs)}, {len(pairs)} of them the same"
        f"{' (not: ' + ', '.join(missed) + ')' if missed else ''}, landmarks "
        f"{(apart / eyes).mean():.3f} of the eyes' distance apart"
    )


def interval(ratios: npt.NDArray[Any]) -> tuple[float, float]:
    """95 % bootstrap interval of the median."""
    draws = np.random.default_rng(0).choice(ratios, (4000, len(ratios)))
    low, high = np.percentile(np.median(draws, axis=1), [2.5, 97.5])
    return float(low), float(high)


def fill(photo: Path) -> PIL.Image.Image:
    """The photo, scaled to fill 1280 x 720 and cut around its middle."""
    with PIL.Image.open(photo) as file:
        picture = file.convert("RGB")
    scale = max(SIZE[0] / picture.width, SIZE[1] / picture.height)
    width, height = SIZE[0] / scale, SIZE[1] / scale
    left, top = (picture.width - width) / 2, (picture.height - height) / 2
    return picture.resize(SIZE, PIL.Image.Resampling.BICUBIC, box=(left, top, left + width, top + height))


def open_sessions(threads: int) -> MtcnnSessions:
    engine = Engine("cpu", threads)
    files = Store(default_store_folder()).detector("mtcnn").files
    return MtcnnSessions(**{role: open_session(path, engine) for role, path in files})


def write_peer(folder: Path) -> None:
    (folder / "worker.py").write_text(WORKER)
    package = folder / "stand_in" / "torchvision"
    for name in ("__init__", "ops/__init__", "transforms/__init__", "transforms/functional"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / f"{name}.py").write_text("")
    (package / "ops" / "boxes.py").write_text(STAND_IN)


if __name__ == "__main__":
    main()

"""Files that were changed at random, over everything that reads files: each is read, or refused with a clear error.

    python benchmarks/mutated_inputs.py SHARED [--inputs 10000] [--seed 0]

Up to six places of a sound file are changed: bytes flipped, runs doubled, blanked, cut out or swapped, the end cut off.
Kinds: pictures of each format, packs and records, `multiface.toml`, recipes, calibrations, ONNX files, safetensors,
galleries and event stores. Each is read in a process of its own kind that is watched: an error that is not MultiFace's,
a death, more than 10 seconds, or memory above the limit (3 GiB) is counted and its file kept. Ends with 1 if any is.
SHARED: the folder of reference data. Results of the last run: docs/trust.md.
"""

import argparse
import io
import json
import multiprocessing
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

SECONDS = 10.0
MOST_MIB = 3072


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Up to six changes."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        if not out:
            break
        at = chance.randrange(len(out))
        # The beginning, where headers are, as often as everything else.
        at = at if chance.random() < 0.5 else at % min(len(out), 256)
        run = chance.choice((1, 1, 2, 4, 16, 256))
        match chance.randrange(7):
            case 0:
                out[at] ^= 1 << chance.randrange(8)
            case 1:
                out[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                out[at : at + run] = bytes(chance.randrange(256) for _ in out[at : at + run])
            case 3:
                out[at:at] = out[at : at + run]
            case 4:
                del out[at : at + run]
            case 5:
                out[at : at + run] = chance.choice((b"\0", b"\xff")) * len(out[at : at + run])
            case 6 if chance.random() < 0.3:
                del out[at:]
    return bytes(out)


def sound_pictures() -> dict[str, bytes]:
    """The portrait of the package in every format."""
    import PIL.Image

    from multiface.recognition.demo import PORTRAIT

    portrait = PIL.Image.open(PORTRAIT).convert("RGB").resize((160, 160))
    made = {}
    for ending, options in {
        "jpg": {},
        "png": {},
        "gif": {},
        "bmp": {},
        "tiff": {"compression": "tiff_lzw"},
        "webp": {},
        "avif": {},
        "jp2": {},
        "ppm": {},
        "progressive.jpg": {"progressive": True},
    }.items():
        file = io.BytesIO()
        kind = {"jpg": "jpeg", "jp2": "jpeg2000"}.get(ending.split(".")[-1], ending)
        portrait.save(file, kind, **options)
        made[f"picture {ending}"] = file.getvalue()
    deep = io.BytesIO()
    portrait.convert("F").save(deep, "tiff")
    return made | {"picture float.tiff": deep.getvalue()}


def sound_files(shared: Path, work: Path) -> dict[str, bytes]:
    """One sound file of each kind, by a name that begins with its reader's."""
    import numpy as np
    from safetensors.numpy import save

    from multiface.decision.shipped import SHIPPED
    from multiface.gallery import Gallery
    from multiface.gallery.contents import NewTemplate, PictureFacts, VectorOrigin
    from multiface.video.events.event_store import EventStore
    from multiface.video.results import Event
    from multiface.weights.store import PACKED

    files = sound_pictures()
    files |= {
        f"pack {path.name}": path.read_bytes()
        for path in sorted((shared / "golden/bins").glob("py*.bin"))[::4]
    }
    records = shared / "golden/records"
    files |= {f"records {path.name}": path.read_bytes() for path in sorted(records.rglob("*.rec"))[:2]}
    files["settings toml"] = b'detector = "yunet"\nrate = 0.01\nthreads = 2\nflip = true\npeople = "x"\n'
    files["recipe toml"] = b'[data]\nfolders = ["a", "b"]\n[run]\nbatch = 64\nseed = 3\n[head]\nslices = 2\n'
    files["calibration json"] = sorted(SHIPPED.glob("*.json"))[0].read_bytes()
    files["network yunet"] = (PACKED / "yunet.onnx").read_bytes()
    files["network onet"] = (PACKED / "mtcnn_onet.onnx").read_bytes()
    files["tensors"] = save(
        {"a": np.zeros((3, 4), np.float32)}, {"multiface.run": json.dumps({"spec": "{}"})}
    )
    facts = PictureFacts(640, 480, (10, 10, 60, 70), 0.9, "yunet", 0, 1)
    vector = np.eye(8, dtype=np.float32)
    with Gallery.open(
        work / "g.sqlite", VectorOrigin("ab" * 32, "sface", "yunet", 8, False), create=True
    ) as gallery:
        for k in range(8):
            gallery.add_templates(f"person {k}", [NewTemplate(vector[k], f"{k:064}", "a.jpg", facts)])
    files["gallery"] = (work / "g.sqlite").read_bytes()
    with EventStore(work / "e.sqlite") as store:
        store.add("session", Event(1.0, "appeared", 1, None, None, (1.0, 2.0, 3.0, 4.0)))
    files["events"] = (work / "e.sqlite").read_bytes()
    return files


def readers(work: Path) -> dict[str, Callable[[Path], object]]:
    """What reads a file of each kind as far as users' commands do."""
    from multiface.cli.settings import Settings
    from multiface.datasets.bin_pack import read_bin
    from multiface.datasets.recordio import RecordFile
    from multiface.decision.calibration import read_calibration
    from multiface.gallery import Gallery
    from multiface.images import open_picture
    from multiface.train.recipe import recipe_from_toml
    from multiface.train.tensor_file import read_tensors
    from multiface.video.events.event_store import EventStore
    from multiface.weights.onnx_model import parse_model
    from multiface.weights.session import Engine, open_session

    def records(path: Path) -> None:
        file = RecordFile.open(path)
        for key in list(file.keys)[:50]:
            file.read(key)

    def network(path: Path) -> None:
        parse_model(path.read_bytes())
        open_session(path, Engine(threads=1))

    def gallery(path: Path) -> None:
        with Gallery.open(path) as opened:
            opened.check()
            opened.matrix()
            opened.people()

    def events(path: Path) -> None:
        with EventStore(path) as opened:
            list(opened.since(0))

    def settings(path: Path) -> None:
        shutil.move(path, work / "multiface.toml")
        Settings({}, work)

    return {
        "picture": open_picture,
        "pack": read_bin,
        "records": records,
        "settings": settings,
        "recipe": lambda path: recipe_from_toml(path.read_text(encoding="utf-8")),
        "calibration": read_calibration,
        "network": network,
        "tensors": read_tensors,
        "gallery": gallery,
        "events": events,
    }


def reading(connection: Connection, work: Path) -> None:
    """The watched process: a kind and a path come in, what came of it goes back."""
    from multiface.errors import MultifaceError

    known = readers(work)
    while True:
        kind, path = connection.recv()
        try:
            known[kind](path)
            said = "read"
        except MultifaceError:
            said = "refused"
        except MemoryError:
            said = "MemoryError"
        except UnicodeDecodeError as error:
            said = "refused" if kind == "recipe" else f"{type(error).__name__}: {error}"
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        connection.send((said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))


class Reader:
    """One watched process at a time; a dead or slow one is replaced."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=reading, args=(theirs, self.work), daemon=True)
        self.process.start()
        theirs.close()

    def read(self, kind: str, path: Path, seconds: float) -> tuple[str, int]:
        """What came of it, and the most memory so far, in MiB."""
        self.connection.send((kind, path))
        try:
            if self.connection.poll(seconds):
                said, peak = self.connection.recv()
                if peak > MOST_MIB:
                    self.stop()
                return said, peak
            said = f"hangs for more than {seconds:g} s"
        except EOFError:
            said = "died"
        self.stop()
        return said, 0

    def stop(self) -> None:
        """End this process and start another."""
        self.process.kill()
        self.process.join()
        self.connection.close()
        self.start()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shared", type=Path)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="mutated-"))
    sound = sound_files(asked.shared, work)
    counts: dict[str, Counter[str]] = {name: Counter() for name in sound}
    slowest: dict[str, float] = dict.fromkeys(sound, 0.0)
    highest: dict[str, int] = dict.fromkeys(sound, 0)
    bad = 0
    reader = Reader(work)
    for name in sound:  # first as they are: all must be read; importing takes its time
        path = work / f"sound-{name.replace(' ', '-')}"
        path.write_bytes(sound[name])
        said, _ = reader.read(name.split()[0], path, 120)
        if said != "read":
            print(f"{name}: the sound file is not read: {said}")
            return 1
    chance = random.Random(asked.seed)
    for number in range(asked.inputs):
        name = list(sound)[number % len(sound)]
        path = work / f"{number}-{name.replace(' ', '-')}"
        content = mutated(sound[name], chance)
        path.write_bytes(content)
        start = time.monotonic()
        said, peak = reader.read(name.split()[0], path, SECONDS)
        slowest[name] = max(slowest[name], time.monotonic() - start)
        highest[name] = max(highest[name], peak)
        if peak > MOST_MIB:
            said = f"{peak} MiB"
        counts[name][said if said in ("read", "refused") else "bad"] += 1
        if said not in ("read", "refused"):
            bad += 1
            path.write_bytes(content)
            print(f"{path}: {said}", flush=True)
        else:
            for left in work.glob(f"{path.name}*"):
                left.unlink()
    print(f"{asked.inputs:,} inputs, seed {asked.seed}")
    print("| kind | read | refused | bad | slowest, s | peak, MiB |\n|---|---|---|---|---|---|")
    for name, count in counts.items():
        row = (count["read"], count["refused"], count["bad"], f"{slowest[name]:.1f}", highest[name])
        print(f"| {name} | " + " | ".join(map(str, row)) + " |")
    reader.process.kill()
    if not bad:
        shutil.rmtree(work)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

"""Commands killed at random moments: nothing that was acknowledged is lost, and the next run goes on.

    python benchmarks/kills.py SHARED [--kills 1000] [--seed 0]

Each job is the real command, killed (SIGKILL) at a moment drawn evenly from its usual time, again and again, and looked
at from outside after each kill; where a job ends before its kill it is begun anew, and that is counted as no kill.

- facebank: who was seen in the gallery stays; the file is sound; a last run completes it.
- enroll: whoever was acknowledged with exit code 0 is there.
- merge: no template is lost, whichever of the two people has it.
- reembed: all vectors are the old ones or all are the new ones; vectors that were made are not made again; a run that
  ends leaves those of a run that was not killed, byte for byte.
- capture: pictures in the people's folder are whole; those that were there stay.
- camera: events that were printed are kept, with the same numbers and contents.
- train: a run goes on from its checkpoint and ends with the weights of a run that was not killed, byte for byte.
- prepare: what is left over ends in the same files as a run that was not killed.
- scan: photos whose faces were in the album stay there, the gallery is sound, and a scan that ends gives the same album
  as one that was not killed.
- album: groups merged, named and taken back (`album`, `people undo`): each command is done wholly or not at all, and
  what is acknowledged stays.

With --postgres URL facebank, enroll, merge, reembed, scan and album work on that server too (enroll-postgres, ...),
each in a database of its own, which is made there and dropped.

Needs SHARED's `data` (pictures, a film, records). Ends with 1 where anything was lost. Last figures: docs/trust.md.
"""

import argparse
import contextlib
import functools
import hashlib
import io
import itertools
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

from multiface import Album, Recognizer
from multiface.decision import Calibration
from multiface.errors import GalleryError
from multiface.gallery import Gallery
from multiface.images import load_picture, save_picture
from multiface.video.events.event_store import EventStore

MULTIFACE = (sys.executable, "-m", "multiface")


class Lost(Exception):
    """Something that was acknowledged is not there, or a file is not sound."""


@dataclass
class Job:
    """A command that is killed.

    look: is given the exit code after an end, None after a kill, and raises Lost. renew: makes all ready to begin anew.
    """

    name: str
    arguments: list[str]
    cwd: Path
    look: Callable[[int | None], None]
    renew: Callable[[], None] = lambda: None
    seconds: float = 1.0
    kills: int = 0
    ends: int = 0

    def run(self, after: float | None) -> int | None:
        """Run it, killed after so many seconds; its exit code, None where it was killed."""
        with (self.cwd / "said.txt").open("ab") as said:
            process = subprocess.Popen(
                [*MULTIFACE, *self.arguments],
                cwd=self.cwd,
                stdout=said,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            return process.wait(after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            return None


def people_of(gallery: str) -> dict[str, int]:
    """Names and templates; raises Lost where the gallery is not sound. Nobody where there is none yet."""
    file = None if "://" in gallery else Path(gallery)
    if file is not None and not file.exists():
        return {}
    try:
        with Gallery.open(gallery) as opened:
            if problems := opened.check().problems:
                raise Lost(f"{gallery}: {problems}")
            return {person.name: person.templates for person in opened.people()}
    except GalleryError as error:
        if "enrol a person first" in str(error) or (file is not None and file.stat().st_size == 0):
            return {}
        raise Lost(str(error)) from error


def some_people(people: Path, shared: Path) -> None:
    """Forty people of LFW, a picture each."""
    for path in sorted((shared / "data/lfw").glob("*/*_0001.jpg"))[:400:10]:
        (people / path.parent.name).mkdir(parents=True)
        save_picture(load_picture(path), people / path.parent.name / "1.png")


def facebank(work: Path, shared: Path, place: str) -> Job:
    some_people(work / "people", shared)
    seen: set[str] = set()
    usable: list[int] = []

    def look(code: int | None) -> None:
        now = people_of(place)
        if gone := seen - set(now):
            raise Lost(f"{gone} were in the gallery")
        seen.update(now)
        if code is not None:
            usable.append(len(now))
            if usable[0] != usable[-1]:
                raise Lost(f"a run that ended has {len(now)} of {usable[0]} people")

    def renew() -> None:
        empty(place)
        seen.clear()

    return Job("facebank", ["facebank", "people", "--gallery", place], work, look, renew)


def enroll(work: Path, place: str) -> Job:
    """Each run enrols one more person; its exit code acknowledges it."""
    from multiface.recognition.demo import PORTRAIT

    portrait = Image.open(PORTRAIT).convert("RGB")

    numbers = itertools.count()
    arguments = ["enroll", "", "", "--gallery", place]
    acknowledged: set[str] = set()

    def renew() -> None:
        number = next(numbers)
        # Another digest each time, else the face is somebody's already.
        changed = portrait.copy()
        changed.putpixel((0, 0), (number % 256, number // 256, 0))
        changed.save(work / f"{number}.png")
        arguments[1:3] = [f"person {number}", f"{number}.png"]

    def look(code: int | None) -> None:
        if code == 0:
            acknowledged.add(arguments[1])
        elif code is not None:
            raise Lost(f"enroll ended with {code}")
        if missing := acknowledged - set(people_of(place)):
            raise Lost(f"{missing} were acknowledged")

    renew()
    return Job("enroll", arguments, work, look, renew)


def merge(work: Path, place: str) -> Job:
    from multiface.gallery.contents import NewTemplate, PictureFacts, VectorOrigin

    facts = PictureFacts(640, 480, (10, 10, 60, 70), 0.9, "yunet", 0, 1)
    origin = VectorOrigin("ab" * 32, "sface", "yunet", 128, False)

    def renew() -> None:
        empty(place)
        vectors = np.random.default_rng(0).normal(size=(200, 128)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        with Gallery.open(place, origin, create=True) as gallery:
            for name, part in (("ann", range(100)), ("anna", range(100, 200))):
                gallery.add_templates(
                    name, [NewTemplate(vectors[k], f"{k:064}", f"{k}.jpg", facts) for k in part]
                )

    def look(code: int | None) -> None:
        now = people_of(place)
        if now not in ({"ann": 100, "anna": 100}, {"ann": 200}) or (code == 0 and now != {"ann": 200}):
            raise Lost(f"after a merge ({code}): {now}")
        if now == {"ann": 200}:
            renew()

    renew()
    return Job("merge", ["people", "merge", "ann", "anna", "--gallery", place], work, look)


def reembed(work: Path, shared: Path, place: str) -> Job:
    """Each time of a gallery that is imported from an archive, since a database is not copied as a file is."""
    some_people(work / "people", shared)
    arguments = ["people", "reembed", "--flip", "--folder", "people", "--gallery"]

    def run(*command: str) -> None:
        if Job("whole", list(command), work, lambda _: None).run(None) not in (0, 3):
            raise SystemExit(f"{command}: a run that is not killed did not end well")

    run("facebank", "people", "--no-flip", "--gallery", "old.sqlite")
    run("people", "export", "old.mfgallery", "--gallery", "old.sqlite")
    run("people", "import", "old.mfgallery", "--gallery", "new.sqlite")
    run(*arguments, "new.sqlite")
    old, new = vectors_of(str(work / "old.sqlite")), vectors_of(str(work / "new.sqlite"))
    made = 0

    def renew() -> None:
        nonlocal made
        made = 0
        empty(place)
        run("people", "import", "old.mfgallery", "--gallery", place)

    def look(code: int | None) -> None:
        nonlocal made
        people_of(place)
        now = vectors_of(place)
        with Gallery.open(place) as gallery:
            state, switched = gallery.reembedding(), gallery.origin.flip
        done = 0 if state is None else state.templates
        if now != (new if switched else old) or (code is not None and (code != 0 or not switched)):
            raise Lost(f"after {code} the vectors are neither the old ones nor the new ones")
        if not switched and done < made:
            raise Lost(f"{made} were made, {done} are there")
        made = done
        if switched:
            renew()

    renew()
    return Job("reembed", [*arguments, place], work, look, renew)


def vectors_of(gallery: str) -> dict[str, bytes]:
    """Names and vectors."""
    with Gallery.open(gallery) as opened:
        matrix = opened.matrix()
        return {
            matrix.names[k]: row.tobytes() for k, row in zip(matrix.person_index, matrix.vectors, strict=True)
        }


def capture(work: Path, shared: Path) -> Job:
    film = shared / "data/video/short_hamilton_clip.mp4"

    seen: set[str] = set()

    def look(code: int | None) -> None:
        found = {path.name for path in (work / "people").rglob("*") if path.is_file() and path.name[0] != "."}
        if gone := seen - found:
            raise Lost(f"{gone} were there")
        for path in (work / "people").rglob("*"):
            if path.is_file() and path.name[0] != ".":
                load_picture(path)
        if code is not None and (code != 0 or not found):
            raise Lost(f"a run that ended with {code} took no picture")
        seen.update(found)

    def renew() -> None:
        shutil.rmtree(work / "people", ignore_errors=True)
        seen.clear()

    arguments = [
        "capture",
        "-n",
        "lin",
        "--source",
        str(film),
        "--people",
        "people",
        "--duration",
        "2",
        "--headless",
    ]
    return Job("capture", arguments, work, look, renew)


def camera(work: Path, shared: Path) -> Job:
    """A film over TCP, as fast as it goes, again and again; each run prints its events as lines."""
    film = as_stream(shared / "data/video/short_hamilton_clip.mp4")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    threading.Thread(target=serve, args=(film, port), daemon=True).start()

    def look(code: int | None) -> None:
        lines = (work / "said.txt").read_text(errors="replace").splitlines()
        said = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        if code is not None and (code != 0 or not any("number" in event for event in said)):
            raise Lost(f"a run that ended with {code} announced no event")
        kept = {}
        if (work / "events.sqlite").exists():
            with EventStore(work / "events.sqlite") as store:
                kept = {event.number: event.document() for event in store.since(0)}
        for event in said:
            if "number" in event and kept.get(event["number"], {}).get("track") != event["track"]:
                raise Lost(f"event {event['number']} was announced and is not kept")

    arguments = [
        "camera",
        "--source",
        f"tcp://127.0.0.1:{port}",
        "--people",
        str(shared / "data/photos/people"),
    ]
    return Job(
        "camera",
        [*arguments, "--events", "events.sqlite", "--duration", "3", "--headless", "--json"],
        work,
        look,
    )


def as_stream(film: Path) -> bytes:
    """The pictures of a film as MPEG-TS."""
    file = io.BytesIO()
    with av.open(str(film)) as source, av.open(file, "w", format="mpegts") as out:
        pictures = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = pictures
                out.mux(packet)
    return file.getvalue()


def serve(film: bytes, port: int) -> None:
    """Each client gets the film."""
    with socket.create_server(("127.0.0.1", port)) as server:
        while True:
            client, _ = server.accept()
            with client, contextlib.suppress(OSError):
                client.sendall(film)


def train(work: Path) -> Job:
    rng = np.random.default_rng(0)
    for person in range(4):
        for k in range(6):
            (work / f"faces/{person}").mkdir(parents=True, exist_ok=True)
            save_picture(
                rng.integers(0, 255, (112, 112, 3), dtype=np.uint8), work / f"faces/{person}/{k}.png"
            )
    (work / "recipe.toml").write_text(RECIPE)
    base = ["train", "recipe.toml", "--data", "faces", "-b", "4", "-w", "0", "--threads", "1"]
    whole = Job("whole", [*base, "--out", "whole"], work, lambda _: None)
    if whole.run(None) != 0:
        raise SystemExit("the run that is not killed did not end well")
    wanted = digest(work / "whole/last.safetensors")

    def look(code: int | None) -> None:
        if code is None:
            return
        if code != 0 or digest(work / "run/last.safetensors") != wanted:
            raise Lost(f"a resumed run ended with {code} or with other weights")

    def renew() -> None:
        shutil.rmtree(work / "run", ignore_errors=True)

    return Job("train", [*base, "--out", "run", "--resume"], work, look, renew)


def prepare(work: Path, shared: Path) -> Job:
    records = shared / "golden/records/emore_scalar"
    whole = Job("whole", ["prepare", "rec", str(records), "--out", "whole"], work, lambda _: None)
    if whole.run(None) not in (0, 3):
        raise SystemExit("prepare did not end well")
    wanted = tree(work / "whole")

    def look(code: int | None) -> None:
        now = tree(work / "out")
        if changed := {name for name, sha in now.items() if wanted.get(name) != sha and ".tmp" not in name}:
            raise Lost(f"{sorted(changed)[:3]} are not what a whole run makes")
        if code is not None and now != wanted:
            raise Lost(f"a run that ended ({code}) made other files")

    def renew() -> None:
        shutil.rmtree(work / "out", ignore_errors=True)

    return Job("prepare", ["prepare", "rec", str(records), "--out", "out"], work, look, renew)


def scan(work: Path, shared: Path, place: str) -> Job:
    """Photos of people in pairs, and groups of strangers; each scan commits every few seconds."""
    photos = work / "photos"
    for path in sorted((shared / "data/lfw").glob("*/*_000[1-3].jpg"))[:90]:
        (photos / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, photos / path.parent.name)
    seen: dict[str, int] = {}
    whole: list[object] = []

    def look(code: int | None) -> None:
        found = album_of(place)
        now = {path: len(faces) for path, faces in found}
        if lost := {path for path, faces in seen.items() if now.get(path) != faces}:
            raise Lost(f"{len(lost)} photos were in the album with their faces, as {min(lost)}")
        seen.update(now)
        if code is not None:
            whole.append(grouped_paths(found))
            if code != 0 or whole[0] != whole[-1]:
                raise Lost(f"a scan that ended with {code} made another album")

    def renew() -> None:
        empty(place)
        seen.clear()

    renew()
    return Job("scan", ["album", "scan", "photos", "--gallery", place, "--jobs", "1"], work, look, renew)


def album(work: Path, shared: Path, place: str) -> Job:
    """Round after round: two groups are merged, that is undone, the first is named, that is undone."""
    ready = scan(work, shared, place)
    if ready.run(None) != 0:
        raise SystemExit("the scan before did not end well")
    first, second = sorted(
        {group for _, faces in album_of(place) for _, group, _ in faces if group is not None}
    )[:2]
    steps: tuple[list[str], ...] = (
        ["album", "merge", str(first), str(second)],
        [],
        ["album", "name", str(first), "Cleo"],
        [],
    )
    job = Job("album", [], work, lambda _: None)
    at = 0
    states = [album_of(place)]

    def prepare() -> None:
        job.arguments = [*steps[at], "--gallery", place]
        if not steps[at]:
            with Gallery.open(place) as gallery:
                last = next(change.id for change in gallery.changes() if change.can_be_undone)
            job.arguments = ["people", "undo", str(last), "--gallery", place]

    while at < len(steps):
        prepare()
        if job.run(None) != 0:
            raise SystemExit(f"{job.arguments} did not end well")
        states.append(album_of(place))
        at += 1
    if states[0] != states[2] or states[0] != states[4]:
        raise SystemExit("undoing does not end where it began")
    at = 0

    def look(code: int | None) -> None:
        nonlocal at
        now = album_of(place)
        if now not in (states[at], states[at + 1]) or (code is not None and (code != 0 or now == states[at])):
            raise Lost(f"{job.arguments[:2]} ended with {code}, neither done nor undone")
        if now == states[at + 1]:
            at = (at + 1) % len(steps)
        prepare()

    job.look = look
    prepare()
    return job


Photo = tuple[str, tuple[tuple[str | None, int | None, bool], ...]]
"""A path, and of each face the name, the group and whether that was said by hand."""


def album_of(place: str) -> list[Photo]:
    """The photos of an album; raises Lost where the gallery is not sound."""
    if "://" not in place and (not Path(place).exists() or not Path(place).stat().st_size):
        return []
    try:
        with Gallery.open(place) as gallery:
            if problems := gallery.check().problems:
                raise Lost(f"{place}: {problems}")
            hits = Album.of_gallery(gallery, calibration_for(gallery.origin.fingerprint)).find()
    except GalleryError as error:
        if "://" in place and "no gallery" in str(error):
            return []
        raise Lost(str(error)) from error
    return sorted(
        (path, tuple((face.name, face.stranger, face.by_hand) for face in hit.faces))
        for hit in hits
        for path in hit.paths
    )


def grouped_paths(photos: list[Photo]) -> object:
    """An album without the numbers of its groups."""
    groups: dict[int, list[str]] = {}
    for path, faces in photos:
        for _, group, _ in faces:
            if group is not None:
                groups.setdefault(group, []).append(path)
    return sorted(groups.values()), [(path, [name for name, _, _ in faces]) for path, faces in photos]


@functools.cache
def calibration_for(_fingerprint: str) -> Calibration:
    """Of the default weights, with which the galleries here are made."""
    with Recognizer() as recognizer:
        return recognizer.calibration


def database(server: str, name: str) -> str:
    """The URL of a new database on the same server."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS kills_{name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE kills_{name} TEMPLATE template0")
    return re.sub(r"(://[^/]*/)[^?]*", rf"\1kills_{name}", server, count=1)


def empty(place: str) -> None:
    """Make a gallery one that is not there."""
    if "://" not in place:
        for ending in ("", "-wal", "-shm"):
            Path(place + ending).unlink(missing_ok=True)
        return
    import psycopg

    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS multiface CASCADE")


RECIPE = """
[network]
name = "mobilefacenet"
width = 0.25

[schedule]
epochs = 2

[run]
checkpoint_every = 2
seed = 1
"""


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tree(folder: Path) -> dict[str, str]:
    """Visible files below a folder and their digests."""
    return {
        str(path.relative_to(folder)): digest(path)
        for path in folder.rglob("*")
        if path.is_file() and path.name[0] != "."
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shared", type=Path)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--postgres", metavar="URL", help="a database of a server where others can be made")
    parser.add_argument("--only", nargs="*", help="these jobs alone")
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    root = Path(tempfile.mkdtemp(prefix="kills-"))
    made = []
    shared = asked.shared.resolve()
    makers: dict[str, Callable[[Path], Job]] = {
        "facebank": lambda work: facebank(work, shared, str(work / "g.sqlite")),
        "enroll": lambda work: enroll(work, str(work / "g.sqlite")),
        "merge": lambda work: merge(work, str(work / "g.sqlite")),
        "reembed": lambda work: reembed(work, shared, str(work / "g.sqlite")),
        "capture": lambda work: capture(work, shared),
        "camera": lambda work: camera(work, shared),
        "train": train,
        "prepare": lambda work: prepare(work, shared),
        "scan": lambda work: scan(work, shared, str(work / "g.sqlite")),
        "album": lambda work: album(work, shared, str(work / "g.sqlite")),
    }
    if asked.postgres:
        server = asked.postgres
        makers |= {
            "facebank-postgres": lambda work: facebank(work, shared, database(server, "facebank")),
            "enroll-postgres": lambda work: enroll(work, database(server, "enroll")),
            "merge-postgres": lambda work: merge(work, database(server, "merge")),
            "reembed-postgres": lambda work: reembed(work, shared, database(server, "reembed")),
            "scan-postgres": lambda work: scan(work, shared, database(server, "scan")),
            "album-postgres": lambda work: album(work, shared, database(server, "album")),
        }
    for name, make in makers.items():
        if asked.only and name not in asked.only:
            continue
        (root / name).mkdir()
        job = make(root / name)
        job.name = name
        start = time.monotonic()
        job.look(job.run(None))
        job.seconds = time.monotonic() - start
        job.renew()
        print(f"{job.name}: {job.seconds:.1f} s when it is not killed", flush=True)
        made.append(job)
    lost = 0
    while (killed := sum(job.kills for job in made)) < asked.kills:
        job = made[(killed + sum(one.ends for one in made)) % len(made)]
        code = job.run(chance.uniform(0.0, 1.1 * job.seconds))
        try:
            job.look(code)
        except Lost as error:
            lost += 1
            print(f"{job.name}: {error}; kept in {job.cwd}", flush=True)
            return 1
        job.kills += code is None
        job.ends += code is not None
        if code is not None or job.name.startswith("enroll"):
            job.renew()
    with contextlib.suppress(OSError):
        shutil.rmtree(root)
    print(json.dumps({job.name: {"kills": job.kills, "ended before": job.ends} for job in made}))
    print(f"{asked.kills} kills, seed {asked.seed}: {lost} lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())

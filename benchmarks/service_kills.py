"""The service killed at random moments while it enrols, merges, scans and writes backups: nothing acknowledged is lost.

    python benchmarks/service_kills.py [--kills 100] [--seed 0]

In each round a service is started on the same gallery. A client enrols people, merges two, asks for scans of an album
and for backups, and writes down what was acknowledged; then the service gets SIGKILL. Everybody acknowledged is looked
for, and the gallery is checked. In the end every job has to have ended, the scans with all photos. Faces are drawn, so
nothing else is needed. Ends with 1 where anything was lost.
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from multiface import Client, Gallery
from multiface.errors import MultifaceError
from tests.drawn_faces import drawn_face


@dataclass(slots=True)
class Acknowledged:
    """What the service said it had done. people: id -> templates. merged: ids that went into others. jobs: ids."""

    people: dict[str, int] = field(default_factory=dict)
    merged: set[str] = field(default_factory=set)
    jobs: list[str] = field(default_factory=list)


@contextlib.contextmanager
def served(gallery: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A service as a process of its own, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "multiface", "serve", "start", "--no-keys", "--port", "0", "--threads", "1", "--json",
         "--gallery", str(gallery)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=os.environ | {"MULTIFACE_DETECTOR": "yunet_onet", "MULTIFACE_WEIGHTS": "sface"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())["address"].removesuffix("/v1")
    finally:
        process.kill()
        process.communicate()


def photos(folder: Path) -> Path:
    """Twelve photos of drawn people."""
    folder.mkdir()
    for k, name in enumerate(["ada", "bob", "cleo", "dora"] * 3):
        picture = drawn_face(name, k)
        Image.fromarray(np.ascontiguousarray(picture[:, ::-1] if k % 2 else picture)).save(
            folder / f"{k}.jpg"
        )
    return folder


def lost(gallery: Path, said: Acknowledged) -> list[str]:
    """What was acknowledged and is not there, and what is wrong with the gallery."""
    with Gallery.open(gallery) as opened:
        there = {person.id: person.templates for person in opened.people()}
        wrong = list(opened.check().problems)
    wrong += [
        f"{person}: {there.get(person, 0)} of {templates} templates"
        for person, templates in said.people.items()
        if there.get(person, 0) < templates
    ]
    return wrong + [f"{person}: is there though it was merged" for person in said.merged & set(there)]


def work(
    address: str, said: Acknowledged, folder: Path, chance: random.Random, stop: threading.Event
) -> None:
    """Ask for one thing after the other until the service is gone; a merge without an answer may have happened."""
    with contextlib.suppress(MultifaceError), Client(address, seconds=20) as client:
        while not stop.is_set():
            what = chance.random()
            if what < 0.7 or len(said.people) < 2:
                name, take = chance.choice(["ada", "bob", "cleo", "dora"]), chance.randrange(1 << 20)
                made = client.enroll(f"{name} {take}", drawn_face(name, take), force=True, another=True)
                said.people[made.person] = made.added
            elif what < 0.9:
                into, gone = chance.sample(sorted(said.people), 2)
                moved = said.people.pop(gone)  # whichever of the two has them, if no answer comes
                kept = said.people.pop(into)
                client.merge(into, gone)
                said.people[into] = kept + moved
                said.merged.add(gone)
            else:
                job = client.scan(str(folder)) if what < 0.97 else client.backup()
                said.jobs.append(job["job"])


def rounds(kills: int, seed: int, place: Path, longest: float = 3.0) -> tuple[int, list[str]]:
    """So many kills; acknowledged enrolments and merges in all, and what was lost."""
    gallery, folder, said, count = place / "g.sqlite", photos(place / "photos"), Acknowledged(), 0
    for number in range(kills):
        chance = random.Random(f"{seed} {number}")
        with served(gallery) as (process, address):
            stop = threading.Event()
            asking = threading.Thread(target=work, args=(address, said, folder, chance, stop))
            asking.start()
            time.sleep(chance.uniform(0.1, longest))
            process.kill()
            process.wait()
            stop.set()
            asking.join()
        wrong = lost(gallery, said)
        if wrong:
            return count, [f"kill {number}: {one}" for one in wrong]
    count = len(said.people) + len(said.merged)
    with served(gallery) as (_, address), Client(address, seconds=60) as client:
        ends = [client.wait(job, 120) for job in dict.fromkeys(said.jobs)]
        unfinished = [
            f"job {one['job']} is {one['state']}: {one['problem']}" for one in ends if one["state"] != "done"
        ]
        if any(one["kind"] == "album_scan" for one in ends):
            seen = len(list(client.find()))
            unfinished += [] if seen == 12 else [f"{seen} of 12 photos are in the album"]
    return count, unfinished


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        count, wrong = rounds(arguments.kills, arguments.seed, Path(folder))
    print(f"{arguments.kills} kills, {count} people enrolled or merged; lost: {wrong or 'nothing'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

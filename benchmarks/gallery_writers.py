"""Many writers on one gallery file: what was acknowledged must be there, and the file must be sound.

Two `Gallery` objects, each with two threads, in this process; forked children that use the inherited object; and
processes that were started anew. Each enrols people of its own and notes a name only when `add_templates` has returned;
at the same time galleries are opened and closed over and over.
Run: python benchmarks/gallery_writers.py [--enrolments 10000]. Ends with 1 if anybody is missing.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import sqlite3
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from multiface.gallery import Gallery
from multiface.gallery.contents import NewTemplate, PictureFacts, VectorOrigin

ORIGIN = VectorOrigin("ab" * 32, "sface", "yunet", 128, False)
PARTS = 8  # 4 threads, 2 forked children, 2 new processes


def template(name: str) -> NewTemplate:
    """One face: a random unit vector, (128,) float32."""
    digest = hashlib.sha256(name.encode())
    vector = np.random.default_rng([*digest.digest()]).normal(size=128)
    facts = PictureFacts(640, 480, (10, 10, 60, 70), 0.9, "yunet", 0, 1)
    return NewTemplate(
        (vector / np.linalg.norm(vector)).astype(np.float32), digest.hexdigest(), f"{name}.jpg", facts
    )


def enrol(gallery: Gallery, part: str, count: int, noted: Path) -> None:
    """Enrol people; each name is noted after its enrolment was acknowledged."""
    with noted.open("w") as notes:
        for number in range(count):
            name = f"{part} {number}"
            gallery.add_templates(name, [template(name)])
            notes.write(name + "\n")
            notes.flush()


def enrol_with_own(path: Path, part: str, count: int, noted: Path) -> None:
    """The same with a gallery opened for it; others wait, so it may have to."""
    with Gallery.open(path, ORIGIN, busy_seconds=120) as gallery:
        enrol(gallery, part, count, noted)


def main() -> int:
    """Run all writers, then compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--enrolments", type=int, default=10_000)
    count = parser.parse_args().enrolments // PARTS
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path, notes = Path(folder) / "gallery.db", Path(folder) / "notes"
        notes.mkdir()
        with (
            Gallery.open(path, ORIGIN, create=True, busy_seconds=120) as first,
            Gallery.open(path, ORIGIN, busy_seconds=120) as second,
        ):
            started = [
                multiprocessing.get_context("spawn").Process(
                    target=enrol_with_own, args=(path, f"new process {k}", count, notes / f"new{k}")
                )
                for k in range(2)
            ]
            for process in started:
                process.start()
            children = []
            for k in range(2):
                child = os.fork()
                if child == 0:
                    code = 1
                    try:
                        (enrol if k else lambda _, *rest: enrol_with_own(path, *rest))(
                            first, f"child {k}", count, notes / f"child{k}"
                        )
                        code = 0
                    finally:
                        os._exit(code)
                children.append(child)
            threads = [
                threading.Thread(target=enrol, args=(gallery, f"thread {k}", count, notes / f"thread{k}"))
                for k, gallery in enumerate((first, second, first, second))
            ]
            for thread in threads:
                thread.start()
            openings = 0
            while any(thread.is_alive() for thread in threads):
                Gallery.open(path, ORIGIN, busy_seconds=120).close()
                openings += 1
                time.sleep(0.01)
            for thread in threads:
                thread.join()
            failed = sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0 for child in children)
            for process in started:
                process.join()
                failed += process.exitcode != 0
        acknowledged = {line for file in notes.iterdir() for line in file.read_text().splitlines()}
        with closing(sqlite3.connect(path)) as connection:
            (sound,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            kept = {name for (name,) in connection.execute("SELECT name FROM person")}
    found = {
        "acknowledged": len(acknowledged),
        "lost": len(acknowledged - kept),
        "writers failed": failed,
        "integrity": sound,
        "openings": openings,
        "seconds": round(time.monotonic() - begin, 1),
    }
    print(json.dumps(found))
    return int(len(acknowledged) != count * PARTS or not acknowledged <= kept or failed > 0 or sound != "ok")


if __name__ == "__main__":
    raise SystemExit(main())

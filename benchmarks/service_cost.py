"""What the service costs beside the library: processor time of a request, latency by number of clients, authentication.

    python benchmarks/service_cost.py [--rounds 40] [--picture FILE] [--seconds 8] [--people 1000]

One run of this program starts a service as a process of its own on a gallery of made-up people and the drawn ones, and
asks it and the library in turns (identify, verify, people), each round the same picture of about 250 kB. Processor time
is that of the service's process tree, read before and after each round, so that a busy machine changes little; the
medians, their difference and their ratio are printed with the range of the middle half. Then 1, 2, 4, 8, 16 and 32
clients of locust (`pip install locust`) for some seconds each: answers a second, the 50 and 95 % latency, how many got
503 and after how long.

DeepFace's API and InsightFace's server cannot run here: their networks are downloaded when they start (DeepFace), or
need a signed licence (InsightFace). They are left out, and no ratio to them is claimed.
"""

import argparse
import contextlib
import csv
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import psutil
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from multiface import Client, Gallery, Recognizer
from multiface.gallery import NewTemplate, PictureFacts
from multiface.gallery.service import access_keys
from tests.drawn_faces import drawn_face, group_of, save_people

BYTES = 250_000


def picture_of(size: int) -> bytes:
    """Two drawn people on a background of noise that makes the JPEG about so large."""
    pixels = np.kron(group_of(drawn_face("ada", 4), drawn_face("bob", 4)), np.ones((2, 2, 1), np.uint8))[:600]
    noise = np.random.default_rng(0).integers(0, 40, pixels.shape, dtype=np.uint8)
    pixels = np.where(pixels == 128, pixels - 20 + noise, pixels).astype(np.uint8)
    best = b""
    for quality in range(30, 100, 3):
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, "JPEG", quality=quality)
        best = content.getvalue()
        if len(best) >= size:
            break
    return best


def made_up(gallery: Gallery, count: int) -> None:
    """So many people with a random vector each."""
    chance = np.random.default_rng(1)
    facts = PictureFacts(100, 100, (0.0, 0.0, 50.0, 50.0), 0.9, "made up", 0, 1)
    for k in range(count):
        vector = chance.normal(size=gallery.origin.dimension).astype(np.float32)
        vector /= np.linalg.norm(vector)
        gallery.add_templates(f"Person {k:05}", [NewTemplate(vector, f"{k:064x}", f"{k}", facts)])


@contextlib.contextmanager
def served(gallery: Path) -> Iterator[tuple[psutil.Process, str, float]]:
    """The process of a service, its address, and the seconds until it was ready."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "multiface", "serve", "start", "--port", "0", "--threads", "1", "--json",
         "--gallery", str(gallery)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["address"].removesuffix("/v1")
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{address}/readyz").status_code == 200:
                    break
            time.sleep(0.02)
        yield psutil.Process(process.pid), address, time.monotonic() - began
    finally:
        process.terminate()
        process.communicate(timeout=60)


def spent(process: psutil.Process) -> float:
    """Processor seconds of a process and its children."""
    return sum(sum(one.cpu_times()[:2]) for one in (process, *process.children(recursive=True)))


def in_words(name: str, values: list[float]) -> str:
    """Median and middle half in milliseconds."""
    low, middle, high = (1e3 * value for value in statistics.quantiles(values, n=4))
    return f"{name}: {middle:.1f} ms ({low:.1f} to {high:.1f})"


def compared(
    name: str,
    process: psutil.Process,
    rounds: int,
    many: int,
    service: Callable[[], object],
    library: Callable[[], object] | None,
) -> None:
    """Processor time of a request to both, in turns, `many` requests a turn."""
    over, own = list[float](), list[float]()
    service(), library and library()
    for _ in range(rounds):
        before = spent(process)
        for _ in range(many):
            service()
        over.append((spent(process) - before) / many)
        if library is not None:
            began = time.process_time()
            for _ in range(many):
                library()
            own.append((time.process_time() - began) / many)
    print(f"{name}: {in_words('service', over)}", end="")
    if own:
        a, b = statistics.median(over), statistics.median(own)
        print(f"; {in_words('library', own)}; {1e3 * (a - b):+.1f} ms, {a / b:.2f} times", end="")
    print(flush=True)


def crowd(address: str, key: str, picture: bytes, clients: int, seconds: float) -> None:
    """So many clients of locust that ask without a pause."""
    with tempfile.TemporaryDirectory() as folder:
        file, figures = Path(folder) / "picture.jpg", Path(folder) / "figures"
        file.write_bytes(picture)
        done = subprocess.run(
            [
                sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("service_load.py")), "--headless",
                "--host", address, "--users", str(clients), "--spawn-rate", str(clients), "--run-time",
                f"{seconds:g}s", "--only-summary", "--csv", str(figures),
            ],
            env=os.environ | {"LOAD_PICTURE": str(file), "LOAD_KEY": key},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise AssertionError(done.stdout + done.stderr)
        with Path(f"{figures}_stats.csv").open(newline="") as rows:
            found = {row["Name"]: row for row in csv.DictReader(rows)}
    nothing = {"Requests/s": "0", "50%": "-", "95%": "-"}
    good, busy = found.get("identified", nothing), found.get("busy")
    refused = f"; {busy['Request Count']} got 503, half within {busy['50%']} ms" if busy else ""
    print(
        f"{clients:>3} clients: {float(good['Requests/s']):.1f} a second, 50 % {good['50%']} ms, 95 % {good['95%']} ms"
        f"{refused}",
        flush=True,
    )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--picture", type=Path, help="a JPEG instead of the drawn one")
    arguments = parser.parse_args()
    picture = picture_of(BYTES) if arguments.picture is None else arguments.picture.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "g.sqlite"
        from multiface.recognition import RecognizerSettings

        with Recognizer(gallery=place, create=True, settings=RecognizerSettings(threads=1)) as recognizer:
            recognizer.sync(save_people(Path(folder) / "people", {"ada": 3, "bob": 3}))
            gallery = recognizer.gallery
            assert gallery is not None
            made_up(gallery, arguments.people)
            with gallery.database.writing() as connection:
                key = access_keys.new_key(connection, "benchmark", ("admin",))[1]
            faces = len(recognizer.identify(picture).faces)
            print(
                f"a picture of {len(picture):,} bytes, {faces} faces, {len(gallery.matrix()):,} people, one thread"
            )
            with served(place) as (process, address, ready), Client(address, key) as client:
                print(f"ready after {ready:.1f} s; memory {process.memory_info().rss / 1e6:.0f} MB")
                headers = {"Authorization": f"Bearer {key}", "Content-Type": "image/jpeg"}
                with httpx.Client(base_url=address, headers=headers, timeout=60) as raw:

                    def identify() -> object:
                        return raw.post("/v1/identify", content=picture)

                    compared(
                        "identify",
                        process,
                        arguments.rounds,
                        2,
                        identify,
                        lambda: recognizer.identify(picture),
                    )
                    files = [("pictures", ("a.jpg", picture)), ("pictures", ("b.jpg", picture))]
                    del raw.headers["Content-Type"]
                    verify = "/v1/verify?face=1&face=1"
                    compared(
                        "verify", process, arguments.rounds, 2, lambda: raw.post(verify, files=files),
                        lambda: recognizer.verify(picture, picture, faces=(1, 1)),
                    )  # fmt: skip
                    compared(
                        "livez (no key)", process, arguments.rounds, 100, lambda: raw.get("/livez"), None
                    )
                    compared(
                        "groups (a key)", process, arguments.rounds, 100, lambda: raw.get("/v1/groups"), None
                    )
                    compared(
                        "people, a page of 50",
                        process,
                        arguments.rounds,
                        20,
                        lambda: raw.get("/v1/people"),
                        None,
                    )
                    compared(
                        "people, q=",
                        process,
                        arguments.rounds,
                        20,
                        lambda: raw.get("/v1/people?q=son%2009"),
                        None,
                    )
                assert client.identify(picture).faces
                for clients in (1, 2, 4, 8, 16, 32, 64):
                    crowd(address, key, picture, clients, arguments.seconds)
                print(f"memory {process.memory_info().rss / 1e6:.0f} MB")
        with Recognizer(gallery=place, settings=RecognizerSettings(threads=1)) as again:
            assert again.gallery is not None
            began = time.process_time()
            for _ in range(2000):
                with again.gallery.database.reading() as connection:
                    assert access_keys.found_key(connection, key) is not None
            print(f"a key looked up and compared: {(time.process_time() - began) / 2:.3f} ms")


if __name__ == "__main__":
    main()

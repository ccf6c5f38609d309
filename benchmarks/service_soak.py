"""The memory of a service that works for an hour: two requests a second, two cameras, an album scanned now and then.

    python benchmarks/service_soak.py [--minutes 60]

The cameras show a drawn film again and again. Each minute a line tells the memory (RSS) of the service and of each
camera's process, and how many requests were answered; the last lines compare the last five minutes with those after the
tenth.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.service_kills import photos, served
from multiface import Client
from tests.drawn_faces import drawn_face
from tests.serve.camera_film import write_film
from tests.serve.cameras import FilmServer


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=int, default=60)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        film, folder_of_photos = write_film(place / "film.mp4"), photos(place / "photos")
        pictures = []
        for name in ("ada", "bob", "cleo", "dora"):
            Image.fromarray(drawn_face(name, 3)).save(place / f"{name}.jpg", quality=95)
            pictures.append((place / f"{name}.jpg").read_bytes())
        cameras = [FilmServer(film), FilmServer(film)]
        try:
            with served(place / "g.sqlite") as (process, address), Client(address) as client:
                watch(process, client, cameras, pictures, folder_of_photos, minutes)
        finally:
            for camera in cameras:
                camera.stop()


def watch(
    process: "subprocess.Popen[str]",
    client: Client,
    cameras: list[FilmServer],
    pictures: list[bytes],
    folder: Path,
    minutes: int,
) -> None:
    """Ask, and print what it takes."""
    for name in ("ada", "bob"):
        client.enroll(name, [drawn_face(name, take) for take in range(3)])
    for number, camera in enumerate(cameras):
        client.add_camera(f"Camera {number}", camera.address, keep_strangers=1.0)
    service, began, asked = psutil.Process(process.pid), time.monotonic(), 0
    memory = list[tuple[float, list[float]]]()
    for minute in range(minutes):
        if minute % 10 == 0:
            client.scan(str(folder))
        while time.monotonic() < began + 60 * (minute + 1):
            due = began + asked / 2
            time.sleep(max(0.0, due - time.monotonic()))
            client.identify(pictures[asked % len(pictures)])
            asked += 1
        children = [one.memory_info().rss / 1e6 for one in service.children()]
        memory.append((service.memory_info().rss / 1e6, children))
        own = " ".join(f"{one:.0f}" for one in children)
        print(
            f"{minute + 1:3} min: service {memory[-1][0]:.0f} MB, cameras {own} MB, {asked} requests",
            flush=True,
        )
    for what, values in (
        ("service", [one for one, _ in memory]),
        ("cameras", [sum(many) for _, many in memory]),
    ):
        early, late = statistics.median(values[10:15] or values), statistics.median(values[-5:])
        print(
            f"{what}: {early:.0f} MB after ten minutes, {late:.0f} MB at the end ({100 * (late / early - 1):+.1f} %)"
        )
    events = sum(1 for _ in client.events())
    print(f"{events} events; {len(client.changes(most=200))} changes")


if __name__ == "__main__":
    main()

"""From a frame of a stream to its decision: latency, drift and memory of `VideoEngine` on a live source.

    python benchmarks/live_latency.py PEOPLE-FOLDER --photos A.jpg B.jpg --frames 20000 [--size 1280x720]

A server in a process of its own makes a scene of two moving faces (`moving_faces.py`), writes the time of making into
the top rows of each frame (32 stripes, black or white: milliseconds of the system's monotonic clock), encodes H.264
without delay and sends MPEG-TS over TCP at 25 frames a second. The engine names the faces. The latency of a frame is
the time at which its result is handed out less the time written in it: encoding, network, decoding, waiting, detection,
embedding and decision. Drift is the median of the last tenth less that of the first; memory is this process's.
"""

import argparse
import io
import multiprocessing
import os
import socket
import statistics
import time
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil
from moving_faces import RATE, scene

from multiface import Recognizer, RecognizerSettings
from multiface.video.engine.engine import VideoEngine
from multiface.video.sources.live_source import open_live

STRIPES = 32
STRIPE_ROWS = 16


class Pipe(io.RawIOBase):
    """A socket as a file that PyAV writes to."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.client.sendall(data)
        return len(data)


def serve(listening: socket.socket, photos: tuple[Path, ...], width: int, height: int) -> None:
    """Sends the scene to one client until it goes."""
    made = scene(photos, width, height)
    cycle = [made.frame(number) for number in range(150)]
    client, _ = listening.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with av.open(Pipe(client), "w", format="mpegts", options={"flush_packets": "1"}) as out:
        options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "23", "g": "50"}
        stream = out.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, RATE)
        start, number = time.monotonic(), 0
        try:
            while True:
                time.sleep(max(0.0, start + number / RATE - time.monotonic()))
                picture = cycle[number % len(cycle)].copy()
                now = int(time.monotonic() * 1000) % 2**STRIPES
                bits = np.array([int(bit) for bit in f"{now:032b}"], np.uint8) * 255
                picture[:STRIPE_ROWS] = np.repeat(bits, width // STRIPES)[None, :, None]
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts = number
                out.mux(stream.encode(frame))
                number += 1
        except OSError:
            return


def made_at(image: np.ndarray) -> int:
    """The time written in a frame, in milliseconds."""
    columns = (np.arange(STRIPES) + 0.5) * (image.shape[1] // STRIPES)
    bits = image[STRIPE_ROWS // 2, columns.astype(int)].mean(axis=-1) > 127
    return int("".join("01"[int(bit)] for bit in bits), 2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("people", type=Path)
    parser.add_argument("--photos", type=Path, nargs=2, required=True)
    parser.add_argument("--pair", nargs=2, default=["scrfd_500m", "mobilefacenet_128_ms1m"])
    parser.add_argument("--frames", type=int, default=2000, help="of the source; some may be lost on the way")
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--store", type=Path)
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    listening = socket.create_server(("127.0.0.1", 0))
    server = multiprocessing.Process(
        target=serve, args=(listening, tuple(given.photos), width, height), daemon=True
    )
    server.start()
    seconds = given.frames / RATE
    latencies: list[int] = []
    memory: list[float] = []
    named = faces = 0
    process = psutil.Process(os.getpid())
    with Recognizer(
        detector=given.pair[0],
        weights=given.pair[1],
        people=given.people,
        settings=RecognizerSettings(store=given.store, cache=given.cache),
    ) as recognizer:
        source = open_live(f"tcp://127.0.0.1:{listening.getsockname()[1]}", duration=seconds)
        with closing(VideoEngine(recognizer).run(source)) as results:
            for result in results:
                latencies.append(int(time.monotonic() * 1000) % 2**STRIPES - made_at(result.frame.image))
                faces += len(result.faces)
                named += sum(face.name is not None for face in result.faces)
                if len(latencies) % 250 == 0:
                    memory.append(process.memory_info().rss / 1e6)
    server.terminate()
    tenth = max(1, len(latencies) // 10)
    settled = latencies[RATE:]
    p50, p95, p99 = np.percentile(settled, [50, 95, 99])
    print(f"{' + '.join(given.pair)}, {given.size}, {RATE} frames a second, {seconds:.0f} s")
    print(
        f"frames worked on: {len(latencies)} of {given.frames}; faces {faces}, named {named / max(faces, 1):.1%}"
    )
    print(
        f"frame to decision: median {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms, most {max(settled)} ms"
    )
    drift = statistics.median(latencies[-tenth:]) - statistics.median(settled[:tenth])
    print(f"drift: {drift:+.0f} ms from the first tenth to the last")
    if len(memory) > 4:
        tenths = [memory[round(k)] for k in np.linspace(1, len(memory) - 1, 10)]
        print(
            f"memory from 500 frames on, in MB: {', '.join(f'{one:.0f}' for one in tenths)}; most {max(memory):.0f}"
        )


if __name__ == "__main__":
    main()

"""A camera for the tests: sends a film as MPEG-TS over TCP to each client, at its own pace, again and again.

    camera_server.py FILM PORT

The port it listens on (of its own choice for 0) is the first line of its output; it ends with its standard input.
"""

import os
import socket
import sys
import threading
import time
from contextlib import suppress
from fractions import Fraction

import av


class Pipe:
    """The socket as a file that PyAV writes to."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client

    def write(self, data: bytes) -> int:
        self.client.sendall(data)
        return len(data)


def send(client: socket.socket, film: str) -> None:
    """Until the client goes."""
    start, shift = time.monotonic(), Fraction(0)
    with client, av.open(Pipe(client), "w", format="mpegts", options={"flush_packets": "1"}) as out:
        stream = None
        while True:
            with av.open(film) as source:
                video = source.streams.video[0]
                stream = stream or out.add_stream_from_template(video)
                for packet in source.demux(video):
                    if packet.dts is None:
                        continue
                    base = packet.time_base
                    packet.pts += round(shift / base)
                    packet.dts += round(shift / base)
                    time.sleep(max(0.0, start + float(packet.dts * base) - time.monotonic()))
                    end = (packet.dts + packet.duration) * base
                    packet.stream = stream
                    out.mux(packet)
            shift = Fraction(end)


def serve(client: socket.socket, film: str) -> None:
    """One client."""
    with suppress(OSError, av.FFmpegError, av.error.PyAVCallbackError):  # it went
        send(client, film)


def main() -> None:
    """Serve until standard input ends."""
    server = socket.create_server(("127.0.0.1", int(sys.argv[2])))

    def accept() -> None:
        while True:
            threading.Thread(target=serve, args=(server.accept()[0], sys.argv[1]), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdout.write(f"{server.getsockname()[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)


main()

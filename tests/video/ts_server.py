"""A real server of MPEG-TS over TCP and HTTP for the tests, and of MJPEG over HTTP.

    ts_server.py PORT tcp|http|mjpeg RATE [USER PASSWORD]

Each client gets a stream of its own, H.264 in MPEG-TS, RATE frames a second, 320x240, made as it is sent. Each frame
holds the time at which it was made, and lines on standard input command the server, as with rtsp_server.py. http
sends the same after an HTTP answer without a length, to those who know the password; mjpeg sends JPEGs one after
another (multipart/x-mixed-replace).
"""

import base64
import io
import socket
import sys
import threading
import time
from fractions import Fraction

import av
import numpy as np
from PIL import Image

PORT, KIND, RATE = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
SECRET = sys.argv[4:6]


class Camera:
    """What is sent."""

    width, height = 320, 240
    stalled = False
    drops = 0

    def picture(self) -> np.ndarray:
        """(h, w, 3) uint8: the stripes of now."""
        bits = np.array([int(bit) for bit in f"{int(time.monotonic() * 1000) % 2**32:032b}"], np.uint8)
        row = np.repeat(bits * 255, self.width // 32)
        return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (self.height, self.width, 3)))

    def frames(self):
        """One picture after another at RATE, with its number, until the client is dropped."""
        drops, start, number = self.drops, time.monotonic(), 0
        while drops == self.drops:
            due = start + number / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            if not self.stalled:
                yield number, self.picture()
            number += 1


CAMERA = Camera()


class Pipe(io.RawIOBase):
    """The socket as a file that PyAV writes to."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self.client.sendall(data)
        return len(data)


def send_stream(client: socket.socket) -> None:
    """MPEG-TS until the client goes or is dropped. Another size begins a new encoder in the same stream."""
    with av.open(Pipe(client), "w", format="mpegts", options={"flush_packets": "1"}) as out:
        options = {"preset": "ultrafast", "tune": "zerolatency"}
        stream = out.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = CAMERA.width, CAMERA.height, "yuv420p"
        encoder, size = None, None
        for number, pixels in CAMERA.frames():
            if size != pixels.shape:
                size = pixels.shape
                encoder = av.CodecContext.create("libx264", "w")
                encoder.width, encoder.height, encoder.pix_fmt = size[1], size[0], "yuv420p"
                encoder.time_base, encoder.framerate = Fraction(1, RATE), Fraction(RATE)
                encoder.options = options | {"x264-params": f"keyint={RATE}:repeat-headers=1"}
            frame = av.VideoFrame.from_ndarray(pixels).reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            for packet in encoder.encode(frame):
                packet.stream = stream
                out.mux(packet)


def send_pictures(client: socket.socket) -> None:
    """JPEGs until the client goes or is dropped."""
    for _, pixels in CAMERA.frames():
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=90)
        data = file.getvalue()
        head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
        client.sendall(head.encode() + data + b"\r\n")


def serve(client: socket.socket) -> None:
    """One client."""
    with client:
        try:
            if KIND != "tcp":
                asked = b""
                while b"\r\n\r\n" not in asked:
                    asked += client.recv(4096)
                if SECRET and base64.b64encode(":".join(SECRET).encode()) not in asked:
                    client.sendall(
                        b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'
                    )
                    return
                kind = "video/mp2t" if KIND == "http" else "multipart/x-mixed-replace;boundary=next"
                client.sendall(
                    f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode()
                )
            (send_pictures if KIND == "mjpeg" else send_stream)(client)
        except OSError:
            pass  # the client went


def accept(server: socket.socket) -> None:
    """Clients, for ever."""
    while True:
        client, _ = server.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()


def main() -> None:
    """Serve until standard input ends."""
    server = socket.create_server(("127.0.0.1", PORT))
    threading.Thread(target=accept, args=(server,), daemon=True).start()
    sys.stdout.write(f"{server.getsockname()[1]}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        match line.split():
            case ["stall"]:
                CAMERA.stalled = True
            case ["resume"]:
                CAMERA.stalled = False
            case ["size", width, height]:
                CAMERA.width, CAMERA.height = int(width), int(height)
            case ["drop"]:
                CAMERA.drops += 1


main()

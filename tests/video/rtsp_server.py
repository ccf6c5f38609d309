"""A real RTSP server for the tests: GStreamer's, run by a Python that has its bindings (Debian: python3-gi,
gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-ugly, gstreamer1.0-rtsp).

    rtsp_server.py PORT [USER PASSWORD]

serves rtsp://127.0.0.1:PORT/live: H.264, 25 frames a second, 320x240. Each frame holds the time at which it was made
as 32 stripes from left to right, the bits of the milliseconds of the monotonic clock, highest first, white for 1.
PORT 0 takes any; the first line on standard output is the port. Lines on standard input command it: `stall` (no more
frames, the connection stays), `resume`, `drop` (every client), `size WIDTH HEIGHT`.
"""

import sys
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

RATE = 25
LAUNCH = (
    "( appsrc name=frames is-live=true format=time do-timestamp=true ! "
    "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 bitrate=1000 ! "
    "h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96 )"
)


class Camera:
    """What is sent, and to whom."""

    def __init__(self) -> None:
        self.width, self.height = 320, 240
        self.stalled = False
        self.sinks = []

    def configure(self, _factory, media) -> None:
        """A client came: its pipeline gets frames too."""
        sink = media.get_element().get_by_name("frames")
        sink.set_property("caps", self.caps())
        self.sinks.append(sink)
        media.connect("unprepared", lambda _: self.sinks.remove(sink) if sink in self.sinks else None)

    def caps(self):
        """The format of the raw frames."""
        return Gst.Caps.from_string(
            f"video/x-raw,format=I420,width={self.width},height={self.height},framerate={RATE}/1"
        )

    def resize(self, width: int, height: int) -> None:
        """Another size from the next frame on."""
        self.width, self.height = width, height
        for sink in self.sinks:
            sink.set_property("caps", self.caps())

    def send(self) -> bool:
        """One frame to everybody."""
        if not self.stalled:
            bits = f"{int(time.monotonic() * 1000) % 2**32:032b}"
            stripe = self.width // 32
            row = b"".join((b"\xeb" if bit == "1" else b"\x10") * stripe for bit in bits)
            data = row * self.height + b"\x80" * (self.width * self.height // 2)
            for sink in self.sinks:
                sink.emit("push-buffer", Gst.Buffer.new_wrapped(data))
        return True


def main() -> None:
    """Serve until standard input ends."""
    Gst.init(None)
    camera = Camera()
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(LAUNCH)
    factory.connect("media-configure", camera.configure)
    if len(sys.argv) > 2:
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(sys.argv[2], sys.argv[3]), token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        for allowed in ("media.factory.access", "media.factory.construct"):
            permissions.add_permission_for_role("viewer", allowed, True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    GLib.timeout_add(1000 // RATE, camera.send)
    loop = GLib.MainLoop()

    def command(channel, _condition) -> bool:
        words = channel.readline().split()
        match words:
            case []:
                loop.quit()
                return False
            case ["stall"]:
                camera.stalled = True
            case ["resume"]:
                camera.stalled = False
            case ["size", width, height]:
                camera.resize(int(width), int(height))
            case ["drop"]:
                server.client_filter(lambda _server, _client: GstRtspServer.RTSPFilterResult.REMOVE)
        return True

    GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IO_IN | GLib.IO_HUP, command)
    sys.stdout.write(f"{server.get_bound_port()}\n")
    sys.stdout.flush()
    loop.run()


main()

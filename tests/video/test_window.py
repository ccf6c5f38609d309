"""A real window on a real X server (Xvfb), looked at from outside: pixels by a screenshot, keys by xdotool."""

import ctypes
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import PIL.features
import PIL.ImageGrab
import pytest

from multiface.errors import ExtraMissing, NotAvailable
from multiface.video.window import Window

COLOURS = ((200, 30, 40), (20, 180, 60), (30, 60, 220), (240, 220, 20))


@pytest.fixture
def display(x_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The X server as this process's own."""
    monkeypatch.setenv("DISPLAY", x_server)
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return x_server


def quarters(width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A picture whose four quarters have each a colour."""
    image = np.empty((height, width, 3), np.uint8)
    rows, columns = slice(0, height // 2), slice(0, width // 2)
    other_rows, other_columns = slice(height // 2, None), slice(width // 2, None)
    image[rows, columns], image[rows, other_columns] = COLOURS[:2]
    image[other_rows, columns], image[other_rows, other_columns] = COLOURS[2:]
    return image


def screen(display: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """What the X server shows, as seen by another client."""
    return np.asarray(PIL.ImageGrab.grab(xdisplay=display).convert("RGB"))


def xdotool(display: str, *arguments: str) -> str:
    done = subprocess.run(
        ["xdotool", *arguments],
        env=os.environ | {"DISPLAY": display},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something is so; fails when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def number(display: str, title: str) -> str:
    """The X server's number of the one window there is, whose title must be this."""
    found = xdotool(display, "search", "--sync", "--class", ".").split()
    assert len(found) == 1
    assert xdotool(display, "getwindowname", found[0]).startswith(title)
    return found[0]


def place(display: str, title: str) -> tuple[int, int, int, int]:
    """Left, top, width and height of the window of this title."""
    words = xdotool(display, "getwindowgeometry", "--shell", number(display, title))
    values = dict(line.split("=") for line in words.splitlines())
    return int(values["X"]), int(values["Y"]), int(values["WIDTH"]), int(values["HEIGHT"])


class ClientMessage(ctypes.Structure):
    """XClientMessageEvent of Xlib, filled up to the size of an XEvent."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("rest", ctypes.c_long * 12),
    )


def press_closing_button(display: str, window: int) -> None:
    """Send the message that a window manager sends for its closing button (ICCCM 4.2.8, WM_DELETE_WINDOW)."""
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    opened = ctypes.c_void_p(x11.XOpenDisplay(display.encode()))
    protocols = x11.XInternAtom(opened, b"WM_PROTOCOLS", 0)
    delete = x11.XInternAtom(opened, b"WM_DELETE_WINDOW", 0)
    data = (ctypes.c_long * 5)(delete, 0, 0, 0, 0)
    event = ClientMessage(33, 0, 1, None, window, protocols, 32, data)
    assert x11.XSendEvent(opened, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(event))
    x11.XCloseDisplay(opened)


def shows(display: str, title: str, picture: tuple[int, int]) -> bool:
    """Whether the window shows the four quarters at the picture's shape, in its middle, the rest black."""
    left, top, width, height = place(display, title)
    pixels = screen(display)[top : top + height, left : left + width].astype(int)
    scale = min(width / picture[0], height / picture[1])
    wide, high = picture[0] * scale, picture[1] * scale
    x0, y0 = (width - wide) / 2, (height - high) / 2
    seen = [pixels[int(y0 + high * y), int(x0 + wide * x)] for y in (0.25, 0.75) for x in (0.25, 0.75)]
    right = all(np.abs(one - wanted).max() <= 2 for one, wanted in zip(seen, COLOURS, strict=True))
    black = (y0 < 3 or not pixels[1].any()) and (x0 < 3 or not pixels[:, 1].any())
    return right and black


def test_the_picture_is_on_the_screen(display: str) -> None:
    with Window("four quarters") as window:
        window.show(quarters(320, 240))
        until(lambda: window.keys() == () and shows(display, "four quarters", (320, 240)))
        assert place(display, "four quarters")[2:] == (320, 240)
        window.show(quarters(320, 240)[::-1])
        until(lambda: window.keys() == () and not shows(display, "four quarters", (320, 240)))
        # Another size in the same window: scaled, its shape kept.
        window.show(quarters(100, 300))
        until(lambda: window.keys() == () and shows(display, "four quarters", (100, 300)))
        assert place(display, "four quarters")[2:] == (320, 240)
    until(lambda: not screen(display).any())


def test_a_picture_larger_than_the_screen_fits(display: str) -> None:
    with Window("large") as window:
        window.show(quarters(3000, 1500))
        until(lambda: window.keys() == () and shows(display, "large", (3000, 1500)))
        assert place(display, "large")[2:] == (720, 360)


def test_resized_by_the_user(display: str) -> None:
    with Window("resized") as window:
        window.show(quarters(320, 240))
        until(lambda: window.keys() == () and shows(display, "resized", (320, 240)))
        xdotool(display, "windowsize", number(display, "resized"), "200", "400")
        until(lambda: window.keys() == () and place(display, "resized")[2:] == (200, 400))
        until(lambda: window.keys() == () and shows(display, "resized", (320, 240)))


def test_keys_reach_it(display: str) -> None:
    pressed: list[str] = []
    with Window("keys") as window:
        window.show(quarters(320, 240))
        xdotool(display, "windowfocus", "--sync", number(display, "keys"))
        for key in ("space", "q", "Return", "Escape"):
            xdotool(display, "key", key)

        def came() -> bool:
            pressed.extend(window.keys())
            return len(pressed) >= 4

        until(came)
        assert pressed == ["space", "q", "return", "escape"]
        assert window.keys() == ()


def test_its_closing_button_is_noticed(display: str) -> None:
    """A closing button is a message that the window manager sends; here the test sends it."""
    with Window("closing") as window:
        window.show(quarters(320, 240))
        assert window.is_open
        press_closing_button(display, int(number(display, "closing")))
        until(lambda: window.keys() == () and not window.is_open)
        window.show(quarters(320, 240))
    assert window.keys() == ()
    window.close()


def test_one_after_the_other(display: str) -> None:
    for round_ in range(3):
        with Window(f"round {round_}") as window:
            window.show(quarters(160, 120))
            until(lambda: window.keys() == () and shows(display, "round", (160, 120)))


@pytest.mark.parametrize("driver", ["", "dummy"])
def test_without_a_screen(driver: str) -> None:
    """In a process of its own, which says nothing on standard output: the JSON document goes there."""
    if importlib.util.find_spec("pygame") is None:
        pytest.skip("needs pygame-ce")
    environment = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
    environment |= {"SDL_VIDEODRIVER": driver} if driver else {}
    script = (
        "from multiface.errors import NotAvailable\n"
        "from multiface.video.window import Window\n"
        "try:\n    Window('none')\nexcept NotAvailable as error:\n    assert '--headless' in str(error), error\n"
        "else:\n    raise SystemExit('a window without a screen')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_without_pygame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(ExtraMissing, match=r"pip install '\.\[window\]'"):
        Window("none")
    assert issubclass(ExtraMissing, NotAvailable)

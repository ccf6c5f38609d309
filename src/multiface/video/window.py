"""A window on the screen that shows pictures and tells which keys were pressed. Needs pygame-ce (`[window]`).

Pictures are (h, w, 3) uint8 RGB. A picture is scaled to fit the window and keeps its shape; what is left of the window
is black. The window opens with the first picture, in its size, or smaller where the screen is. SDL, which pygame
rests on, has one window system for a process, and on some systems only the main thread may use it: open one window
at a time, and use it in the thread that opened it.
"""

import os
from types import TracebackType
from typing import TYPE_CHECKING

from multiface.errors import ExtraMissing, NotAvailable, how_to_install
from multiface.images import Image
from multiface.visible import visible

if TYPE_CHECKING:
    import pygame

SHARE_OF_SCREEN = 0.9
"""How much of the screen's width and height the window takes at most when it opens."""

_UNSEEN = ("dummy", "offscreen")
"""Drivers with which SDL shows nothing to anybody."""


class Window:
    """One window. Use it in a `with` statement or close it.

    title: shown above the pictures. Raises ExtraMissing without pygame, NotAvailable without a screen.
    """

    def __init__(self, title: str) -> None:
        try:
            # Else pygame greets the user on standard output, where the JSON document goes.
            os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
            import pygame
        except ImportError as error:
            raise ExtraMissing(
                "a window needs the package pygame-ce, which is not installed",
                hint=f"{how_to_install('window')}, or go without a window (--headless)",
            ) from error
        try:
            pygame.display.init()
        except pygame.error as error:
            raise NotAvailable(
                f"no screen for a window ({error})", hint="go without a window (--headless)"
            ) from error
        driver = pygame.display.get_driver()
        if driver in _UNSEEN:
            pygame.display.quit()
            raise NotAvailable(
                f"no screen for a window (only the driver {driver!r} works)",
                hint="go without a window (--headless)",
            )
        self._title = visible(title)
        self._surface: pygame.Surface | None = None
        self._picture: pygame.Surface | None = None
        self._wanted = True
        self._closed = False

    def __enter__(self) -> "Window":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether nobody has closed the window; its closing button is noticed in `keys`."""
        return self._wanted and not self._closed

    def show(self, image: Image) -> None:
        """Show an (h, w, 3) uint8 RGB picture; nothing happens after the window was closed."""
        if not self.is_open:
            return
        import pygame

        height, width = image.shape[:2]
        self._picture = pygame.image.frombuffer(image.tobytes(), (width, height), "RGB")
        if self._surface is None:
            self._surface = _opened(self._title, width, height)
        self._draw()

    def keys(self) -> tuple[str, ...]:
        """The keys pressed since the last call, by name ("space", "q", "escape", "return"); does not wait.

        Call it often: it is also what keeps the window alive, repaints it, and notices that it was closed.
        """
        if self._closed:
            return ()
        import pygame

        pressed, repaint = [], False
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                self._wanted = False
            elif event.type == pygame.KEYDOWN:
                pressed.append(pygame.key.name(event.key))
            elif event.type in (pygame.WINDOWEXPOSED, pygame.WINDOWSIZECHANGED):
                repaint = True
        if repaint:
            self._draw()
        return tuple(pressed)

    def close(self) -> None:
        """Close the window; closing twice is fine."""
        if self._closed:
            return
        import pygame

        self._closed = True
        self._surface = self._picture = None
        pygame.display.quit()

    def _draw(self) -> None:
        """Put the last picture on the window, scaled, in the middle."""
        import pygame

        if self._surface is None or self._picture is None:
            return
        surface = pygame.display.get_surface() or self._surface
        size = _fitting(self._picture.get_size(), surface.get_size())
        scaled = self._picture if size == self._picture.get_size() else _scaled(self._picture, size)
        surface.fill((0, 0, 0))
        surface.blit(scaled, ((surface.get_width() - size[0]) // 2, (surface.get_height() - size[1]) // 2))
        pygame.display.flip()


def _opened(title: str, width: int, height: int) -> "pygame.Surface":
    """The window, at first in the size of the picture where the screen is large enough."""
    import pygame

    screen_width, screen_height = pygame.display.get_desktop_sizes()[0]
    most = (int(screen_width * SHARE_OF_SCREEN), int(screen_height * SHARE_OF_SCREEN))
    size = (width, height) if width <= most[0] and height <= most[1] else _fitting((width, height), most)
    pygame.display.set_caption(title)
    try:
        return pygame.display.set_mode(size, pygame.RESIZABLE)
    except pygame.error as error:
        raise NotAvailable(
            f"the window cannot be opened ({error})", hint="go without one (--headless)"
        ) from error


def _scaled(picture: "pygame.Surface", size: tuple[int, int]) -> "pygame.Surface":
    import pygame

    return pygame.transform.smoothscale(picture, size)


def _fitting(picture: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """The largest size of the picture's shape that has room; at least one pixel each way."""
    scale = min(room[0] / picture[0], room[1] / picture[1])
    return max(1, round(picture[0] * scale)), max(1, round(picture[1] * scale))

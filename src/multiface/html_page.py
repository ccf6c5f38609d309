"""An HTML page that stands alone, in light and dark. Open to every room.

There is no script, pictures are data URIs, and the page's Content-Security-Policy forbids loading anything from
elsewhere. Text from outside (names, paths) goes through `text`.
"""

from base64 import b64encode
from html import escape
from pathlib import Path

from multiface.regular_file import open_regular
from multiface.visible import visible

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.4 system-ui, sans-serif; margin: 0 auto; padding: 1em; }
h1 { font-size: 1.3em; overflow-wrap: anywhere; }
small { opacity: .75; }
summary { cursor: pointer; }
"""


def page(title: str, style: str, body: str) -> bytes:
    """The page. title: any text, also the heading. style: CSS, after the common one. body: HTML, below the heading."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{text(title)}</title>
<style>{_STYLE}{style}</style>
</head>
<body>
<h1>{text(title)}</h1>
{body}</body>
</html>
""".encode()


def text(words: str) -> str:
    """Text in an attribute or between tags; what is no text or unsafe is shown as its escape."""
    return escape(visible(words), quote=True)


def jpeg_uri(content: bytes) -> str:
    """The bytes of a JPEG file as an address that holds them."""
    return f"data:image/jpeg;base64,{b64encode(content).decode('ascii')}"


def is_page(path: Path) -> bool:
    """Whether a file is an HTML page or empty, so that another page may take its place. Raises OSError."""
    with open_regular(path) as file:
        head = file.read(64)
    return not head or head.lstrip().lower().startswith((b"<!doctype html", b"<html"))

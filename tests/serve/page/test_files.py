"""The page's files as they are served, without a browser: kept for ever under an address of their content; small."""

import gzip
import re
from importlib.resources import files
from pathlib import Path

import httpx

PAGE = Path(str(files("multiface.serve"))) / "page"
FILES = sorted(file for file in PAGE.rglob("*") if file.is_file())
SCRIPTS = [file for file in FILES if file.suffix == ".js"]


def test_kept_for_ever_or_asked_for_anew(address: str) -> None:
    with httpx.Client(base_url=address) as client:
        index = client.get("/")
        assert index.headers["content-type"] == "text/html; charset=utf-8"
        assert index.headers["cache-control"] == "no-cache"
        policy = index.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe" not in policy
        assert "require-trusted-types-for 'script'" in policy and "frame-ancestors 'none'" in policy
        again = client.get("/", headers={"If-None-Match": index.headers["etag"]})
        assert again.status_code == 304 and again.headers["content-security-policy"] == policy
        (script,) = re.findall(r'src="(/page/[0-9a-f]{16}/main\.js)"', index.text)
        loaded = client.get(script)
        assert loaded.headers["content-type"] == "text/javascript; charset=utf-8"
        assert "immutable" in loaded.headers["cache-control"]
        assert loaded.content == (PAGE / "main.js").read_bytes()
        assert loaded.headers["content-encoding"] == "gzip"
        plain = client.get(script, headers={"Accept-Encoding": "identity"})
        assert plain.content == loaded.content and "content-encoding" not in plain.headers
        for wrong in (
            script.replace("/page/", "/page/0"),
            script.replace("main.js", "index.html"),
            script.replace("main.js", "%2e%2e/page_files.py"),
        ):
            assert client.get(wrong).status_code == 404, wrong
        for file in FILES:
            if file.suffix != ".html":
                path = file.relative_to(PAGE).as_posix()
                assert client.get(script.replace("main.js", path)).status_code == 200


def test_scripts_and_styles_are_small() -> None:
    """/docs is a page of its own, with one script more."""
    sent = [file.read_bytes() for file in FILES if file.suffix in (".js", ".css") and file.name != "docs.js"]
    assert sum(map(len, sent)) < 150_000
    assert sum(len(gzip.compress(content)) for content in sent) < 60_000


def test_nothing_from_elsewhere_and_no_markup_from_text() -> None:
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        found = set(re.findall(r"\b(?:https?:)?//[\w.-]+\.\w+[^\s\"'`)]*", text))
        assert {one for one in found if not one.startswith("http://www.w3.org/")} == set(), file
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|DOMParser", text
        ), file
        assert not re.search(r"<[^>]+\s(?:style|on\w+)=", text) or file.suffix == ".js", file


def test_every_string_that_is_asked_for_is_there() -> None:
    """A misspelt one would be shown as "undefined"."""
    strings = (PAGE / "strings.js").read_text(encoding="utf-8")
    for file in SCRIPTS:
        text = file.read_text(encoding="utf-8")
        own = re.search(r"const words = text\.(\w+);", text)
        asked = {("", one) for one in re.findall(r"\btext\.(\w+)", text)} if file.name != "dom.js" else set()
        asked |= {(part, one) for part, one in re.findall(r"\btext\.(\w+)\.(\w+)\b", text)}
        if own:
            asked |= {(own[1], one) for one in re.findall(r"\bwords\.(\w+)", text)}
        for part, one in asked:
            block = strings if not part else _block(strings, part)
            assert part == "kinds" or re.search(rf"[\s{{,]\"?{one}\"?\s*:", block), (file.name, part, one)


def _block(strings: str, part: str) -> str:
    """What is between the braces of a part."""
    begin = re.search(rf"\n  {part}: {{", strings)
    assert begin is not None, part
    depth = 0
    for k in range(begin.end() - 1, len(strings)):
        depth += {"{": 1, "}": -1}.get(strings[k], 0)
        if depth == 0:
            return strings[begin.start() : k]
    raise AssertionError(part)

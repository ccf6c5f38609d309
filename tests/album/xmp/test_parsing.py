"""Packets from anywhere: hostile, broken or in another encoding."""

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiface.album.xmp.names import SUBJECT
from multiface.album.xmp.parsing import DEEPEST, LARGEST, MOST, parse
from multiface.album.xmp.rdf import rdf_of, texts
from multiface.errors import InputError

HEAD = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
TAIL = "</rdf:RDF></x:xmpmeta>"
PACKET = (
    f'{HEAD}<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag>'
    f"<rdf:li>Zoë 😀</rdf:li></rdf:Bag></dc:subject></rdf:Description>{TAIL}"
)


def many(attribute: str) -> str:
    return f"<a {' '.join(attribute.format(n) for n in range(MOST + 1))}/>"


def laughs(secret: Path) -> dict[str, tuple[str, str]]:
    """Name of an attack -> the packet and a part of the answer."""
    tens = [f"&l{n};" * 10 for n in range(9)]
    lol = "".join(f"<!ENTITY l{n} '{ten}'>" for n, ten in enumerate(tens, 1))
    inside = f"<rdf:Description>&l9;</rdf:Description>{TAIL}"
    return {
        "billion laughs": (f'<!DOCTYPE x [<!ENTITY l0 "lol">{lol}]>{HEAD}{inside}', "document type"),
        "external entity": (
            f'<!DOCTYPE x [<!ENTITY l9 SYSTEM "{secret.as_uri()}">]>{HEAD}{inside}',
            "document type",
        ),
        "external document type": (f'<!DOCTYPE x SYSTEM "{secret.as_uri()}">{HEAD}{TAIL}', "document type"),
        "parameter entity": (
            f'<!DOCTYPE x [<!ENTITY % p SYSTEM "{secret.as_uri()}">%p;]>{HEAD}{TAIL}',
            "document type",
        ),
        "entity of nobody": (f"{HEAD}{inside}", "undefined entity"),
        "unclosed": (PACKET[:-5], "not well-formed"),
        "two roots": (PACKET + "<x/>", "not well-formed"),
        "undeclared prefix": (PACKET.replace(' xmlns:dc="http://purl.org/dc/elements/1.1/"', ""), "unbound"),
        "attribute twice": (PACKET.replace('about=""', 'about="" rdf:about=""'), "not well-formed"),
        "control character": (PACKET.replace("Zoë", "Zo\x01"), "not well-formed"),
        "space in a namespace": (PACKET.replace("elements/1.1/", "elements 1.1/"), "XMP"),
        "newline in a namespace": (PACKET.replace("elements/1.1/", "elements&#10;1.1/"), "XMP"),
        "text": ("no XML at all", "not well-formed"),
        "empty": ("", "no element found"),
        "white space": (" \n ", "no element found"),
        "deep": ("<a>" * 300 + "</a>" * 300, "deep inside"),
        "endlessly deep": ("<a>" * (LARGEST // 3), "deep inside"),
        "wide": (HEAD + "<a/>" * (MOST + 1) + TAIL, "elements and attributes"),
        "many attributes": (
            many("a{}='1'"),
            "elements and attributes",
        ),
        "many namespaces": (many("xmlns:a{}='b'"), "namespaces"),
        "too large": (HEAD + " " * LARGEST + TAIL, "allowed"),
        "no rdf": ('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>', "rdf:RDF"),
        "a page": ("<html><body><p>404</p></body></html>", "rdf:RDF"),
        "rdf too deep": (f"<a><b>{HEAD}{TAIL}</b></a>", "rdf:RDF"),
    }


@pytest.mark.parametrize("attack", laughs(Path("/x")))
def test_what_is_no_xmp_is_refused_by_name(attack: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("TELL-NOBODY")
    packet, answer = laughs(secret)[attack]
    started = time.process_time()
    with pytest.raises(InputError, match=answer) as caught:
        rdf_of(parse(packet.encode(), "photo.jpg.xmp"), "photo.jpg.xmp")
    assert str(caught.value).startswith("photo.jpg.xmp: ")
    assert "TELL-NOBODY" not in str(caught.value)
    assert time.process_time() - started < 5


def test_a_hundred_megabytes_of_nesting_are_not_even_parsed() -> None:
    packet = b"<a>" * 33_000_000
    started = time.process_time()
    with pytest.raises(InputError, match="99,000,000 bytes"):
        parse(packet, "p")
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
@pytest.mark.parametrize("begin", ["", "<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?>\n"])
def test_unicode_in_any_encoding(encoding: str, begin: str) -> None:
    packet = (begin + PACKET + "\n" * 50 + "\0").encode(encoding)
    assert texts(rdf_of(parse(packet, "p"), "p"), SUBJECT) == ["Zoë 😀"]


def test_what_the_declaration_says_of_the_encoding_does_not_count() -> None:
    """A packet is Unicode, and its first bytes say which."""
    for named in ("UTF-16", "ISO-8859-1", "no-such-encoding"):
        packet = f'<?xml version="1.0" encoding="{named}"?>\n{PACKET}'.encode()
        assert texts(rdf_of(parse(packet, "p"), "p"), SUBJECT) == ["Zoë 😀"]


@pytest.mark.parametrize(
    "packet", [PACKET.encode("latin-1", "replace").replace(b"Zo", b"Zo\xff"), b"\xff\xfe<\xd8"]
)
def test_bytes_that_are_no_unicode(packet: bytes) -> None:
    with pytest.raises(InputError, match="is not valid UTF"):
        parse(packet, "p")


def test_the_deepest_that_is_allowed() -> None:
    parse(b"<a>" * DEEPEST + b"</a>" * DEEPEST, "p")
    with pytest.raises(InputError):
        parse(b"<a>" * (DEEPEST + 1) + b"</a>" * (DEEPEST + 1), "p")


@given(st.binary(max_size=200) | st.text(alphabet="<>/&;!?x:= '\"[]-", max_size=60).map(str.encode))
def test_nothing_but_our_own_error_leaves_it(packet: bytes) -> None:
    try:
        parse(packet, "p")
    except InputError as error:
        assert str(error).startswith("p: ")


@given(st.integers(0, len(PACKET.encode()) - 1), st.integers(0, 255))
def test_a_packet_with_one_wrong_byte(at: int, byte: int) -> None:
    packet = bytearray(PACKET.encode())
    packet[at] = byte
    with contextlib.suppress(InputError):
        texts(rdf_of(parse(bytes(packet), "p"), "p"), SUBJECT)

"""From the bytes of an XMP packet to its tree, without trusting them.

A packet comes from anywhere, so a document type (the home of entities and of references to other files) is refused
before anything in it counts, and size, depth and number of elements are limited. Sources: XML 1.0, Namespaces in XML
1.0, ISO 16684-1 (XMP) 7.
"""

from xml.parsers import expat

from multiface.album.xmp.tree import Attribute, Document, Element, Name, Verbatim
from multiface.errors import InputError

LARGEST = 8_000_000
"""Bytes of a packet."""
DEEPEST = 100
"""Elements inside each other."""
MOST = 200_000
"""Elements, attributes, comments and instructions together."""
MOST_NAMESPACES = 5_000
"""Declarations of namespaces."""

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)


def parse(packet: bytes, name: str) -> Document:
    """The tree of a packet. name: what messages call it. Raises InputError for what is no XMP or over the limits."""
    if len(packet) > LARGEST:
        raise InputError(f"{name}: its XMP has {len(packet):,} bytes, over the {LARGEST:,} allowed")
    try:
        return _Reader().read(_decoded(packet))
    except expat.ExpatError as error:
        raise InputError(
            f"{name}: its XMP is not well-formed ({error})", hint="repair it, or move it away"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: its XMP is not valid {error.encoding.upper()}", hint="repair it, or move it away"
        ) from error
    except _Refused as error:
        raise InputError(f"{name}: its XMP {error}", hint="repair it, or move it away") from error


class _Refused(Exception):
    """What the parser may not go on with."""


def _decoded(packet: bytes) -> str:
    encoding = next((encoding for mark, encoding in _MARKS if packet.startswith(mark)), "utf-8")
    # Packets inside pictures are padded.
    return packet.decode(encoding).strip("\ufeff\0 \t\r\n")


class _Reader:
    """Builds the tree of one text while the parser goes through it."""

    def __init__(self) -> None:
        self._open: list[Element] = []
        self._root: Element | None = None
        self._outside: tuple[list[Verbatim], list[Verbatim]] = ([], [])
        self._new: dict[str, str] = {}
        self._count = 0
        self._namespaces = 0
        self._declared = False

    def read(self, text: str) -> Document:
        parser = expat.ParserCreate("utf-8", " ")
        parser.namespace_prefixes = True
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._document_type
        parser.StartNamespaceDeclHandler = self._namespace
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.CommentHandler = lambda text: self._verbatim(f"<!--{text}-->")
        parser.ProcessingInstructionHandler = lambda target, text: self._verbatim(f"<?{target} {text}?>")
        parser.Parse(text.encode(), True)
        if self._root is None:
            raise _Refused("is empty")
        return Document(self._root, *self._outside, declared=self._declared)

    def _declaration(self, _version: str, _encoding: str | None, _standalone: int) -> None:
        self._declared = True

    def _document_type(self, *_: object) -> None:
        raise _Refused("has a document type, which XMP never has")

    def _namespace(self, prefix: str | None, address: str | None) -> None:
        if address is not None and any(map(str.isspace, address)):
            raise _Refused("has a namespace with a space in its address")
        self._namespaces += 1
        if self._namespaces > MOST_NAMESPACES:
            raise _Refused(f"declares over {MOST_NAMESPACES:,} namespaces")
        self._new[prefix or ""] = address or ""

    def _start(self, name: str, attributes: list[str]) -> None:
        self._one_more(1 + len(attributes) // 2)
        if len(self._open) >= DEEPEST:
            raise _Refused(f"has elements over {DEEPEST} deep inside each other")
        element = Element(*_split(name), self._new)
        self._new = {}
        for at in range(0, len(attributes), 2):
            element.attributes.append(Attribute(*_split(attributes[at]), attributes[at + 1]))
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].children.append(text)

    def _verbatim(self, text: str) -> None:
        self._one_more(1)
        if self._open:
            self._open[-1].children.append(Verbatim(text))
        else:
            self._outside[self._root is not None].append(Verbatim(text))

    def _one_more(self, count: int) -> None:
        self._count += count
        if self._count > MOST:
            raise _Refused(f"has over {MOST:,} elements and attributes")


def _split(name: str) -> tuple[Name, str]:
    """The parser's "address local prefix" with fewer parts where there is no prefix or no namespace."""
    parts = name.split(" ")
    if len(parts) == 1:
        return ("", name), ""
    return (parts[0], parts[1]), parts[2] if len(parts) == 3 else ""

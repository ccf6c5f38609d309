"""XMP packets as trees, which are written back with all that they held (`parsing` makes them).

Prefixes, comments, processing instructions, white space and the order of attributes come back as they were; only the
encoding (UTF-8 from then on), entities' spelling and white space outside the outermost element may change.
Sources: XML 1.0, Namespaces in XML 1.0.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_XML = "http://www.w3.org/XML/1998/namespace"
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Name = tuple[str, str]
"""A namespace's address ("" for none) and a name in it."""


@dataclass(slots=True, eq=False)
class Attribute:
    name: Name
    prefix: str
    value: str


@dataclass(frozen=True, slots=True)
class Verbatim:
    """A comment or a processing instruction, as it is written."""

    text: str


@dataclass(slots=True, eq=False)
class Element:
    """declared: prefix -> address of the namespaces that are declared here. children: text as str."""

    name: Name
    prefix: str = ""
    declared: dict[str, str] = field(default_factory=dict)
    attributes: list[Attribute] = field(default_factory=list)
    children: "list[Element | Verbatim | str]" = field(default_factory=list)

    @property
    def elements(self) -> "list[Element]":
        return [child for child in self.children if isinstance(child, Element)]

    @property
    def text(self) -> str:
        """What stands directly inside."""
        return "".join(child for child in self.children if isinstance(child, str))

    def attribute(self, name: Name) -> str | None:
        return next((one.value for one in self.attributes if one.name == name), None)


@dataclass(slots=True, eq=False)
class Document:
    """before, after: what stands outside the outermost element. declared: whether it begins with `<?xml ...?>`."""

    root: Element
    before: list[Verbatim] = field(default_factory=list)
    after: list[Verbatim] = field(default_factory=list)
    declared: bool = False


def xml_text(text: str) -> str:
    """The text, with U+FFFD for what XML 1.0 cannot hold: most control characters, half a surrogate, U+FFFE."""
    return _NOT_IN_XML.sub("\ufffd", text)


def serialised(document: Document) -> bytes:
    """The packet of a tree, in UTF-8."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>'] if document.declared else []
    lines += [one.text for one in document.before]
    lines.append("".join(_written(document.root, {"": "", "xml": _XML})))
    lines += [one.text for one in document.after]
    return "\n".join([*lines, ""]).encode()


def _written(element: Element, scope: dict[str, str]) -> Iterator[str]:
    """scope: prefix -> address of the namespaces declared around it. What an element lacks is declared on it."""
    declared = dict(element.declared)
    if declared:
        scope = {**scope, **declared}
    names = [(one.name, one.prefix) for one in element.attributes if one.prefix]
    for (address, _), prefix in [(element.name, element.prefix), *names]:
        if scope.get(prefix) != address:
            declared[prefix] = address
            scope = {**scope, prefix: address}
    tag = _qualified(element.name, element.prefix)
    yield f"<{tag}"
    for prefix, address in declared.items():
        yield f' xmlns{":" if prefix else ""}{prefix}="{_attribute(address)}"'
    for one in element.attributes:
        yield f' {_qualified(one.name, one.prefix)}="{_attribute(one.value)}"'
    if not element.children:
        yield "/>"
        return
    yield ">"
    for child in element.children:
        if isinstance(child, Element):
            yield from _written(child, scope)
        else:
            yield child.text if isinstance(child, Verbatim) else _content(child)
    yield f"</{tag}>"


def _qualified(name: Name, prefix: str) -> str:
    return f"{prefix}:{name[1]}" if prefix else name[1]


def _content(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _attribute(text: str) -> str:
    text = _content(text).replace('"', "&quot;")
    return text.replace("\t", "&#9;").replace("\n", "&#10;")

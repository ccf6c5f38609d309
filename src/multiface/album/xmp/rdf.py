"""Properties in XMP's RDF: found in each of the forms that writers use, and changed in place.

A property is an attribute or an element of an rdf:Description; a structure has its fields as elements (with
rdf:parseType="Resource" or a nested rdf:Description) or as attributes of either; an array is an rdf:Bag, Seq or Alt of
rdf:li; a value may carry qualifiers beside rdf:value. Source: ISO 16684-1, 7.
"""

from collections.abc import Iterable

from multiface.album.xmp.names import ALSO_KNOWN_AS
from multiface.album.xmp.tree import Attribute, Document, Element, Name, Verbatim, xml_text
from multiface.errors import InputError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DESCRIPTION = (RDF, "Description")
_ARRAYS = {(RDF, "Bag"), (RDF, "Seq"), (RDF, "Alt")}
_ITEM = (RDF, "li")
_VALUE = (RDF, "value")
_META = "adobe:ns:meta/"


def rdf_of(document: Document, name: str) -> Element:
    """The rdf:RDF of a packet. name: what messages call it. Raises InputError where there is none."""
    for element in (document.root, *document.root.elements):
        if element.name == (RDF, "RDF"):
            return element
    raise InputError(f"{name}: is XML without rdf:RDF, so no XMP", hint="repair it, or move it away")


def descriptions(rdf: Element) -> list[Element]:
    return [element for element in rdf.elements if element.name == _DESCRIPTION]


def found(rdf: Element, name: Name) -> tuple[Element, Element | Attribute] | None:
    """The first description with a property, and the element or attribute that holds it, under either address."""
    for description in descriptions(rdf):
        held: list[Element | Attribute] = [*description.elements, *description.attributes]
        for one in held:
            if (ALSO_KNOWN_AS.get(one.name[0], one.name[0]), one.name[1]) == name:
                return description, one
    return None


def fields(element: Element) -> dict[Name, Element | str]:
    """The fields of a structure, whichever form it has."""
    inside = element.elements
    holder = inside[0] if len(inside) == 1 and inside[0].name == _DESCRIPTION else element
    members: dict[Name, Element | str] = {}
    for one in (*element.attributes, *holder.attributes):
        if one.name[0] != RDF:
            members[one.name] = one.value
    members.update((one.name, one) for one in holder.elements)
    return members


def field_text(members: dict[Name, Element | str], name: Name) -> str | None:
    """A field's value as text; None where there is none."""
    value = members.get(name)
    return value_of(value) if isinstance(value, Element) else value


def field_element(members: dict[Name, Element | str], name: Name) -> Element | None:
    value = members.get(name)
    return value if isinstance(value, Element) else None


def value_of(element: Element) -> str:
    """The text of a simple value, with or without qualifiers."""
    value = fields(element).get(_VALUE)
    return value.text if isinstance(value, Element) else element.text


def array_in(element: Element) -> Element | None:
    return next((one for one in element.elements if one.name in _ARRAYS), None)


def items(array: Element) -> list[Element]:
    return [one for one in array.elements if one.name == _ITEM]


def texts(rdf: Element, name: Name) -> list[str] | None:
    """The values of an array of texts, of which a careless writer made one value; None where it is not there."""
    place = found(rdf, name)
    if place is None:
        return None
    holder = place[1]
    if isinstance(holder, Attribute):
        return [holder.value] if holder.value else []
    array = array_in(holder)
    if array is None:
        value = value_of(holder)
        return [value] if value.strip() else []
    return [value_of(item) for item in items(array)]


def array_for(rdf: Element, name: Name, prefixes: dict[str, str], kind: str) -> Element:
    """The array of texts of a property, made where there is none; one value becomes its first item.

    prefixes: address -> prefix, for what is made. kind: "Bag" or "Seq".
    """
    place = found(rdf, name)
    if place is None:
        holder = Element(name, prefixes[name[0]])
        append(new_description(rdf, {prefixes[name[0]]: name[0]}), holder)
        before: list[str] = []
    else:
        description, one = place
        array = array_in(one) if isinstance(one, Element) else None
        if array is not None:
            return array
        before = texts(rdf, name) or []
        if isinstance(one, Attribute):
            holder = Element(one.name, one.prefix)
            description.attributes.remove(one)
            append(description, holder)
        else:
            holder = one
            holder.children.clear()
    array = Element((RDF, kind), rdf.prefix)
    append(holder, array)
    add_texts(array, before)
    return array


def add_texts(array: Element, values: Iterable[str]) -> None:
    for value in values:
        append(array, Element(_ITEM, array.prefix, children=[xml_text(value)]))


def new_description(rdf: Element, declared: dict[str, str]) -> Element:
    """A new rdf:Description of the same resource as the others."""
    others = (one.attribute((RDF, "about")) or one.attribute(("", "about")) for one in descriptions(rdf))
    about = next(filter(None, others), None)
    description = Element(
        _DESCRIPTION,
        rdf.prefix,
        declared=dict(declared),
        attributes=[Attribute((RDF, "about"), rdf.prefix or "rdf", about or "")],
    )
    append(rdf, description)
    return description


def prefixes_in(one: Element | Attribute) -> dict[str, str]:
    """Prefix -> address of the namespaces that an element needs, and all inside it."""
    used = {one.prefix: one.name[0]} if one.prefix else {}
    if isinstance(one, Element):
        inside: list[Element | Attribute] = [*one.attributes, *one.elements]
        for part in inside:
            used.update(prefixes_in(part))
    return {prefix: address for prefix, address in used.items() if address != RDF and prefix != "xml"}


def structure(name: Name, prefix: str, children: Iterable[Element]) -> Element:
    """A structure with its fields as elements."""
    made = Element(name, prefix, attributes=[Attribute((RDF, "parseType"), "rdf", "Resource")])
    for child in children:
        append(made, child)
    return made


def append(parent: Element, child: Element) -> None:
    """Put an element last, set in like those before it."""
    lead = next((one for one in parent.children if isinstance(one, str) and not one.strip()), None)
    if parent.elements and lead is not None:
        at = len(parent.children)
        if isinstance(parent.children[-1], str) and not parent.children[-1].strip():
            at -= 1
        parent.children[at:at] = [lead, child]
    else:
        parent.children.append(child)


def remove(parent: Element, child: Element) -> None:
    """Take an element out, with the white space before it."""
    at = parent.children.index(child)
    before = parent.children[at - 1] if at else None
    start = at - 1 if isinstance(before, str) and not before.strip() else at
    del parent.children[start : at + 1]


def remove_property(rdf: Element, name: Name) -> None:
    """Take a property out, and its rdf:Description where that then says nothing."""
    place = found(rdf, name)
    if place is None or isinstance(place[1], Attribute):
        return
    description = place[0]
    remove(description, place[1])
    says_more = description.elements or any(one.name[0] != RDF for one in description.attributes)
    if not says_more and len(descriptions(rdf)) > 1:
        remove(rdf, description)


def new_document() -> Document:
    """A packet that says nothing yet, in the wrapper that one inside a picture must have."""
    rdf = Element((RDF, "RDF"), "rdf", declared={"rdf": RDF}, children=["\n "])
    meta = Element(
        (_META, "xmpmeta"),
        "x",
        declared={"x": _META},
        attributes=[Attribute((_META, "xmptk"), "x", "MultiFace")],
        children=["\n ", rdf, "\n"],
    )
    begin = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    return Document(meta, [Verbatim(begin)], [Verbatim('<?xpacket end="w"?>')])

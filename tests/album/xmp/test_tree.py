"""A packet that nobody changed comes back as it was."""

from hypothesis import given
from hypothesis import strategies as st

from multiface.album.xmp.parsing import parse
from multiface.album.xmp.tree import Attribute, Element, serialised, xml_text

RICH = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<!-- kept -->
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" xmlns:who="urn:nobody#"
   crs:Exposure2012="+0.35" who:quoted="a &quot;b&quot; &lt;c&gt; &amp; d&#10;e&#9;f" plain="1">
   <crs:ToneCurve><!-- a curve --><rdf:Seq><rdf:li>0</rdf:li><rdf:li xml:lang="en">9</rdf:li></rdf:Seq></crs:ToneCurve>
   <elsewhere xmlns="urn:other/"><inside/><none xmlns=""/></elsewhere>
   <who:text>1 &lt; 2 &amp;&amp; 3 &gt; 2 &#13;</who:text>
   <?keep me?>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


def normal(packet: str) -> str:
    """Line ends inside tags are white space like any other, and declarations come first."""
    return packet.replace('rdf:about="" xmlns:crs', "xmlns:crs").replace(
        "\n   crs:Exp", ' rdf:about="" crs:Exp'
    )


def test_everything_comes_back() -> None:
    again = serialised(parse(RICH.encode(), "p")).decode()
    assert again == normal(RICH)
    assert serialised(parse(again.encode(), "p")).decode() == again


def test_the_declaration_is_written_where_there_was_one() -> None:
    packet = b'<?xml version="1.0" encoding="UTF-8"?>\n<a/>\n'
    assert serialised(parse(packet, "p")) == packet
    assert serialised(parse(packet.decode().replace("UTF-8", "UTF-16").encode("utf-16"), "p")) == packet


def test_namespaces_that_are_missing_around_an_element_are_declared_on_it() -> None:
    document = parse(b'<a xmlns:p="urn:1/"><p:b/></a>', "p")
    document.root.children.append(
        Element(("urn:2/", "c"), "p", attributes=[Attribute(("urn:3/", "d"), "q", "e")])
    )
    assert serialised(document) == (
        b'<a xmlns:p="urn:1/"><p:b/><p:c xmlns:p="urn:2/" xmlns:q="urn:3/" q:d="e"/></a>\n'
    )


@given(st.text(), st.text())
def test_any_text_that_xml_holds(text: str, value: str) -> None:
    document = parse(b"<a/>", "p")
    document.root.children.append(xml_text(text))
    document.root.attributes.append(Attribute(("", "b"), "", xml_text(value)))
    again = parse(serialised(document), "p")
    assert again.root.text == xml_text(text)
    assert again.root.attribute(("", "b")) == xml_text(value)


def test_what_xml_cannot_hold() -> None:
    assert xml_text("a\0b\x1b\ud800\uffff\ufffe") == "a\ufffdb\ufffd\ufffd\ufffd\ufffd"
    assert (
        xml_text("tab\t line\n return\r \x85 é 漢 😀 \u202e") == "tab\t line\n return\r \x85 é 漢 😀 \u202e"
    )

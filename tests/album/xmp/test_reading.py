"""People in pictures as other programs write them."""

from pathlib import Path

import pytest

from multiface.album.xmp.reading import read_regions
from multiface.album.xmp.region_reading import MOST_REGIONS
from multiface.album.xmp.regions import Region, Stored
from multiface.album.xmp.writing import write_sidecar
from multiface.errors import InputError, MultifaceError
from multiface.images import load_picture
from tests.album.xmp.exiftool import exiftool, needs_exiftool, write_regions
from tests.album.xmp.turned import HEIGHT, RED, WIDTH, turned, with_xmp

NAMESPACES = " ".join(
    f'xmlns:{prefix}="{address}"'
    for prefix, address in {
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
        "stArea": "http://ns.adobe.com/xmp/sType/Area#",
        "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
        "MP": "http://ns.microsoft.com/photo/1.2/",
        "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo#",
        "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
        "dc": "http://purl.org/dc/elements/1.1/",
        "digiKam": "http://www.digikam.org/ns/1.0/",
        "lr": "http://ns.adobe.com/lightroom/1.0/",
        "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    }.items()
)
SIZE = f'<mwg-rs:AppliedToDimensions stDim:w="{WIDTH}" stDim:h="{HEIGHT}" stDim:unit="pixel"/>'
LIGHTROOM = """<rdf:li><rdf:Description mwg-rs:Rotation="0.00000" mwg-rs:Name="{0}" mwg-rs:Type="Face">
<mwg-rs:Area stArea:h="0.25" stArea:w="0.5" stArea:x="{1}" stArea:y="0.5"/></rdf:Description></rdf:li>"""


def packet(inside: str) -> bytes:
    return (
        f'<rdf:RDF {NAMESPACES}><rdf:Description rdf:about="">{inside}</rdf:Description></rdf:RDF>'.encode()
    )


def mwg(items: str, size: str = SIZE) -> str:
    regions = f"<mwg-rs:RegionList><rdf:Bag>{items}</rdf:Bag></mwg-rs:RegionList>"
    return f"<mwg-rs:Regions><rdf:Description>{size}{regions}</rdf:Description></mwg-rs:Regions>"


def microsoft(*regions: tuple[str, str]) -> str:
    items = "".join(
        f'<rdf:li MPReg:PersonDisplayName="{name}" MPReg:Rectangle="{where}"/>' for name, where in regions
    )
    regions_ = f"<MPRI:Regions><rdf:Bag>{items}</rdf:Bag></MPRI:Regions>"
    return f'<MP:RegionInfo rdf:parseType="Resource">{regions_}</MP:RegionInfo>'


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return turned(tmp_path / "photo.jpg")


def boxes(photo: Path, inside: str) -> list[tuple[str | None, list[float]]]:
    photo.with_name("photo.jpg.xmp").write_bytes(packet(inside))
    return [(one.name, [round(side, 3) for side in one.box]) for one in read_regions(photo).regions]


BOX = [24.0, 24.0, 72.0, 40.0]


@pytest.mark.parametrize(
    "item",
    [
        LIGHTROOM.format("Anna", "0.5"),
        '<rdf:li rdf:parseType="Resource"><mwg-rs:Name>Anna</mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type><mwg-rs:Area '
        'rdf:parseType="Resource"><stArea:x>0.5</stArea:x><stArea:y>0.5</stArea:y><stArea:w>0.5</stArea:w><stArea:h>'
        "0.25</stArea:h><stArea:unit>normalized</stArea:unit></mwg-rs:Area></rdf:li>",
        "<rdf:li><rdf:Description><mwg-rs:Name>Anna</mwg-rs:Name><mwg-rs:Area><rdf:Description stArea:x='1/2' "
        "stArea:y='5e-1' stArea:w='0.5' stArea:h='0.25'/></mwg-rs:Area></rdf:Description></rdf:li>",
        '<rdf:li rdf:parseType="Resource"><mwg-rs:Name rdf:parseType="Resource"><rdf:value>Anna</rdf:value>'
        '</mwg-rs:Name><mwg-rs:Area stArea:x="48" stArea:y="32" stArea:w="48" stArea:h="16" stArea:unit="pixel"/>'
        "</rdf:li>",
    ],
    ids=["Lightroom", "ExifTool", "nested", "pixels and a qualifier"],
)
def test_each_form_of_rdf(photo: Path, item: str) -> None:
    assert boxes(photo, mwg(item)) == [("Anna", BOX)]


def test_microsofts_form(photo: Path) -> None:
    inside = microsoft(
        ("Anna", "0.25, 0.375, 0.5, 0.25"), ("f" * 16, "0,0,1,1"), ("", "0, 0, 0.5, 0.5"), ("Bad", "0,0,1")
    )
    assert boxes(photo, inside) == [("Anna", BOX), (None, [0, 0, 48, 32])]


def test_a_face_in_both_forms_is_one(photo: Path) -> None:
    """As digiKam writes it, with fewer digits."""
    both = mwg(LIGHTROOM.format("Anna", "0.5")) + microsoft(
        ("Anna", "0.2501, 0.375, 0.5, 0.25"), ("Bo", "0.25, 0.375, 0.5, 0.25"), ("Anna", "0, 0, 0.1, 0.1")
    )
    found = boxes(photo, both)
    assert found == [("Anna", BOX), ("Bo", BOX), ("Anna", [0, 0, 9.6, 6.4])]


def test_only_people_have_regions(photo: Path) -> None:
    items = [
        LIGHTROOM.format(kind, "0.5").replace('"Face"', f'"{kind}"')
        for kind in ("Pet", "Focus", "BarCode", "")
    ]
    nameless = LIGHTROOM.replace('mwg-rs:Name="{0}"', "").format("", "0.5")
    assert boxes(photo, mwg("".join(items) + nameless)) == [(None, BOX), (None, BOX)]


@pytest.mark.parametrize(
    "number", ["", "x", "nan", "inf", "-inf", "1e999", "1/0", "7", "-7", "9" * 5000, "0x1"]
)
def test_a_region_with_senseless_numbers_is_none(photo: Path, number: str) -> None:
    assert boxes(photo, mwg(LIGHTROOM.format("Anna", number) + LIGHTROOM.format("Bo", "0.5"))) == [
        ("Bo", BOX)
    ]


def test_too_many_regions_are_refused(photo: Path) -> None:
    one = LIGHTROOM.format("A", "0.5")
    assert len(boxes(photo, mwg(one * MOST_REGIONS))) == MOST_REGIONS
    with pytest.raises(InputError, match=r"photo\.jpg\.xmp: has 2,001 regions"):
        boxes(photo, mwg(one * (MOST_REGIONS + 1)))
    with pytest.raises(InputError, match="regions"):
        boxes(photo, microsoft(*[("A", "0,0,1,1")] * (MOST_REGIONS + 1)))


def test_keywords_and_tags(photo: Path) -> None:
    inside = (
        "<dc:subject><rdf:Bag><rdf:li>beach</rdf:li><rdf:li>Anna</rdf:li><rdf:li> </rdf:li></rdf:Bag></dc:subject>"
        "<digiKam:TagsList><rdf:Seq><rdf:li>People/Anna</rdf:li><rdf:li>beach</rdf:li></rdf:Seq></digiKam:TagsList>"
        "<lr:hierarchicalSubject><rdf:Bag><rdf:li>People|Anna</rdf:li><rdf:li>Places|AC/DC Lane</rdf:li></rdf:Bag>"
        "</lr:hierarchicalSubject><Iptc4xmpExt:PersonInImage>Anna</Iptc4xmpExt:PersonInImage>"
    )
    photo.with_name("photo.xmp").write_bytes(packet(inside))
    found = read_regions(photo)
    assert found.keywords == ("beach", "Anna")
    assert found.tags == (("People", "Anna"), ("beach",), ("Places", "AC/DC Lane"))
    assert found.persons == ("Anna",)
    assert found.regions == () and found.sources == (photo.with_name("photo.xmp"),)


def test_each_property_comes_from_the_first_place_that_has_it(tmp_path: Path) -> None:
    """A sidecar without regions hides none inside the picture, one with an empty list does."""
    subject = "<dc:subject><rdf:Bag><rdf:li>{}</rdf:li></rdf:Bag></dc:subject>"
    inner = mwg(LIGHTROOM.format("Inner", "0.5")) + subject.format("inner")
    photo = with_xmp(tmp_path / "photo.jpg", packet(inner))
    full, short = photo.with_name("photo.jpg.xmp"), photo.with_name("photo.xmp")
    assert [one.name for one in read_regions(photo).regions] == ["Inner"]
    short.write_bytes(packet(subject.format("short")))
    found = read_regions(photo)
    assert ([one.name for one in found.regions], found.keywords) == (["Inner"], ("short",))
    assert found.sources == (short, photo)
    full.write_bytes(packet(mwg("")))
    found = read_regions(photo)
    assert (found.regions, found.keywords, found.sources) == ((), ("short",), (full, short, photo))


def test_regions_drawn_on_the_upright_picture(tmp_path: Path) -> None:
    """A writer that states the upright picture's size means the upright picture."""
    photo = turned(tmp_path / "photo.jpg", 6)
    upright = (
        SIZE.replace(f'"{WIDTH}"', '"x"').replace(f'"{HEIGHT}"', f'"{WIDTH}"').replace('"x"', f'"{HEIGHT}"')
    )
    item = LIGHTROOM.format("Anna", "0.5")
    photo.with_name("photo.jpg.xmp").write_bytes(packet(mwg(item, upright)))
    assert read_regions(photo).regions[0].box == pytest.approx((16, 36, 48, 60))
    photo.with_name("photo.jpg.xmp").write_bytes(packet(mwg(item)))
    assert read_regions(photo).regions[0].box == pytest.approx((24, 24, 40, 72))
    assert not read_regions(photo).other_shape


def test_a_picture_cut_since(photo: Path) -> None:
    photo.with_name("photo.jpg.xmp").write_bytes(
        packet(mwg(LIGHTROOM.format("Anna", "0.5"), SIZE.replace(str(WIDTH), "200")))
    )
    assert read_regions(photo).other_shape


@pytest.mark.parametrize("where", ["sidecar", "inside"])
def test_broken_xmp_is_named(tmp_path: Path, where: str) -> None:
    path = tmp_path / "photo.jpg"
    if where == "inside":
        with_xmp(path, b"<a>")
    else:
        turned(path)
        tmp_path.joinpath("photo.jpg.xmp").write_bytes(b"<a>")
    with pytest.raises(MultifaceError, match="not well-formed") as caught:
        read_regions(path)
    assert caught.value.path == (path if where == "inside" else tmp_path / "photo.jpg.xmp")


def test_a_sidecar_that_is_a_folder_or_too_large(photo: Path) -> None:
    sidecar = photo.with_name("photo.jpg.xmp")
    sidecar.mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_regions(photo)
    sidecar.rmdir()
    with sidecar.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(InputError, match="over the 8,000,000 bytes"):
        read_regions(photo)


def test_what_we_wrote_is_no_news(photo: Path) -> None:
    """Names that MultiFace gave do not come back as somebody's word."""
    write_sidecar(photo, [Region("Anna", (10, 10, 30, 30))])
    sidecar = photo.with_name("photo.jpg.xmp")
    found = read_regions(photo)
    assert found.regions == () and [one.name for one in found.own] == ["Anna"]
    # Somebody gives the face another name, then moves it.
    text = sidecar.read_text()
    sidecar.write_text(text.replace("<mwg-rs:Name>Anna", "<mwg-rs:Name>Bo"))
    assert [one.name for one in read_regions(photo).regions] == ["Bo"]
    sidecar.write_text(text.replace("<stArea:x>0.2", "<stArea:x>0.3"))
    assert [one.name for one in read_regions(photo).regions] == ["Anna"]


@needs_exiftool
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("where", ["photo.jpg", "photo.jpg.xmp", "photo.xmp"])
def test_regions_that_exiftool_wrote(tmp_path: Path, orientation: int, where: str) -> None:
    """The region of the stored red rectangle is where the upright picture is red."""
    photo = turned(tmp_path / "photo.jpg", orientation)
    x0, y0, x1, y1 = (RED[0] / WIDTH, RED[1] / HEIGHT, RED[2] / WIDTH, RED[3] / HEIGHT)
    area = ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)
    write_regions(tmp_path / where, ("Zoë", area), size=(WIDTH, HEIGHT))
    (region,) = read_regions(photo).regions
    assert region.name == "Zoë"
    x0, y0, x1, y1 = map(round, region.box)
    pixels = load_picture(photo).astype(int)
    red = (pixels[..., 0] > 180) & (pixels[..., 1] < 90)
    assert red[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1].all()
    red[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1] = False
    assert not red.any()
    assert Stored(WIDTH, HEIGHT, orientation).upright_size == pixels.shape[1::-1]


@needs_exiftool
@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "webp", "heic"])
def test_xmp_that_exiftool_put_into_a_picture(tmp_path: Path, kind: str) -> None:
    photo = turned(tmp_path / f"photo.{kind}")
    write_regions(photo, ("Anna", (0.5, 0.5, 0.5, 0.25)), ("Bo", (0.2, 0.2, 0.1, 0.1)), size=(WIDTH, HEIGHT))
    exiftool("-overwrite_original", "-XMP-dc:Subject=Anna", "-XMP-digiKam:TagsList=People/Anna", photo)
    found = read_regions(photo)
    assert [one.name for one in found.regions] == ["Anna", "Bo"]
    assert found.regions[0].box == pytest.approx(BOX)
    assert (found.keywords, found.tags) == (("Anna",), (("People", "Anna"),))


@needs_exiftool
def test_microsofts_regions_by_exiftool(photo: Path) -> None:
    exiftool(
        "-overwrite_original",
        "-XMP-MP:RegionInfoMP={Regions=[{PersonDisplayName=Anna,Rectangle=0.25|, 0.375|, 0.5|, 0.25}]}",
        photo,
    )
    assert [(one.name, [*one.box]) for one in read_regions(photo).regions] == [("Anna", BOX)]

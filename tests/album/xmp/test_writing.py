"""Sidecars: as ExifTool reads them, with all that others wrote, whole and only where something is new."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multiface.album.xmp.reading import read_regions
from multiface.album.xmp.regions import Region, Stored
from multiface.album.xmp.tree import xml_text
from multiface.album.xmp.writing import write_sidecar
from multiface.errors import InputError, MultifaceError, UsageError
from tests.album.xmp.exiftool import exiftool, needs_exiftool, xmp_of
from tests.album.xmp.turned import HEIGHT, RED, WIDTH, turned, with_xmp

ANNA = Region("Anna", (RED[0], RED[1], RED[2], RED[3]))
BO = Region("Bo", (60, 40, 90, 60))
GOLDEN: dict[str, Any] = {
    "XMP-mwg-rs:RegionInfo": {
        "AppliedToDimensions": {"W": 96, "H": 64, "Unit": "pixel"},
        "RegionList": [
            {
                "Name": "Anna",
                "Type": "Face",
                "Area": {"X": 0.333333, "Y": 0.25, "W": 0.333333, "H": 0.25, "Unit": "normalized"},
            },
            {
                "Name": "Bo",
                "Type": "Face",
                "Area": {"X": 0.78125, "Y": 0.78125, "W": 0.3125, "H": 0.3125, "Unit": "normalized"},
            },
        ],
    },
    "XMP-dc:Subject": ["Anna", "Bo"],
    "XMP-iptcExt:PersonInImage": ["Anna", "Bo"],
    "XMP-digiKam:TagsList": ["People/Anna", "People/Bo"],
    "XMP-microsoft:LastKeywordXMP": ["People/Anna", "People/Bo"],
    "XMP-lr:HierarchicalSubject": ["People|Anna", "People|Bo"],
    "XMP-multiface:Written": [
        "mwg-rs:Regions 0.333333 0.250000 0.333333 0.250000 Anna",
        "mwg-rs:Regions 0.781250 0.781250 0.312500 0.312500 Bo",
        "dc:subject Anna",
        "dc:subject Bo",
        "Iptc4xmpExt:PersonInImage Anna",
        "Iptc4xmpExt:PersonInImage Bo",
        "digiKam:TagsList People/Anna",
        "digiKam:TagsList People/Bo",
        "MicrosoftPhoto:LastKeywordXMP People/Anna",
        "MicrosoftPhoto:LastKeywordXMP People/Bo",
        "lr:hierarchicalSubject People|Anna",
        "lr:hierarchicalSubject People|Bo",
    ],
}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return turned(tmp_path / "photo.jpg")


@needs_exiftool
def test_a_new_sidecar_as_exiftool_reads_it(photo: Path) -> None:
    before = photo.read_bytes()
    written = write_sidecar(photo, [ANNA, BO])
    assert (written.path, written.changed, written.left_out) == (photo.with_name("photo.jpg.xmp"), True, ())
    assert xmp_of(written.path) == GOLDEN
    # Windows and digiKam end Microsoft's address with a slash, ExifTool does not.
    warnings = exiftool("-validate", "-warning", "-a", "-s3", written.path).splitlines()
    assert warnings == ["1 Warning (minor)", "[minor] Fixed incorrect URI for xmlns:MicrosoftPhoto"]
    assert photo.read_bytes() == before


@needs_exiftool
@pytest.mark.parametrize("orientation", range(1, 9))
def test_regions_are_of_the_stored_picture(tmp_path: Path, orientation: int) -> None:
    """In whatever way the camera was held: the upright box of the red rectangle is its stored place for ExifTool."""
    photo = turned(tmp_path / "photo.jpg", orientation)
    stored = Stored(WIDTH, HEIGHT, orientation)
    upright = {
        1: (16, 8, 48, 24), 2: (48, 8, 80, 24), 3: (48, 40, 80, 56), 4: (16, 40, 48, 56),
        5: (8, 16, 24, 48), 6: (40, 16, 56, 48), 7: (40, 48, 56, 80), 8: (8, 48, 24, 80),
    }[orientation]  # fmt: skip
    for given_ in (None, stored):
        sidecar = write_sidecar(photo, [Region("Anna", upright)], given_).path
        info = xmp_of(sidecar)["XMP-mwg-rs:RegionInfo"]
        assert info["RegionList"] == GOLDEN["XMP-mwg-rs:RegionInfo"]["RegionList"][:1]
        assert info["AppliedToDimensions"] == {"W": WIDTH, "H": HEIGHT, "Unit": "pixel"}
        sidecar.unlink()


NAMES = st.text(min_size=0, max_size=12) | st.sampled_from(
    ["A/B", "A|B", " a ", "a\r\nb", "\x85", "é", "&<>'\""]
)
SIDES = st.tuples(st.integers(0, 999), st.integers(1, 1000))
BOXES = st.tuples(SIDES, SIDES).filter(lambda both: all(a < b for a, b in both))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(NAMES, BOXES), max_size=4),
    st.builds(Stored, st.integers(10, 9000), st.integers(10, 9000), st.integers(1, 8)),
)
def test_any_names_and_boxes_come_back(
    tmp_path: Path, people: list[tuple[str, tuple[tuple[int, int], tuple[int, int]]]], stored: Stored
) -> None:
    photo = turned(tmp_path / "photo.jpg", stored.orientation)
    sidecar = photo.with_name("photo.jpg.xmp")
    sidecar.unlink(missing_ok=True)
    width, height = Stored(WIDTH, HEIGHT, stored.orientation).upright_size
    regions = [
        Region(name, (x[0] * width / 1000, y[0] * height / 1000, x[1] * width / 1000, y[1] * height / 1000))
        for name, (x, y) in people
    ]
    write_sidecar(photo, regions)
    found = read_regions(photo)
    wanted = [(xml_text(one.name or ""), one.box) for one in regions if (one.name or "").strip()]
    assert [one.name for one in found.own] == [name for name, _ in wanted]
    for one, (_, box) in zip(found.own, wanted, strict=True):
        assert one.box == pytest.approx(box, abs=1e-3)
    assert found.regions == ()
    assert set(found.keywords) == {name for name, _ in wanted} == set(found.persons)
    assert not write_sidecar(photo, regions).changed


FOREIGN = [
    "-XMP-dc:Subject=beach", "-XMP-dc:Subject=Anna", "-XMP-dc:Title-de=Strand", "-XMP-dc:Title=Beach",
    "-XMP-crs:Exposure2012=+0.35", "-XMP-crs:ToneCurvePV2012=0, 0", "-XMP-crs:ToneCurvePV2012=255, 255",
    "-XMP-xmp:Rating=4", "-XMP-digiKam:TagsList=Places/Rome", "-XMP-lr:HierarchicalSubject=Places|Rome",
    "-XMP-iptcExt:PersonInImage=Somebody",
    "-XMP-MP:RegionInfoMP={Regions=[{PersonDisplayName=Old,Rectangle=0|,0|,1|,1}]}",
    "-XMP-mwg-rs:RegionInfo={AppliedToDimensions={W=96,H=64,Unit=pixel},RegionList=["
    "{Area={X=0.1,Y=0.1,W=0.1,H=0.1,Unit=normalized},Name=Rex,Type=Pet},"
    "{Area={X=0.5,Y=0.5,W=0.02,H=0.02,Unit=normalized},Type=Focus,FocusUsage=EvaluatedUsed},"
    "{Area={X=0.9,Y=0.1,W=0.1,H=0.1,Unit=normalized},Name=Drawn by hand,Type=Face,Description=kept}]}",
]  # fmt: skip
OURS = {
    "XMP-mwg-rs:RegionInfo", "XMP-dc:Subject", "XMP-iptcExt:PersonInImage", "XMP-digiKam:TagsList",
    "XMP-microsoft:LastKeywordXMP", "XMP-lr:HierarchicalSubject", "XMP-multiface:Written",
}  # fmt: skip


@needs_exiftool
@pytest.mark.parametrize("compact", [False, True])
def test_what_others_wrote_is_kept(photo: Path, compact: bool) -> None:
    """And comes back exactly when our names go. Compact: with values as attributes."""
    sidecar = photo.with_name("photo.jpg.xmp")
    exiftool(*FOREIGN, *(["-api", "compact=shorthand"] if compact else []), "-o", sidecar)
    before = xmp_of(sidecar)
    written = write_sidecar(photo, [ANNA, BO])
    assert written.changed
    after = xmp_of(sidecar)
    assert {k: v for k, v in after.items() if k not in OURS} == {
        k: v for k, v in before.items() if k not in OURS
    }
    assert after["XMP-dc:Subject"] == ["beach", "Anna", "Bo"]
    assert after["XMP-iptcExt:PersonInImage"] == ["Somebody", "Anna", "Bo"]
    assert after["XMP-digiKam:TagsList"] == ["Places/Rome", "People/Anna", "People/Bo"]
    assert after["XMP-lr:HierarchicalSubject"] == ["Places|Rome", "People|Anna", "People|Bo"]
    assert "XMP-microsoft:LastKeywordXMP" not in after
    regions = before["XMP-mwg-rs:RegionInfo"]["RegionList"]
    assert after["XMP-mwg-rs:RegionInfo"]["RegionList"] == [
        *regions,
        *GOLDEN["XMP-mwg-rs:RegionInfo"]["RegionList"],
    ]
    # Bo goes; Anna was a keyword before us, and stays one when she goes too.
    write_sidecar(photo, [ANNA])
    assert xmp_of(sidecar)["XMP-dc:Subject"] == ["beach", "Anna"]
    assert write_sidecar(photo, []).changed
    assert xmp_of(sidecar) == before
    assert not write_sidecar(photo, []).changed


@needs_exiftool
def test_our_note_survives_another_writer(photo: Path) -> None:
    """ExifTool writes the whole sidecar anew, and what is ours is still known as ours."""
    sidecar = write_sidecar(photo, [ANNA, BO]).path
    exiftool("-overwrite_original", "-XMP-dc:Subject+=beach", "-XMP-dc:Title=x", sidecar)
    assert not write_sidecar(photo, [ANNA, BO]).changed
    write_sidecar(photo, [BO])
    after = xmp_of(sidecar)
    assert after["XMP-dc:Subject"] == ["Bo", "beach"]
    assert [one["Name"] for one in after["XMP-mwg-rs:RegionInfo"]["RegionList"]] == ["Bo"]


def test_an_unchanged_sidecar_is_not_written(photo: Path) -> None:
    sidecar = write_sidecar(photo, [ANNA]).path
    os.utime(sidecar, (1, 1))
    number = sidecar.stat().st_ino
    assert not write_sidecar(photo, [ANNA]).changed
    assert (sidecar.stat().st_mtime, sidecar.stat().st_ino) == (1, number)
    assert write_sidecar(photo, [ANNA, BO]).changed


def test_nobody_to_name_makes_no_sidecar(photo: Path) -> None:
    written = write_sidecar(photo, [Region(None, (1, 1, 9, 9)), Region("  ", (1, 1, 9, 9))])
    assert not written.changed and not written.path.exists()


def test_of_our_own_names_nothing_is_left(photo: Path) -> None:
    sidecar = write_sidecar(photo, [ANNA, BO]).path
    write_sidecar(photo, [])
    text = sidecar.read_text()
    assert not any(word in text for word in ("Regions", "subject", "People", "Anna", "Written"))
    assert write_sidecar(photo, [BO]).changed and [one.name for one in read_regions(photo).own] == ["Bo"]


def test_a_face_that_others_named_differently_is_theirs(photo: Path) -> None:
    write_sidecar(photo, [ANNA])
    sidecar = photo.with_name("photo.jpg.xmp")
    sidecar.write_text(sidecar.read_text().replace("<mwg-rs:Name>Anna", "<mwg-rs:Name>Carla"))
    written = write_sidecar(photo, [ANNA, BO])
    assert written.left_out == (ANNA,)
    found = read_regions(photo)
    assert [one.name for one in found.regions] == ["Carla"]
    assert [one.name for one in found.own] == ["Bo"]
    assert found.keywords == ("Bo",)


def test_a_face_that_others_named_alike_gets_no_second_region(photo: Path) -> None:
    write_sidecar(photo, [ANNA])
    sidecar = photo.with_name("photo.jpg.xmp")
    sidecar.write_text(sidecar.read_text().replace("<stArea:x>0.333333", "<stArea:x>0.35"))
    written = write_sidecar(photo, [ANNA])
    assert written.left_out == ()
    found = read_regions(photo)
    assert [one.name for one in found.regions] == ["Anna"] and found.own == ()
    assert found.keywords == ("Anna",)


def test_a_box_that_moved(photo: Path) -> None:
    write_sidecar(photo, [ANNA])
    write_sidecar(photo, [Region("Anna", BO.box)])
    found = read_regions(photo)
    assert [one.box for one in found.own] == [pytest.approx(BO.box, abs=1e-3)]


def test_a_picture_of_another_size(photo: Path) -> None:
    """Our regions alone are written anew, with the new size."""
    sidecar = write_sidecar(photo, [ANNA]).path
    write_sidecar(photo, [Region("Anna", (1, 1, 40, 40))], Stored(64, 64))
    assert "<stDim:w>64<" in sidecar.read_text() and "96" not in sidecar.read_text()


def test_names_that_would_break_a_hierarchy_stay_out_of_it(photo: Path) -> None:
    write_sidecar(photo, [Region("AC/DC", ANNA.box), Region("a|b", BO.box)])
    found = read_regions(photo)
    assert found.keywords == found.persons == ("AC/DC", "a|b")
    assert found.tags == (("People", "a|b"), ("People", "AC/DC"))


def test_a_new_sidecar_hides_no_keyword_that_is_inside_the_picture(tmp_path: Path) -> None:
    subject = "<dc:subject xmlns:dc='http://purl.org/dc/elements/1.1/'><rdf:Bag><rdf:li>beach</rdf:li></rdf:Bag></dc:subject>"
    photo = with_xmp(
        tmp_path / "photo.jpg",
        f"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description>{subject}"
        "</rdf:Description></rdf:RDF>".encode(),
    )
    write_sidecar(photo, [ANNA], Stored(WIDTH, HEIGHT))
    found = read_regions(photo)
    assert found.keywords == ("beach", "Anna")
    # A list of tags would hide the keyword from programs that read it first.
    assert found.tags == ()
    with_xmp(photo, b"<broken")
    photo.with_name("photo.jpg.xmp").unlink()
    assert write_sidecar(photo, [ANNA]).changed


@pytest.mark.parametrize(
    "content", [b"", b"<a>", b"<a/>", b"<!DOCTYPE a><a/>", b"\xff\xfe\x00", b"\0" * 10, b"not XML"]
)
def test_a_sidecar_that_cannot_be_read_is_never_replaced(photo: Path, content: bytes) -> None:
    sidecar = photo.with_name("photo.jpg.xmp")
    sidecar.write_bytes(content)
    with pytest.raises(InputError) as caught:
        write_sidecar(photo, [ANNA])
    assert caught.value.path == sidecar
    assert str(sidecar) in str(caught.value)
    assert sidecar.read_bytes() == content
    assert set(photo.parent.iterdir()) == {photo, sidecar}


def test_regions_of_a_form_that_nobody_knows_are_not_replaced(photo: Path) -> None:
    sidecar = photo.with_name("photo.jpg.xmp")
    packet = (
        "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description "
        "xmlns:mwg-rs='http://www.metadataworkinggroup.com/schemas/regions/' mwg-rs:Regions='?'/></rdf:RDF>"
    )
    for content in (
        packet,
        packet.replace(" mwg-rs:Regions='?'/>", "><mwg-rs:Regions>?</mwg-rs:Regions></rdf:Description>"),
    ):
        sidecar.write_text(content)
        with pytest.raises(InputError, match="nothing can be added"):
            write_sidecar(photo, [ANNA])
        assert sidecar.read_text() == content


@pytest.mark.skipif(os.name == "nt", reason="links and modes as POSIX has them")
@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_is_not_followed(photo: Path, tmp_path: Path, there: bool) -> None:
    elsewhere = tmp_path / "elsewhere"
    if there:
        elsewhere.write_text("<a/>")
    link = photo.with_name("photo.jpg.xmp")
    link.symlink_to(elsewhere)
    with pytest.raises(InputError, match="symbolic link"):
        write_sidecar(photo, [ANNA])
    assert link.is_symlink() and elsewhere.exists() == there
    assert not there or elsewhere.read_text() == "<a/>"


@pytest.mark.skipif(os.name == "nt", reason="links and modes as POSIX has them")
def test_a_sidecar_keeps_its_permissions(photo: Path) -> None:
    sidecar = write_sidecar(photo, [ANNA]).path
    sidecar.chmod(0o640)
    write_sidecar(photo, [BO])
    assert stat.S_IMODE(sidecar.stat().st_mode) == 0o640


def test_a_box_outside_the_picture_is_refused(photo: Path) -> None:
    with pytest.raises(UsageError, match="no part"):
        write_sidecar(photo, [Region("Anna", (500, 500, 600, 600))])


def test_a_folder_that_is_not_there(tmp_path: Path, photo: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_sidecar(photo, [ANNA], sidecar=tmp_path / "none" / "a.xmp")
    with pytest.raises(MultifaceError):
        write_sidecar(tmp_path / "none.jpg", [ANNA])
    long = photo.rename(photo.with_name("a" * 250 + ".jpg"))
    with pytest.raises(UsageError, match="cannot be written"):
        write_sidecar(long, [ANNA])

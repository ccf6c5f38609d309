"""The headers of a tar, against Python's tarfile and GNU tar."""

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.datasets.tar_members import tar_members
from multiface.errors import DataSetError
from tests.datasets.shard_files import write_tar


def ours(path: Path) -> list[tuple[str, bytes]]:
    return [(member.name, bytes(content)) for member, content in tar_members(path)]


names = st.text(
    st.characters(exclude_characters="\0\n", exclude_categories=("Cs",)), min_size=1, max_size=150
)


@settings(max_examples=60, deadline=None)
@given(
    files=st.lists(st.tuples(names.filter(lambda n: n.strip("/.")), st.binary(max_size=1200)), max_size=6),
    kind=st.sampled_from((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)),
)
def test_any_names_and_sizes_are_found_as_tarfile_finds_them(
    files: list[tuple[str, bytes]], kind: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write_tar(tmp_path_factory.mktemp("tar") / "a.tar", files, kind)
    with tarfile.open(path) as tar:
        wanted = []
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            wanted.append((member.name, content.read()))
    # tarfile cuts slashes off at the end of a pax name; a name that ends with one is a folder's, not a picture's.
    assert ours(path) == [one for one in wanted if not one[0].endswith("/")] or any(
        name.endswith("/") for name, _ in files
    )


@pytest.mark.parametrize("kind", ["ustar", "gnu", "pax", "v7"])
def test_archives_of_gnu_tar(kind: str, tmp_path: Path) -> None:
    tar = shutil.which("tar")
    if tar is None:
        pytest.skip("there is no tar program")
    deep = "a-folder-with-a-long-name-of-many-letters/" * 2
    for name in (f"{deep}0001.jpg", "b.cls", "leer ö.jpg")[: 2 if kind == "v7" else 3]:
        file = tmp_path / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(700))
    (tmp_path / "in" / "link.jpg").symlink_to("b.cls")
    os.link(tmp_path / "in" / "b.cls", tmp_path / "in" / "z.hard.jpg")
    done = subprocess.run(
        [tar, "--sort=name", f"--format={kind}", "-cf", "../a.tar", "."],
        cwd=tmp_path / "in",
        capture_output=True,
        check=False,
    )
    if b"unrecognized option" in done.stderr or done.returncode:
        pytest.skip(f"this tar writes no such archive: {done.stderr!r}")
    found = dict(ours(tmp_path / "a.tar"))
    assert found == {
        f"./{path.relative_to(tmp_path / 'in')}": path.read_bytes()
        for path in (tmp_path / "in").rglob("*")
        if path.is_file() and not path.is_symlink() and path.name != "z.hard.jpg"
    }


def header(name: bytes = b"a.jpg", size: bytes = b"00000000003\0", kind: bytes = b"0") -> bytes:
    block = bytearray(512)
    block[: len(name)], block[124:136], block[156:157] = name, size, kind
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


END = bytes(1024)


def test_a_size_in_binary_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(header(size=b"\x80" + (3).to_bytes(11, "big")) + b"abc".ljust(512, b"\0") + END)
    assert ours(path) == [("a.jpg", b"abc")]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "too few for a tar"),
        (b"\x1f\x8b" + bytes(600), "is compressed (gzip)"),
        (b"\x28\xb5\x2f\xfd" + bytes(600), "is compressed (zstd)"),
        (b"not a tar at all " * 100, "not a tar"),
        (header() + b"abc".ljust(512, b"\0"), "ends without its mark"),
        (header() + b"abc".ljust(512, b"\0") + b"damaged".ljust(512, b"x") + END, "not a tar"),
        (header(size=b"00007777777\0") + END, "reaches beyond the end"),
        (header(size=b"\x80" + b"\xff" * 11) + END, "reaches beyond the end"),
        (header(size=b"\xff" * 12) + END, "for a number"),
        (header(kind=b"L", size=b"00010000001\0") + bytes(3 << 20), "wanted 1,048,576 at most"),
        (header(kind=b"x") + b"99 path=x\n".ljust(512, b"\0") + END, "a pax header is damaged"),
        (header(kind=b"x", size=b"%011o\0" % 11) + b"11 size=-1\n".ljust(512, b"\0") + END, "gives the size"),
    ],
)
def test_what_is_damaged_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    with pytest.raises(DataSetError, match=r"a\.tar") as caught:
        ours(path)
    assert says in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 4095), byte=st.integers(0, 255))
def test_any_changed_byte_gives_members_or_an_error(
    place: int, byte: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("a" * 120 + ".jpg", "b.cls"):
            member = tarfile.TarInfo(name)
            member.size = 5
            tar.addfile(member, io.BytesIO(b"hello"))
    content = bytearray(file.getvalue())
    content[place] = byte
    path = tmp_path_factory.mktemp("tar") / "a.tar"
    path.write_bytes(content)
    try:
        found = ours(path)
    except DataSetError:
        return
    assert len(found) <= 2

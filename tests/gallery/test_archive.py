"""Archives: the same bytes from either engine, whole or refused, merged or replaced, and nobody removed comes back."""

import hashlib
import sqlite3
import stat
import tarfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from multiface.errors import FingerprintMismatch, GalleryError, NotAvailable, UsageError
from multiface.gallery.archive import format as archive_format
from multiface.gallery.archive.exporting import export_people
from multiface.gallery.archive.importing import Imported, differences, import_people
from multiface.gallery.archive.reading import opened_archive
from multiface.gallery.contents import Crop, NewTemplate, VectorOrigin
from multiface.gallery.gallery import Gallery

Make = Callable[..., NewTemplate]
JPEG = b"\xff\xd8\xff\xe0 as a JPEG begins "


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_format, "CHUNK", 3)
    monkeypatch.setattr("multiface.gallery.archive.exporting.CHUNK", 3)


@pytest.fixture
def filled(gallery: Gallery, template: Make) -> Gallery:
    """Eight people in three chunks, one without a template, one name twice, one who was removed."""
    for number in range(7):
        new = [template(f"{number} {k}", (10.25, -3, 60, 70.125)) for k in range(1 + number % 3)]
        gallery.add_templates(f"Zoë {number}", new)
    crops = (Crop(JPEG + b"1"), None, Crop(JPEG + b"2", aligned=False))
    new = [replace(template(f"kept {k}"), crop=crop) for k, crop in enumerate(crops)]
    gallery.add_templates("Zoë 1", new, another=True)
    first = gallery.named("Zoë 2")[0].id
    gallery.edit(first, external_id="7", note="a\nb", groups=["x", "ä"], cover=gallery.templates(first)[1].id)
    (empty,) = gallery.templates("Zoë 0")
    gallery.add_templates("Zoë 3", [template("more")])
    with gallery.database.writing() as connection:
        connection.execute("DELETE FROM template WHERE id = ?", (empty.id,))
    gallery.add_templates("Gone", [template("gone")])
    gallery.remove("Gone")
    return gallery


@pytest.fixture
def other(tmp_path: Path, origin: VectorOrigin) -> Path:
    path = tmp_path / "other.db"
    Gallery.open(path, origin, create=True).close()
    return path


def test_an_external_id_with_a_mark_that_no_letter_has_arrives(
    gallery: Gallery, other: Path, tmp_path: Path, template: Make
) -> None:
    """Its normal form is equal, but another object."""
    gallery.add_templates("Zoë", [template("a")])
    gallery.edit("Zoë", external_id="x\u0302")
    export_people(gallery, tmp_path / "a.mfgallery")
    with Gallery.open(other) as target:
        import_people(target, opened_archive(tmp_path / "a.mfgallery"))
        assert target.person("Zoë").external_id == "x\u0302"


def test_from_either_engine_to_a_file_and_back_it_is_the_same_bytes(
    filled: Gallery, other: Path, tmp_path: Path, template: Make
) -> None:
    manifest = export_people(filled, tmp_path / "a.mfgallery")
    assert (manifest.people, manifest.templates) == (8, 16)
    assert stat.S_IMODE((tmp_path / "a.mfgallery").stat().st_mode) == 0o600
    archive = opened_archive(tmp_path / "a.mfgallery")
    assert len(archive.removed) == 1
    with Gallery.open(other) as target:
        target.add_templates("first", [template("first")])  # so that the numbers of rows differ
        target.remove("first")
        told: list[tuple[int, int]] = []
        done = import_people(target, archive, progress=lambda at, of: told.append((at, of)))
        assert done == Imported(8, 16, 0, 0, 0, 0)
        assert told == [(3, 8), (6, 8), (8, 8)]
        assert differences(target, archive) == [] and target.check().problems == ()
        with target.database.writing() as connection:
            connection.execute("DELETE FROM removed_person WHERE person <> ?", (archive.removed[0],))
        export_people(target, tmp_path / "b.mfgallery")
        assert (tmp_path / "b.mfgallery").read_bytes() == (tmp_path / "a.mfgallery").read_bytes()
        done = import_people(filled, opened_archive(tmp_path / "b.mfgallery"), replace=True)
        assert done == Imported(8, 16, 0, 0, 0, 0)
        export_people(filled, tmp_path / "c.mfgallery")
        assert (tmp_path / "c.mfgallery").read_bytes() == (tmp_path / "a.mfgallery").read_bytes()
        probes = template("q").vector[None]
        assert [one.similarity for one in filled.search(probes, "mean")] == [
            one.similarity for one in target.search(probes, "mean")
        ]


def test_a_file_anyone_can_read(filled: Gallery, tmp_path: Path) -> None:
    """With tar and sha256sum alone."""
    export_people(filled, tmp_path / "a.mfgallery")
    with tarfile.open(tmp_path / "a.mfgallery") as archive:
        archive.extractall(tmp_path / "out", filter="data")
    names = [line.split("  ")[1] for line in (tmp_path / "out" / "sha256sums").read_text().splitlines()]
    assert names[0] == "manifest.json" and names[1:3] == ["people/000000.jsonl", "vectors/000000.f32"]
    assert (tmp_path / "out" / "vectors" / "000000.f32").stat().st_size % 512 == 0


def test_crops_go_along_unless_they_are_not_wanted(filled: Gallery, other: Path, tmp_path: Path) -> None:
    export_people(filled, tmp_path / "a.mfgallery")
    with tarfile.open(tmp_path / "a.mfgallery") as file:
        crops = [member.name for member in file.getmembers() if member.name.startswith("crops/")]
    (who,) = [one for one in filled.named("Zoë 1") if one.templates == 3]
    assert crops == [f"crops/{who.id}/000.jpg", f"crops/{who.id}/002.jpg"]
    archive = opened_archive(tmp_path / "a.mfgallery")
    with Gallery.open(other) as target:
        import_people(target, archive, crops=False)
        assert differences(target, archive) == [f"Zoë 1 ({who.id}): a crop differs"]
        import_people(target, archive, replace=True)
        assert differences(target, archive) == []
        kept = [target.crop(one.id) for one in target.templates(who.id)]
        assert kept == [Crop(JPEG + b"1"), None, Crop(JPEG + b"2", aligned=False)]
        with target.database.writing() as connection:
            connection.execute("UPDATE crop SET aligned = 1")
        assert differences(target, archive) == [f"Zoë 1 ({who.id}): a crop differs"]


def test_an_archive_of_the_first_format(filled: Gallery, other: Path, tmp_path: Path) -> None:
    """Lines without crops; it is read as before."""
    filled.forget_crops()
    export_people(filled, tmp_path / "a.mfgallery")
    sums = b""
    with tarfile.open(tmp_path / "a.mfgallery") as new, tarfile.open(tmp_path / "old.mfgallery", "w") as old:
        for member in new.getmembers():
            file = new.extractfile(member)
            content = b"" if file is None else file.read()
            content = content.replace(b'"format": 2', b'"format": 1').replace(b'"crop": null, ', b"")
            assert b"crop" not in content
            if member.name == "sha256sums":
                content = sums
            sums += f"{hashlib.sha256(content).hexdigest()}  {member.name}\n".encode()
            archive_format.add_member(old, member.name, content)
    archive = opened_archive(tmp_path / "old.mfgallery")
    assert archive.manifest.format == 1
    with Gallery.open(other) as target:
        assert import_people(target, archive).templates == 16
        assert differences(target, archive) == [] and differences(filled, archive) == []


def test_merging(filled: Gallery, other: Path, template: Make, tmp_path: Path) -> None:
    """By id: who is there keeps the name and gets what is missing; conflicts are counted; it can be undone."""
    export_people(filled, tmp_path / "a.mfgallery")
    archive = opened_archive(tmp_path / "a.mfgallery")
    ids = {person.name: person.id for person in filled.people()}
    with Gallery.open(other) as target:
        target.add_templates("Somebody", [template("6 0", (10.25, -3, 60, 70.125))])
        target.edit("Somebody", external_id="7")
        before = target.people()
        planned = import_people(target, archive, dry_run=True)
        assert target.people() == before and len(target.changes()) == 2
        done = import_people(target, archive)
        assert done == planned == Imported(8, 15, 0, 0, 1, 1)
        assert import_people(target, archive) == Imported(0, 0, 8, 0, 1, 0)  # run again
        target.rename(ids["Zoë 5"], "Zora")
        template_of = target.templates(ids["Zoë 5"])[0]
        with target.database.writing() as connection:
            connection.execute("DELETE FROM template WHERE id = ?", (template_of.id,))
        assert import_people(target, archive).templates == 1
        assert target.person(ids["Zoë 5"]).name == "Zora"
        unlike = differences(target, archive)
        assert any("Zora" in line and "differs" in line for line in unlike)
        assert any("Somebody" in line and "only in the gallery" in line for line in unlike)
        for change in target.changes():
            if change.kind == "enrol" and len(change.people) > 1:
                target.undo(change.id)
        assert [person.name for person in target.people() if person.templates] == ["Somebody", "Zora"]


def test_an_import_that_was_cut_off_goes_on(filled: Gallery, other: Path, tmp_path: Path) -> None:
    export_people(filled, tmp_path / "a.mfgallery")
    archive = opened_archive(tmp_path / "a.mfgallery")

    class Stopped(Exception):
        pass

    def stop(done: int, _: int) -> None:
        if done == 6:
            raise Stopped

    with Gallery.open(other) as target:
        with pytest.raises(Stopped):
            import_people(target, archive, progress=stop)
        assert len(target.people()) == 6
        done = import_people(target, archive)
        assert (done.added, done.there) == (2, 6)
        assert differences(target, archive) == []


def test_who_was_removed_stays_removed(filled: Gallery, other: Path, tmp_path: Path) -> None:
    export_people(filled, tmp_path / "a.mfgallery")
    archive = opened_archive(tmp_path / "a.mfgallery")
    with Gallery.open(other) as target:
        import_people(target, archive)
        gone = target.person("Zoë 4").id
        target.remove(gone)
        for replacing in (False, True):
            assert import_people(target, archive, replace=replacing).removed == 1
            assert gone not in {person.id for person in target.people()}
        export_people(target, tmp_path / "b.mfgallery")
        assert gone in opened_archive(tmp_path / "b.mfgallery").removed
    done = import_people(filled, opened_archive(tmp_path / "b.mfgallery"))
    assert done.there == 7 and gone in {person.id for person in filled.people()}  # only removing removes


def test_replacing_is_one_transaction(
    filled: Gallery, other: Path, template: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_people(filled, tmp_path / "a.mfgallery")
    archive = opened_archive(tmp_path / "a.mfgallery")
    with Gallery.open(other) as target:
        target.add_templates("Old", [template("old")])
        before = target.people()

        def fail(*_: object) -> None:
            raise GalleryError("stopped")

        with monkeypatch.context() as patch:
            patch.setattr("multiface.gallery.archive.importing._remember_removed", fail)
            with pytest.raises(GalleryError, match="stopped"):
                import_people(target, archive, replace=True)
        assert target.people() == before
        import_people(target, archive, replace=True)
        assert differences(target, archive) == []


def test_a_damaged_archive_is_refused_before_anything_is_used(filled: Gallery, tmp_path: Path) -> None:
    path = tmp_path / "a.mfgallery"
    export_people(filled, path)
    whole = path.read_bytes()
    for at in range(0, len(whole), 331):
        spoilt = bytearray(whole)
        spoilt[at] ^= 0x41
        path.write_bytes(spoilt)
        try:
            opened_archive(path)
        except GalleryError as error:
            assert "a.mfgallery" in str(error)
        else:  # a byte of the tar file's padding, which is no content
            with tarfile.open(path) as archive:
                assert len(archive.getmembers()) == 11
    for length in (0, 10, 512, 5000, len(whole) // 2, len(whole) - 12_000):
        path.write_bytes(whole[:length])
        with pytest.raises(GalleryError, match="not an intact archive"):
            opened_archive(path)
    path.write_bytes(b"\x89PNG")
    with pytest.raises(GalleryError, match="not an intact archive of people"):
        opened_archive(path)
    with pytest.raises(UsageError, match="cannot be read"):
        opened_archive(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="cannot be written"):
        export_people(filled, tmp_path / "nowhere" / "a.mfgallery")


def test_vectors_of_other_weights_never_meet(filled: Gallery, origin: VectorOrigin, tmp_path: Path) -> None:
    export_people(filled, tmp_path / "a.mfgallery")
    archive = opened_archive(tmp_path / "a.mfgallery")
    for wrong in (replace(origin, fingerprint="cd" * 32), replace(origin, flip=False)):
        file = tmp_path / f"{wrong.fingerprint[:2]}{wrong.flip}.db"
        with (
            Gallery.open(file, wrong, create=True) as target,
            pytest.raises(FingerprintMismatch),
        ):
            import_people(target, archive)


def test_backup(path: Path, gallery: Gallery, template: Make, tmp_path: Path) -> None:
    gallery.add_templates("Anna", [template("a")])
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM person").fetchall()  # somebody uses it
        gallery.backup(copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir() if "copy" in file.name or file.name[0] == ".") == [
        "copy.db"
    ]
    gallery.add_templates("Bo", [template("b")])
    with Gallery.open(copy) as opened:
        assert [person.name for person in opened.people()] == ["Anna"] and opened.check().problems == ()
        assert opened.person("Anna").id == gallery.person("Anna").id
    with pytest.raises(UsageError, match="cannot be written"):
        gallery.backup(tmp_path / "nowhere" / "copy.db")


def test_a_server_s_backup_is_its_own_tools_work(
    new_database: str, origin: VectorOrigin, tmp_path: Path
) -> None:
    with (
        Gallery.open(new_database, origin, create=True) as gallery,
        pytest.raises(NotAvailable, match="pg_dump"),
    ):
        gallery.backup(tmp_path / "copy")

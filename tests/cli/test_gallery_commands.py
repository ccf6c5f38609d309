"""`facebank`, `enroll`, `people`: the life of a gallery, by the command."""

import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageFilter
import pytest

from multiface.gallery import Gallery
from multiface.images import load_picture, save_picture

Call = Callable[..., Any]


def people_of(call: Call, gallery: Path) -> dict[str, int]:
    """Names and numbers of templates."""
    listed = call("people", "list", "--gallery", gallery, "--json").document()["people"]
    return {one["name"]: one["templates"] for one in listed}


def beside(left: Path, right: Path, right_scale: float, target: Path) -> Path:
    """Two pictures side by side, the right one scaled."""
    a, b = PIL.Image.open(left), PIL.Image.open(right).convert("RGB")
    b = b.resize((round(b.width * right_scale), round(b.height * right_scale)))
    both = PIL.Image.new("RGB", (a.width + b.width, max(a.height, b.height)), "grey")
    both.paste(a, (0, 0))
    both.paste(b, (a.width, 0))
    both.save(target)
    return target


def test_facebank_twice_embeds_nothing_the_second_time(call: Call, people: Path, tmp_path: Path) -> None:
    gallery = tmp_path / "g.sqlite"
    first = call("facebank", people, "--gallery", gallery, "--json").document()
    assert first["people"] == ["ada", "bob", "cleo", "dora"]
    assert (first["added"], first["unchanged"], first["refused"]) == (7, 0, [])
    second = call("facebank", people, "--gallery", gallery, "--json").document()
    assert (second["added"], second["changed"], second["unchanged"]) == (0, 0, 7)
    assert people_of(call, gallery) == {"bob": 1, "cleo": 2, "ada": 2, "dora": 2}
    check = call("people", "check", "--gallery", gallery, "--json")
    assert check.code == 0
    document = check.document()
    alike = document.pop("alike")
    assert document == {
        "people": 4,
        "templates": 7,
        "strangers": 0,
        "problems": [],
        "differences": None,
        "reembedding": None,
        "mixed": [],
        "same": [],
    }
    with Gallery.open(gallery) as opened:
        matrix = opened.matrix()
    across = matrix.vectors @ matrix.centres.T
    across[np.arange(7), matrix.person_index] = -1
    vector, other = np.unravel_index(across.argmax(), across.shape)
    assert alike["names"] == [matrix.names[matrix.person_index[vector]], matrix.names[other]]
    assert alike["similarity"] == pytest.approx(across.max(), abs=1e-5)
    assert alike["threshold"] >= alike["threshold_at_large"]
    assert alike["false_non_match_rate"] >= alike["false_non_match_rate_at_large"]


def test_facebank_follows_the_folder(call: Call, people: Path, empty_wall: Path, tmp_path: Path) -> None:
    folder, gallery = tmp_path / "mine", tmp_path / "g.sqlite"
    shutil.copytree(people / "ada", folder / "ada")
    shutil.copytree(people / "bob", folder / "bob")
    (folder / "wall").mkdir()
    shutil.copy(empty_wall, folder / "wall")
    first = call("facebank", folder, "--gallery", gallery, "--json")
    assert first.code == 3
    assert first.document()["without_picture"] == ["wall"]
    assert [one["path"] for one in first.document()["refused"]] == ["wall/wall.png"]
    assert "no picture could be used" in first.err

    shutil.rmtree(folder / "bob")
    (folder / "ada" / "ada1.jpg").rename(folder / "ada" / "president.jpg")
    second = call("facebank", folder, "--gallery", gallery, "--json").document()
    assert (second["added"], second["moved"], second["vanished"]) == (0, 1, ["bob/bob1.jpg"])
    assert people_of(call, gallery) == {"bob": 1, "ada": 2}
    third = call("facebank", folder, "--gallery", gallery, "--prune", "--json").document()
    assert third["removed"] == 1
    assert people_of(call, gallery) == {"ada": 2}


def test_facebank_says_what_it_took_and_what_not(
    call: Call, people: Path, portrait: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    for name in ("ada", "eileen", "wall"):
        (folder / name).mkdir(parents=True)
    beside(people / "ada" / "ada1.jpg", portrait, 0.45, folder / "ada" / "both.png")
    PIL.Image.open(portrait).rotate(90, expand=True).save(folder / "eileen" / "lying.png")
    (folder / "wall" / "wall.png").write_bytes(portrait.read_bytes()[:3000])
    done = call("facebank", folder, "--gallery", tmp_path / "g.sqlite", "--json", "--no-quiet")
    both, lying = sorted(done.document()["notes"], key=lambda note: -note["faces"])
    assert (both["path"], both["faces"], both["quarter_turns"]) == ("ada/both.png", 2, 0)
    assert (lying["path"], lying["faces"], lying["quarter_turns"] in (1, 3)) == ("eileen/lying.png", 1, True)
    assert "ada/both.png: 2 faces, the clearly largest one was taken" in done.err
    assert "eileen/lying.png: the face was found after" in done.err
    refusal, count = [line for line in done.err.splitlines() if "refused" in line]
    assert (done.code, count) == (3, "1 picture refused")
    assert refusal.count("wall.png") == 1 and "damaged, at most" in refusal
    again = call("identify", portrait, "--people", folder)
    assert "ada/both.png: 2 faces, the clearly largest one was taken" in again.err


def test_poor_pictures_are_refused_unless_forced(call: Call, portrait: Path, tmp_path: Path) -> None:
    folder, gallery = tmp_path / "mine", tmp_path / "g.sqlite"
    (folder / "eileen").mkdir(parents=True)
    poor = folder / "eileen" / "poor.png"
    PIL.Image.open(portrait).filter(PIL.ImageFilter.GaussianBlur(4)).save(poor)
    shutil.copy(portrait, folder / "eileen" / "good.png")
    first = call("facebank", folder, "--gallery", gallery)
    assert people_of(call, gallery) == {"eileen": 1}
    (refusal,) = [line for line in first.err.splitlines() if line.startswith("refused: ")]
    assert "poor.png: picture too poor (blurred: sharpness 0.0" in refusal
    assert "--force accepts it" in refusal
    refused = call("enroll", "eileen", poor, "--gallery", gallery)
    assert refused.code == 3 and "picture too poor" in refused.err
    call("facebank", folder, "--gallery", gallery, "--force")
    assert people_of(call, gallery) == {"eileen": 2}
    assert call("enroll", "ana", poor, "--gallery", tmp_path / "other.sqlite", "--force").code == 0


def test_the_gallery_of_the_user(call: Call, people: Path, tmp_path: Path) -> None:
    """Without an option it lies in the user's data folder, for the user's eyes only."""
    place = call("facebank", people, "--json").document()["gallery"]
    assert Path(place).is_relative_to(tmp_path / "home")
    assert stat.S_IMODE(Path(place).stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(place).parent.stat().st_mode) == 0o700
    assert len(call("people", "list", "--json").document()["people"]) == 4


def test_enroll_the_same_picture_twice_is_one_template(
    call: Call, people: Path, gallery: Path, tmp_path: Path
) -> None:
    picture = people / "ada" / "ada1.jpg"
    again = call("enroll", "ada", picture, "--gallery", gallery, "--json").document()
    assert (again["added"], again["already_there"]) == (0, 1)
    shutil.copy(picture, tmp_path / "copy.jpg")
    copied = call("enroll", "ada", "copy.jpg", people / "ada" / "ada2.jpg", "--gallery", gallery, "--json")
    assert (copied.document()["added"], copied.document()["already_there"]) == (1, 1)
    assert people_of(call, gallery) == {"bob": 1, "ada": 2}


def test_a_picture_of_somebody_else_is_not_taken(call: Call, people: Path, gallery: Path) -> None:
    done = call("enroll", "joe", people / "bob" / "bob1.jpg", "--gallery", gallery)
    assert done.code == 3
    assert "already enrolled as 'bob'" in done.err
    assert people_of(call, gallery) == {"bob": 1, "ada": 1}


def test_the_main_face_is_taken_and_said(call: Call, people: Path, portrait: Path, tmp_path: Path) -> None:
    both = beside(people / "ada" / "ada1.jpg", portrait, 0.45, tmp_path / "both.png")
    gallery = tmp_path / "g.sqlite"
    done = call("enroll", "ada", both, "--gallery", gallery, "--json", "--no-quiet")
    assert (done.code, done.document()["added"]) == (0, 1)
    assert "both.png: 2 faces, the clearly largest one was taken" in done.err
    assert done.document()["notes"]
    found = call("identify", people / "ada" / "ada2.jpg", "--gallery", gallery, "--json").document()
    assert found["pictures"][0]["faces"][0]["name"] == "ada"


def test_faces_alike_in_size_are_refused(call: Call, portrait: Path, people: Path, tmp_path: Path) -> None:
    twins = beside(portrait, portrait, 1.0, tmp_path / "twins.png")
    good = people / "ada" / "ada1.jpg"
    done = call("enroll", "x", twins, good, "--gallery", tmp_path / "g.sqlite", "--json")
    assert done.code == 3
    assert done.document()["added"] == 1
    assert "2 faces and none of them twice as large" in done.document()["refused"][0]["reason"]


def test_show(call: Call, gallery: Path) -> None:
    document = call("people", "show", "ada", "--gallery", gallery, "--json").document()
    (template,) = document["templates"]
    assert document["name"] == "ada"
    assert (template["source"], template["detector"], template["faces_in_picture"]) == (
        "ada1.jpg",
        "yunet_onet",
        1,
    )
    assert len(template["sha256"]) == 64 and len(template["box"]) == 4
    assert "ada1.jpg" in call("people", "show", "ada", "--gallery", gallery).out


def test_rename_merge_remove(call: Call, gallery: Path) -> None:
    options = ("--gallery", gallery, "--json")
    renamed = call("people", "rename", "ada", "Ada Lovelace", *options).document()
    assert (renamed["old"], renamed["new"]) == ("ada", "Ada Lovelace")
    assert people_of(call, gallery) == {"Ada Lovelace": 1, "bob": 1}
    taken = call("people", "rename", "bob", "Ada Lovelace", *options)
    assert taken.code == 3
    assert call("people", "merge", "Ada Lovelace", "bob", *options).document()["moved"] == 1
    assert people_of(call, gallery) == {"Ada Lovelace": 2}
    removed = call("people", "remove", "Ada Lovelace", *options).document()
    assert (removed["templates"], removed["purged"]) == (2, True)
    assert people_of(call, gallery) == {}
    assert call("people", "check", *options).code == 0


def test_two_people_of_one_name(call: Call, people: Path, gallery: Path) -> None:
    """The name alone asks; ids work wherever a name does."""
    options = ("--gallery", gallery, "--json")
    ada = call("people", "show", "ada", *options).document()["person"]
    picture = people / "dora" / "dora1.jpg"
    rose = call("enroll", "ada", picture, "--another", *options).document()["person"]
    assert rose != ada
    for command in (
        "show ada",
        "rename ada x",
        "merge bob ada",
        "remove ada",
        "edit ada --note x",
    ):
        done = call("people", *command.split(), *options)
        assert done.code == 3 and ada in done.err and rose in done.err, command
    assert call("enroll", "ada", people / "ada" / "ada2.jpg", *options).code == 3
    assert call("enroll", ada, people / "ada" / "ada2.jpg", *options).document()["added"] == 1
    listed = call("people", "list", "--gallery", gallery).out
    assert ada in listed and rose in listed
    found = call("identify", people / "dora" / "dora2.jpg", *options).document()["pictures"][0]["faces"][0]
    assert (found["name"], found["person"], found["runner_up"]["person"] != rose) == ("ada", rose, True)
    assert call("people", "rename", rose, "bob", *options).code == 3
    assert call("people", "rename", rose, "bob", "--another", *options).code == 0
    assert call("people", "rename", rose, "Rose", *options).document()["old"] == "bob"
    edited = call(
        "people",
        "edit",
        "Rose",
        "--group",
        "cast",
        "--group",
        "uk",
        "--external-id",
        "7",
        "--note",
        "n",
        *options,
    )
    document = edited.document()
    assert (document["groups"], document["external_id"], document["note"]) == (["cast", "uk"], "7", "n")
    listed = call("people", "list", "--group", "cast", *options).document()["people"]
    assert [one["person"] for one in listed] == [rose]
    assert "  groups: cast, uk" in call("people", "show", rose, "--gallery", gallery).out
    assert call("people", "edit", rose, "--no-group", *options).document()["groups"] == []
    assert call("people", "edit", rose, "--no-group", "--group", "x", *options).code == 2
    merged = call("people", "merge", ada, rose, *options).document()
    assert (merged["person"], merged["from_person"], merged["moved"]) == (ada, rose, 1)
    assert call("people", "remove", ada, *options).document()["removed"] == "ada"
    assert people_of(call, gallery) == {"bob": 1}


def test_export_import_check_and_backup(call: Call, gallery: Path, tmp_path: Path) -> None:
    archive, second = tmp_path / "people.mfgallery", tmp_path / "second.sqlite"
    options = ("--gallery", gallery, "--json")
    assert call("people", "export", archive, *options).document()["people"] == 2
    planned = call("people", "import", archive, "--dry-run", "--gallery", second)
    assert planned.code == 3 and not second.exists()
    first = call("people", "import", archive, "--gallery", second, "--json").document()
    assert (first["added"], first["templates"], first["dry_run"]) == (2, 2, False)
    assert people_of(call, second) == people_of(call, gallery)
    same = call("people", "check", "--against", archive, "--gallery", second, "--json")
    assert (same.code, same.document()["differences"]) == (0, [])
    call("people", "rename", "bob", "Joe", "--gallery", second)
    unlike = call("people", "check", "--against", archive, "--gallery", second)
    assert unlike.code == 3 and "Joe" in unlike.out and "differs" in unlike.out
    call("people", "remove", "ada", "--gallery", second)
    again = call("people", "import", archive, "--gallery", second)
    assert again.code == 0 and "stay removed" in again.err
    assert people_of(call, second) == {"Joe": 1}
    would = call(
        "people", "import", archive, "--replace", "--dry-run", "--gallery", second, "--json"
    ).document()
    assert (would["added"], would["removed"]) == (1, 1) and people_of(call, second) == {"Joe": 1}
    assert call("people", "import", archive, "--replace", "--gallery", second).code == 0
    assert people_of(call, second) == {"bob": 1}
    archive.write_bytes(archive.read_bytes()[:3000])
    broken = call("people", "import", archive, "--gallery", second)
    assert broken.code == 3 and "nothing was imported" in broken.err
    copy = tmp_path / "copy.sqlite"
    assert call("people", "backup", copy, "--gallery", gallery).code == 0
    assert people_of(call, copy) == people_of(call, gallery)


def test_changes_split_and_undo(call: Call, people: Path, gallery: Path) -> None:
    options = ("--gallery", gallery, "--json")
    call("enroll", "ada", people / "dora" / "dora1.jpg", *options)
    wrong = call("people", "show", "ada", *options).document()["templates"][1]["template"]
    split = call("people", "split", "ada", "rose", wrong, *options).document()
    assert (split["name"], split["templates"]) == ("rose", [wrong])
    assert people_of(call, gallery) == {"bob": 1, "ada": 1, "rose": 1}
    call("people", "rename", "rose", "Rose", *options)
    call("people", "edit", "Rose", "--note", "x", *options)
    call("people", "merge", "bob", "Rose", *options)
    listed = call("people", "changes", "--gallery", gallery)
    assert [line.split("  ")[-1] for line in listed.out.splitlines()[:-2]] == [
        "merge Rose into bob: 1 template",
        f"edit {split['to']}: note",
        "rename rose to Rose",
        f"split ada: 1 template to {split['to']}",
        "enrol ada: 1 template",
    ]
    assert "people undo NUMBER" in listed.err
    changes = call("people", "changes", *options).document()["changes"]
    for change in changes[:4]:
        done = call("people", "undo", change["change"], *options)
        assert done.document()["kind"] == change["kind"]
    assert people_of(call, gallery) == {"bob": 1, "ada": 2}
    again = call("people", "undo", changes[0]["change"], *options)
    assert again.code == 3 and "was undone" in again.err
    document = call("people", "changes", "bob", "--most", 1, *options).document()["changes"]
    assert [(one["kind"], one["can_be_undone"]) for one in document] == [("undo", False)]
    assert "(undone " in call("people", "changes", "--gallery", gallery).out


def test_removed_vectors_are_gone_from_the_file(call: Call, gallery: Path) -> None:
    with Gallery.open(gallery) as opened:
        names = opened.matrix()
        vectors = {name: np.array(names.vectors[k]).tobytes() for k, name in enumerate(names.names)}
    content = b"".join(path.read_bytes() for path in gallery.parent.glob("gallery.sqlite*"))
    assert all(vector in content for vector in vectors.values())
    assert call("people", "remove", "ada", "--gallery", gallery).code == 0
    content = b"".join(path.read_bytes() for path in gallery.parent.glob("gallery.sqlite*"))
    assert vectors["ada"] not in content and vectors["bob"] in content


@pytest.mark.parametrize(
    "command", ["show adda", "rename adda x", "merge bob adda", "merge adda bob", "remove adda"]
)
def test_an_unknown_person_is_3_with_the_nearest_name(command: str, call: Call, gallery: Path) -> None:
    done = call("people", *command.split(), "--gallery", gallery)
    assert done.code == 3
    assert "did you mean 'ada'?" in done.err


def test_names_that_cannot_be(call: Call, gallery: Path, portrait: Path) -> None:
    for name in ("", "  ", "a\nb", "\u202egnaro", "x" * 201):
        assert call("enroll", name, portrait, "--gallery", gallery).code == 2, name
        assert call("people", "rename", "ada", name, "--gallery", gallery).code == 2, name
    assert people_of(call, gallery) == {"bob": 1, "ada": 1}


def test_names_in_any_script(call: Call, gallery: Path) -> None:
    for name in ("Zoë O'Brien", "王小明", "أحمد", "[bold]red[/bold]"):
        assert call("people", "rename", "ada", name, "--gallery", gallery).code == 0
        assert name in call("people", "list", "--gallery", gallery).out
        assert name in people_of(call, gallery)
        assert call("people", "rename", name, "ada", "--gallery", gallery).code == 0


def test_a_damaged_gallery_is_3(call: Call, gallery: Path) -> None:
    content = bytearray(gallery.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    gallery.write_bytes(content)
    done = call("people", "check", "--gallery", gallery)
    assert done.code == 3
    assert done.err + done.out


def test_pictures_of_all_kinds(call: Call, portrait: Path, tmp_path: Path) -> None:
    """A folder with nested folders, hidden files, texts and a picture under another ending."""
    folder = tmp_path / "mine"
    (folder / "eileen" / "2020").mkdir(parents=True)
    save_picture(load_picture(portrait)[:, ::-1], folder / "eileen" / "2020" / "mirror.png")
    (folder / "eileen" / "2020" / "mirror.png").rename(folder / "eileen" / "2020" / "mirror.dat")
    shutil.copy(portrait, folder / "eileen" / ".hidden.jpg")
    (folder / "eileen" / "notes.txt").write_text("x")
    document = call("facebank", folder, "--gallery", "g.sqlite", "--json").document()
    assert (document["people"], document["added"]) == (["eileen"], 1)


def test_check_finds_who_is_two_and_which_two_are_one(call: Call, people: Path, tmp_path: Path) -> None:
    folder, gallery = tmp_path / "mine", tmp_path / "g.sqlite"
    files = {
        "lovelace": [("ada", "ada2.jpg")],
        "ada": [("ada", "ada1.jpg")],
        "kit": [("cleo", "cleo1.jpg"), ("cleo", "cleo2.jpg"), ("bob", "bob1.jpg")],
        "rose": [("dora", "dora1.jpg"), ("dora", "dora2.jpg")],
    }
    for name, sources in files.items():
        (folder / name).mkdir(parents=True)
        for source in sources:
            shutil.copy(people / source[0] / source[1], folder / name)
    assert call("facebank", folder, "--gallery", gallery).code == 0
    done = call("people", "check", "--gallery", gallery, "--json")
    document = done.document()
    assert done.code == 0
    (mixed,) = document["mixed"]
    assert (mixed["name"], mixed["pictures"]) == ("kit", 3)
    assert [sorted(Path(one).name for one in group) for group in mixed["groups"]] == [
        ["cleo1.jpg", "cleo2.jpg"],
        ["bob1.jpg"],
    ]
    (same,) = document["same"]
    assert {same["name"], same["other"]} == {"lovelace", "ada"} and same["similarity"] >= same["threshold"]
    words = call("people", "check", "--gallery", gallery)
    assert (
        "kit: may be two people. 1 of 3 pictures unlike the others (similarity " in words.out
        and "bob1.jpg" in words.out
    )
    assert (
        "may be one person. 1 of 1 picture" in words.out and "multiface people merge INTO FROM" in words.err
    )
    (folder / "kit" / "bob1.jpg").unlink()
    shutil.rmtree(folder / "lovelace")
    call("facebank", folder, "--gallery", gallery, "--prune")
    clean = call("people", "check", "--gallery", gallery, "--json").document()
    assert (clean["mixed"], clean["same"]) == ([], [])

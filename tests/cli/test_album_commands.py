"""`album`: the whole way on the command line, with drawn faces."""

import csv
import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from tests.drawn_faces import drawn_face, group_of, save_people

Call = Callable[..., Any]


@pytest.fixture
def album(call: Call, tmp_path: Path) -> Callable[..., Any]:
    """`album COMMAND ... --gallery FILE`, for a gallery that knows Ada and Bob and has scanned `photos`."""
    folder, file = tmp_path / "photos", tmp_path / "g.sqlite"
    folder.mkdir()
    cleo = drawn_face("cleo")
    other = np.asarray(PIL.Image.fromarray(cleo).resize((290, 200)).crop((45, 0, 245, 200)))
    for name, picture in {
        "ada": drawn_face("ada", 4),
        "both": group_of(drawn_face("ada", 5), drawn_face("bob", 5)),
        "cleo": cleo,
        "with": group_of(drawn_face("ada", 6), other),
    }.items():
        PIL.Image.fromarray(picture).save(folder / f"{name}.png")
    people = save_people(tmp_path / "people", {"ada": 2, "bob": 2})
    assert call("facebank", people, "--gallery", file).code == 0

    def run(*arguments: object) -> Any:
        return call("album", *arguments, "--gallery", file)

    done = run("scan", folder, "--rate", "0.001", "--json").document()
    assert (done["searched"], done["faces"], done["left_out"]) == (4, 6, [])
    return run


def found(done: Any) -> list[str]:
    assert done.code == 0, done.err
    return sorted(Path(line.split("  ")[0]).name for line in done.out.splitlines())


RATE = ("--rate", "0.001")


def test_scan_says_what_it_did(album: Call, tmp_path: Path) -> None:
    again = album("scan", tmp_path / "photos", *RATE)
    assert again.code == 0
    assert again.out.splitlines()[0] == "searched 0 photos and films, 0 faces; 0 moved or copied, 4 unchanged"
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xffno")
    (tmp_path / "photos" / "ada.png").unlink()
    broken = album("scan", tmp_path / "photos", *RATE)
    assert broken.code == 3 and "broken.jpg" in broken.err and "1 file not there any more" in broken.out
    assert album("scan", tmp_path / "nothing").code == 3
    assert "no such folder" in album("scan", tmp_path / "nothing").err


def test_find(album: Call) -> None:
    assert found(album("find", "ada", *RATE)) == ["ada.png", "both.png", "with.png"]
    assert found(album("find", "ada", "--with", "bob", *RATE)) == ["both.png"]
    assert found(album("find", "ada", "--without", "bob", *RATE)) == ["ada.png", "with.png"]
    assert found(album("find", "ada", "--only", *RATE)) == ["ada.png"]
    assert found(album("find", "--unknown", *RATE)) == ["cleo.png", "with.png"]
    assert found(album("find", "ada", "--until", "1999-01-01", *RATE)) == []
    (hit,) = album("find", "ada", "bob", "--json", *RATE).document()["hits"]
    assert sorted(face["name"] for face in hit["faces"]) == ["ada", "bob"] and hit["film"] is False
    assert {"path", "paths"} & set(hit) == {"paths"} and len(hit["faces"][0]["box"]) == 4
    nobody = album("find", "Zoe", *RATE)
    assert nobody.code == 3 and "nobody called 'Zoe'" in nobody.err
    assert album("find", "ada", "--since", "soon", *RATE).code == 2


def test_find_writes_tables_pages_links_and_copies(album: Call, tmp_path: Path) -> None:
    files = {option: tmp_path / name for option, name in (("--csv", "t.csv"), ("--page", "p.html"))}
    done = album(
        "find", "ada", *[word for pair in files.items() for word in pair], "--links", tmp_path / "l", *RATE
    )
    assert done.code == 0
    rows = list(csv.DictReader(files["--csv"].read_text(encoding="utf-8").splitlines()))
    assert {row["name"] for row in rows if row["path"].endswith("both.png")} == {"ada", "bob"}
    page = files["--page"].read_text(encoding="utf-8")
    assert page.count("<article>") == 3 and str(tmp_path) not in page and "http:" not in page
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files.values())
    links = sorted((tmp_path / "l").iterdir())
    assert [link.is_symlink() for link in links] == [True] * 3
    assert album("find", "ada", "--copies", tmp_path / "l", *RATE).code == 2  # is there
    assert album("find", "ada", "--copies", tmp_path / "c", *RATE).code == 0
    assert sorted(file.name for file in (tmp_path / "c").iterdir()) == [link.name for link in links]
    for wrong in (("--csv", tmp_path / "t.txt"), ("--links", tmp_path / "x", "--copies", tmp_path / "y")):
        assert album("find", "ada", *wrong, *RATE).code == 2


def test_hostile_names_reach_no_page_or_table(album: Call, call: Call, tmp_path: Path) -> None:
    file = tmp_path / "g.sqlite"
    assert call("people", "rename", "ada", "=1+<script>alert(1)</script>", "--gallery", file).code == 0
    who = call("people", "list", "--gallery", file, "--json").document()["people"][0]["person"]
    assert album("find", who, "--csv", tmp_path / "t.csv", "--page", tmp_path / "p.html", *RATE).code == 0
    assert "<script>" not in (tmp_path / "p.html").read_text(encoding="utf-8")
    assert ",=1+" not in (tmp_path / "t.csv").read_text(encoding="utf-8")


def test_unknown_people_are_named_and_corrected(album: Call, call: Call, tmp_path: Path) -> None:
    listed = album("people", "--page", tmp_path / "p.html", "--json", *RATE).document()
    (group,) = listed["groups"]
    assert group["sightings"] == 2 and len(group["faces"]) == 2 and listed["single_faces"] == []
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") == 2 and f"f{group['faces'][0]['face']}" in page
    named = album("name", group["stranger"], "Cleo", *RATE)
    assert named.out == f"{group['stranger']} is Cleo, who is in 2 photos and films\n"
    assert found(album("find", "Cleo", *RATE)) == ["cleo.png", "with.png"]
    face = next(
        face
        for hit in album("find", "Cleo", "--json", *RATE).document()["hits"]
        for face in hit["faces"]
        if face["name"] == "Cleo" and hit["paths"][0].endswith("cleo.png")
    )
    assert album("not", f"f{face['face']}", "Cleo", *RATE).code == 0
    assert found(album("find", "Cleo", *RATE)) == ["with.png"]
    changes = call("people", "changes", "--gallery", tmp_path / "g.sqlite")
    assert "album: is not Cleo: 1 face" in changes.out
    number = changes.out.split()[0]
    assert call("people", "undo", number, "--gallery", tmp_path / "g.sqlite").code == 0
    assert found(album("find", "Cleo", *RATE)) == ["cleo.png", "with.png"]
    removed = call("people", "remove", "Cleo", "--gallery", tmp_path / "g.sqlite", "--json").document()
    assert removed["faces"] == 2
    assert found(album("find", "--unknown", *RATE)) == []


def test_merge_split_ignore_and_mark(album: Call, tmp_path: Path) -> None:
    (group,) = album("people", "--json", *RATE).document()["groups"]
    faces = [f"f{face['face']}" for face in group["faces"]]
    split = album("split", faces[0], "--json", *RATE).document()
    assert len(album("people", "--json", *RATE).document()["groups"]) == 2
    assert album("merge", group["stranger"], split["stranger"], *RATE).code == 0
    (merged,) = album("people", "--json", *RATE).document()["groups"]
    assert len(merged["faces"]) == 2
    assert album("ignore", merged["stranger"], *RATE).code == 0
    assert album("people", "--json", *RATE).document()["groups"] == []
    assert found(album("find", "--unknown", *RATE)) == []
    assert len(album("people", "--all", "--json", *RATE).document()["groups"]) == 1
    assert album("ignore", merged["stranger"], "--back", *RATE).code == 0
    marked = album("mark", tmp_path / "photos" / "ada.png", 2, 150, 40, 190, "--name", "Ghost", *RATE)
    assert marked.code == 0 and found(album("find", "Ghost", *RATE)) == ["ada.png"]
    for wrong in (("merge", 77, 78), ("name", "f999", "X"), ("ignore", 99), ("not", faces[0], "Zoe")):
        assert album(*wrong, *RATE).code == 3, wrong
    for senseless in (("name", "x12", "X"), ("not", "12", "X"), ("split", "12"), ("ignore", "g1")):
        assert album(*senseless, *RATE).code == 2, senseless


def test_names_go_out_and_come_in(album: Call, tmp_path: Path) -> None:
    done = album("export", *RATE)
    assert done.code == 0 and done.out == "3 sidecars written, 0 unchanged\n"
    assert (tmp_path / "photos" / "ada.png.xmp").is_file()
    assert album("import", "--json", *RATE).document()["named"] == 0
    (tmp_path / "photos" / "ada.png.xmp").write_text("<broken")
    broken = album("export", *RATE)
    assert broken.code == 3 and "ada.png.xmp" in broken.err
    assert album("export", "--into-pictures", *RATE).code == 3  # PNG


def test_forget(album: Call, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "photos")
    gone = album("forget", tmp_path / "photos", "--json").document()
    assert gone["files"] == 4
    assert found(album("find", *RATE)) == []


def test_a_gallery_that_is_not_there(call: Call, tmp_path: Path) -> None:
    for command in (("find",), ("people",), ("name", "1", "X"), ("mark", tmp_path / "x.png", 1, 2, 3, 4)):
        done = call("album", *command, "--gallery", tmp_path / "none.sqlite", "--json")
        assert done.code == 3 and json.loads(done.out)["error"]["message"], command
        assert not (tmp_path / "none.sqlite").exists()


def test_what_is_gone_since_the_scan_is_not_copied(album: Call, tmp_path: Path) -> None:
    (tmp_path / "photos" / "ada.png").unlink()
    done = album("find", "ada", "--only", "--copies", tmp_path / "copies", *RATE)
    assert done.code == 0 and "ada.png: is not there any more" in done.err
    assert [path.name for path in (tmp_path / "copies").iterdir()] == []

"""`people reembed`: refused with a list, then done; stopped and gone on with; given up."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multiface.gallery import Gallery

Call = Callable[..., Any]


@pytest.fixture
def mixed(call: Call, people: Path, tmp_path: Path) -> Path:
    """A gallery of an imported folder of two people, and one picture of cleo by hand, which then moved."""
    folder, gallery = tmp_path / "people", tmp_path / "g.sqlite"
    for name in ("ada", "bob"):
        shutil.copytree(people / name, folder / name)
    shutil.copy(people / "cleo" / "cleo1.jpg", tmp_path / "cleo.jpg")
    assert call("facebank", folder, "--gallery", gallery).code == 0
    assert call("enroll", "cleo", tmp_path / "cleo.jpg", "--gallery", gallery, "--no-crops").code == 0
    (tmp_path / "moved").mkdir()
    (tmp_path / "cleo.jpg").rename(tmp_path / "moved" / "c.jpg")
    return gallery


def test_refused_with_a_list_and_then_done(call: Call, mixed: Path, people: Path, tmp_path: Path) -> None:
    command = ("people", "reembed", "--flip", "--gallery", mixed)
    other = call("identify", people / "ada" / "ada2.jpg", "--gallery", mixed, "--flip")
    assert other.code == 3 and "multiface people reembed" in other.err
    refused = call(*command, "--json")
    assert refused.code == 3
    document = refused.document()
    assert (document["switched"], document["templates"], document["strangers_removed"]) == (False, 3, 0)
    ((missing),) = document["missing"]
    assert (missing["name"], missing["source"], missing["reason"]) == (
        "cleo",
        "cleo.jpg",
        "the picture was not found",
    )
    for hint in (
        "missing: cleo: cleo.jpg",
        "1 template of 4",
        "--folder FOLDER",
        "--drop-missing",
        "--cancel",
    ):
        assert hint in refused.err
    check = call("people", "check", "--gallery", mixed, "--json").document()
    assert (check["reembedding"]["done"], check["reembedding"]["total"]) == (3, 4)
    assert "3 of 4 done" in call("people", "check", "--gallery", mixed).out
    going_on = call(*command, "--folder", tmp_path / "moved")
    assert going_on.code == 0
    assert "3 templates done before; continuing" in going_on.err
    assert "4 templates of sface now (before: sface)" in going_on.out
    assert "holds vectors of sface already" in call(*command).out
    found = call("identify", people / "ada" / "ada2.jpg", "--gallery", mixed, "--flip", "--json").document()
    assert found["pictures"][0]["faces"][0]["name"] == "ada"
    assert call("identify", people / "ada" / "ada2.jpg", "--gallery", mixed, "--no-flip").code == 3
    log = call("people", "changes", "--gallery", mixed)
    assert "reembed with sface: 4 templates" in log.out
    assert call("people", "check", "--gallery", mixed, "--json").document()["reembedding"] is None


def test_templates_are_dropped_only_when_that_is_said(call: Call, mixed: Path) -> None:
    done = call("people", "reembed", "--flip", "--drop-missing", "--gallery", mixed, "--json")
    assert done.code == 0
    document = done.document()
    assert document["switched"] and document["without_template"] == ["cleo"]
    assert "removed: cleo: cleo.jpg" in done.err and "cleo has no template now" in done.err
    assert "1 template dropped" in call("people", "changes", "--gallery", mixed).out
    listed = call("people", "list", "--gallery", mixed, "--json").document()["people"]
    assert {one["name"]: one["templates"] for one in listed} == {"ada": 2, "bob": 1, "cleo": 0}


def test_given_up(call: Call, mixed: Path, people: Path) -> None:
    options = ("--gallery", mixed, "--json")
    assert call("people", "reembed", "--cancel", *options).document() == {"cancelled": False}
    assert call("people", "reembed", "--flip", *options).code == 3
    other = call("people", "reembed", "--flip", "--detector", "mtcnn", *options)
    assert other.code == 3 and "people reembed --cancel" in other.err
    assert call("people", "reembed", "--cancel", "--drop-missing", *options).code == 2
    assert call("people", "reembed", "--cancel", *options).document() == {"cancelled": True}
    found = call("identify", people / "ada" / "ada2.jpg", *options).document()
    assert found["pictures"][0]["faces"][0]["name"] == "ada"
    missing = call("people", "reembed", "--flip", "--gallery", mixed.parent / "none.sqlite")
    assert missing.code == 3 and "there is no such file" in missing.err


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_stopped_with_ctrl_c(
    call: Call, start: Callable[..., "subprocess.Popen[str]"], people: Path, tmp_path: Path
) -> None:
    """In the middle: what is done stays, the gallery answers, and the same command continues."""
    folder, gallery = tmp_path / "people", tmp_path / "g.sqlite"
    for k in range(30):
        for name, file in (("ada", "ada1"), ("bob", "bob1"), ("cleo", "cleo1"), ("dora", "dora1")):
            (folder / name).mkdir(parents=True, exist_ok=True)
            content = (people / name / f"{file}.jpg").read_bytes()
            (folder / name / f"{k}.jpg").write_bytes(content + bytes([k]))  # another digest each
    assert call("facebank", folder, "--gallery", gallery).code == 0
    process = start("people", "reembed", "--flip", "--gallery", gallery)
    with Gallery.open(gallery) as watched:
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up:
            state = watched.reembedding()
            if state is not None and state.templates:
                break
            time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command continues from here" in err
    found = call("identify", people / "bob" / "bob1.jpg", "--gallery", gallery, "--json").document()
    assert found["pictures"][0]["faces"][0]["name"] == "bob"
    rest = call("people", "reembed", "--flip", "--gallery", gallery, "--json", "--no-quiet")
    assert rest.code == 0 and rest.document()["templates"] == 120
    assert "done before; continuing" in rest.err


def test_crops_are_kept_shown_used_and_deleted(call: Call, people: Path, tmp_path: Path) -> None:
    """An enrolled picture that is gone is embedded again from its crop."""
    gallery, picture = tmp_path / "g.sqlite", tmp_path / "dora.jpg"
    options = ("--gallery", gallery, "--json")
    for number in (1, 2):
        shutil.copy(people / "dora" / f"dora{number}.jpg", picture)
        settings = {"MULTIFACE_CROPS": "yes" if number == 1 else "no"}
        assert call("enroll", "dora", picture, *options, env=settings).code == 0
    shown = call("people", "show", "dora", *options).document()["templates"]
    assert [one["crop"] for one in shown] == [True, False]
    assert call("people", "show", "dora", "--gallery", gallery).out.count("with crop") == 1
    picture.unlink()
    done = call("people", "reembed", "--flip", "--drop-missing", *options, "--no-quiet")
    document = done.document()
    assert (document["templates"], document["from_crops"], len(document["missing"])) == (1, 1, 1)
    assert "1 template from crops" in done.err
    found = call("identify", people / "dora" / "dora2.jpg", "--flip", *options).document()
    assert found["pictures"][0]["faces"][0]["name"] == "dora"
    archive = tmp_path / "a.mfgallery"
    for command, crops in ((("export", archive), 1), (("forget-crops",), 1), (("forget-crops",), 0)):
        document = call("people", *command, *options).document()
        assert document.get("deleted", crops) == crops
    for setting, crops in (("no", 0), ("yes", 1)):
        again = tmp_path / f"{setting}.sqlite"
        assert (
            call("people", "import", archive, "--gallery", again, env={"MULTIFACE_CROPS": setting}).code == 0
        )
        assert call("people", "forget-crops", "--gallery", again, "--json").document()["deleted"] == crops

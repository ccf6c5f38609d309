"""Several openings of one gallery file, in threads, processes and forked children: what was acknowledged stays."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from multiface.gallery.contents import NewTemplate, VectorOrigin
from multiface.gallery.gallery import Gallery

ROOT = Path(__file__).parents[2]
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def run(script: str, *arguments: object) -> str:
    """A script in a process of its own, which has no threads before it forks."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@forks
def test_nobody_who_was_acknowledged_is_lost() -> None:
    command = [sys.executable, "-W", "ignore", "benchmarks/gallery_writers.py", "--enrolments", "400"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["acknowledged"], found["lost"], found["integrity"]) == (400, 0, "ok")
    assert found["openings"] > 3


OPENED = """
import sys
from pathlib import Path
folder, opened = Path(sys.argv[1]), []
sys.addaudithook(lambda event, args: event == "open" and opened.append((str(args[0]), args[2])))
from multiface.gallery import Gallery
from multiface.gallery.contents import VectorOrigin
from multiface.video.events.event_store import EventStore, written_by_one
from multiface.errors import UsageError
origin = VectorOrigin("ab" * 32, "sface", "yunet", 128, False)
gallery, events = folder / "g.db", folder / "e.db"
with Gallery.open(gallery, origin, create=True), Gallery.open(gallery, origin, create=True):
    with written_by_one(events), EventStore(events), EventStore(events):
        try:
            with written_by_one(events):
                raise SystemExit("two cameras in one file")
        except UsageError:
            pass
import os
for path, flags in opened:
    if path.startswith(str(folder)) and not path.endswith("-lock"):
        print(Path(path).name, bool(flags & os.O_EXCL))
"""


def test_nothing_but_sqlite_opens_the_files(tmp_path: Path) -> None:
    """Closing another handle would drop SQLite's locks; only making the file is an opening of ours."""
    assert run(OPENED, tmp_path).splitlines() == ["g.db True", "e.db True"]


FORK_IN_USE = """
import os, sys
from multiface.errors import GalleryError
from multiface.gallery import Gallery
path = sys.argv[1]
with Gallery.open(path) as gallery:
    database = gallery.database
    def said(act):
        try:
            act()
        except GalleryError as error:
            return "was forked" in str(error)
    with database.writing() as connection:
        connection.execute("UPDATE person SET name = 'New'")
        child = os.fork()
        if child == 0:
            os._exit(0 if said(gallery.people) and said(lambda: Gallery.open(path)) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    child = -1
    try:
        with database.writing() as connection:
            connection.execute("UPDATE person SET name = 'Newer'")
            child = os.fork()
    except GalleryError:
        os._exit(0 if child == 0 else 1)
    if child == 0:
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    print([person.name for person in gallery.people()], gallery.check().problems)
"""


@forks
def test_a_fork_inside_a_change_leaves_the_change_to_the_parent(
    path: Path, origin: VectorOrigin, template: Callable[..., NewTemplate]
) -> None:
    with Gallery.open(path, origin, create=True) as gallery:
        gallery.add_templates("Old", [template("a")])
    assert run(FORK_IN_USE, path) == "['Newer'] ()\n"


FORKED = """
import os, sys
from multiface.gallery import Gallery
with Gallery.open(sys.argv[1]) as gallery:
    before = gallery.matrix()
    child = os.fork()
    if child == 0:
        gallery.rename("Old", "Of the child")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    print(before.names, gallery.matrix().names)
"""


@forks
def test_both_sides_of_a_fork_see_each_other_s_changes(
    path: Path, origin: VectorOrigin, template: Callable[..., NewTemplate]
) -> None:
    with Gallery.open(path, origin, create=True) as gallery:
        gallery.add_templates("Old", [template("a")])
    assert run(FORKED, path) == "('Old',) ('Of the child',)\n"

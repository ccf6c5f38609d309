"""No home, a home or gallery that cannot be written, the locale C, odd times, a file system without locks."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="users and capabilities as Linux has them")
NOBODY_KNOWS = 54321
"""A user without an entry in the passwd file."""


def as_unknown_user() -> list[str]:
    """What stands in front of a command so that it runs as such a user, who may read anything, as Python may lie in a
    home of root's, and write nothing that is not his.
    """
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv to become another user")
    read = "+dac_read_search"
    who = [f"--reuid={NOBODY_KNOWS}", f"--regid={NOBODY_KNOWS}", "--clear-groups"]
    command = ["setpriv", *who, f"--inh-caps={read}", f"--ambient-caps={read}"]
    if subprocess.run([*command, "true"], capture_output=True).returncode != 0:
        pytest.skip("setpriv may not give capabilities here")
    return command


@pytest.fixture
def place(people: Path, portrait: Path) -> Iterator[Path]:
    """A folder that everybody may enter (pytest's may not be): people, a picture, a home that is not the user's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "home").mkdir()
        (folder / "own").mkdir()
        os.chown(folder / "own", NOBODY_KNOWS if os.geteuid() == 0 else -1, -1)
        shutil.copytree(people / "ada", folder / "people" / "ada")
        shutil.copy(portrait, folder / "face.jpg")
        yield folder


@pytest.fixture
def stranger(place: Path) -> Callable[..., Any]:
    """A command as that user in a folder of his: code, standard output as JSON, standard error."""

    def command(*arguments: str | Path, **variables: str) -> tuple[int, Any, str]:
        done = subprocess.run(
            [
                *as_unknown_user(),
                sys.executable,
                "-m",
                "multiface",
                *map(str, arguments),
                "--json",
                "--no-quiet",
            ],
            cwd=place / "own",
            env={"PATH": os.environ["PATH"], "MULTIFACE_DETECTOR": "yunet"} | variables,
            capture_output=True,
            timeout=120,
        )
        err = done.stderr.decode()
        assert "Traceback" not in err and "internal" not in err, err
        return done.returncode, json.loads(done.stdout), err

    return command


@pytest.mark.parametrize("home", [None, "home", "missing"])
def test_without_a_home_pictures_are_worked_on(
    home: str | None, stranger: Callable[..., Any], place: Path
) -> None:
    """No HOME and no entry; a HOME that cannot be written; one that is not there."""
    variables = {} if home is None else {"HOME": str(place / home)}
    code, document, err = stranger("detect", "../face.jpg", **variables)
    assert code == 0 and len(document["pictures"][0]["faces"]) == 1
    code, document, err = stranger("identify", "../face.jpg", "--people", "../people", **variables)
    assert code == 0 and document["pictures"][0]["faces"][0]["name"] is None
    assert "made anew each time" in err
    assert sorted(path.name for path in (place / "own").iterdir()) == []
    assert stranger("doctor", **variables)[0] == 0


def test_what_needs_a_home_says_so(stranger: Callable[..., Any]) -> None:
    for command in (
        ("enroll", "Ann", "../face.jpg"),
        ("people", "list"),
        ("camera", "--source", "tcp://127.0.0.1:9"),
    ):
        code, document, _ = stranger(*command)
        assert (code, document["error"]["kind"]) == (4, "NotAvailable")
        assert "set HOME, or name a file with --" in document["error"]["message"]
    assert stranger("enroll", "Ann", "../face.jpg", "--gallery", "g.sqlite")[0] == 0


def test_a_gallery_that_may_only_be_read(stranger: Callable[..., Any], place: Path) -> None:
    assert stranger("facebank", "../people", "--gallery", "g.sqlite")[0] == 0
    shutil.copy(place / "own" / "g.sqlite", place / "g.sqlite")
    (place / "g.sqlite").chmod(0o444)
    code, document, _ = stranger("identify", "../people/ada/ada1.jpg", "--gallery", "../g.sqlite")
    assert code == 0 and document["pictures"][0]["faces"][0]["name"] == "ada"
    assert stranger("people", "list", "--gallery", "../g.sqlite")[0] == 0
    for command in (("enroll", "Ann", "../face.jpg"), ("people", "remove", "ada")):
        code, document, _ = stranger(*command, "--gallery", "../g.sqlite")
        assert code == 3 and "writ" in document["error"]["message"]
    assert sorted(path.name for path in place.glob("g.sqlite*")) == ["g.sqlite"]


@pytest.mark.parametrize("locale", ["C", "POSIX", "xx_XX.ISO-8859-15"])
def test_names_that_the_locale_cannot_say(
    locale: str, run: Callable[..., Any], portrait: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "Zoë 王.jpg"
    shutil.copy(portrait, picture)
    plain = {"LC_ALL": locale, "LANG": locale}
    for command in (("detect", picture), ("enroll", "Zoë 王", picture, "--gallery", "g.sqlite")):
        assert run(*command, env=plain).code == 0
    assert run("people", "list", "--gallery", "g.sqlite", env=plain).code == 0
    document = run("people", "list", "--gallery", "g.sqlite", "--json", env=plain).document()
    assert [person["name"] for person in document["people"]] == ["Zoë 王"]
    assert run("identify", picture, "--gallery", "g.sqlite", "--json", env=plain).document()["pictures"][0][
        "path"
    ]


@pytest.mark.parametrize("year", [-2145916800, 13569465600], ids=["1902", "2400"])
def test_pictures_of_other_centuries(
    year: int, call: Callable[..., Any], people: Path, tmp_path: Path
) -> None:
    """Times before 1970 are negative (ext4 begins in 1901); 32 bits end in 2038, zip in 2107, 64 bits of ns in 2262."""
    folder = tmp_path / "faces"
    shutil.copytree(people / "ada", folder / "ada")
    for path in folder.rglob("*.jpg"):
        os.utime(path, (year, year))
    picture = folder / "ada" / "ada1.jpg"
    if picture.stat().st_mtime != year:
        pytest.skip("this file system has no such times")
    for _ in range(2):
        document = call("identify", picture, "--people", folder, "--json").document()
        assert document["pictures"][0]["faces"][0]["name"] == "ada"
        assert call("facebank", folder, "--gallery", "g.sqlite").code == 0
    assert call("embed", picture, "--out", "v.npz").code == 0
    assert call("prepare", "photos", folder, "--out", "crops").code == 0


NO_LOCKS = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <dlfcn.h>
int flock(int file, int how) { (void)file; (void)how; errno = ENOLCK; return -1; }
static int refused(int file, int command, va_list rest) {
  void *argument = va_arg(rest, void *);
  if (command == F_SETLK || command == F_SETLKW || command == F_GETLK) { errno = ENOLCK; return -1; }
  int (*next)(int, int, ...) = dlsym(RTLD_NEXT, "fcntl");
  return next(file, command, argument);
}
#define ITS_PLACE(name) int name(int file, int command, ...) { \
  va_list rest; va_start(rest, command); int answer = refused(file, command, rest); va_end(rest); return answer; }
ITS_PLACE(fcntl)
ITS_PLACE(fcntl64)
"""


def test_a_file_system_without_locks_is_named(
    run: Callable[..., Any], portrait: Path, tmp_path: Path
) -> None:
    """As some network file systems are: what needs no gallery works, a gallery says what is missing."""
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    (tmp_path / "no_locks.c").write_text(NO_LOCKS)
    build = ["cc", "-shared", "-fPIC", "-o", "no_locks.so", "no_locks.c", "-ldl"]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    without = {"LD_PRELOAD": str(tmp_path / "no_locks.so")}
    assert run("detect", portrait, env=without).code == 0
    assert run("align", portrait, "--out", "crops", env=without).code == 0
    done = run("enroll", "Ann", portrait, "--gallery", "g.sqlite", env=without)
    assert done.code == 3 and "the file system has no locks" in done.err
    lock_alone = "import sys; from multiface.file_lock import opened_alone; assert opened_alone(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", lock_alone, "e"], cwd=tmp_path, env=os.environ | without, check=True
    )

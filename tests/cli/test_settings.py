"""Settings: option > variable > multiface.toml > default; what cannot be meant is refused."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multiface.cli.settings import KINDS, Settings
from multiface.errors import UsageError


def test_each_layer_wins_over_the_next(tmp_path: Path) -> None:
    nothing = Settings({}, tmp_path)
    assert nothing.text("detector", None, "mtcnn") == "mtcnn"
    (tmp_path / "multiface.toml").write_text('detector = "yunet"\nflip = false\nthreads = 3\nrate = 0.5\n')
    file = Settings({}, tmp_path)
    assert file.text("detector", None, "mtcnn") == "yunet"
    variables = Settings(
        {"MULTIFACE_DETECTOR": "yunet_n", "MULTIFACE_FLIP": "Yes", "MULTIFACE_THREADS": "4"}, tmp_path
    )
    assert variables.text("detector", None, "mtcnn") == "yunet_n"
    assert variables.text("detector", "scrfd_500m", "mtcnn") == "scrfd_500m"
    assert (file.optional_flag("flip", None), variables.optional_flag("flip", None)) == (False, True)
    assert variables.optional_flag("flip", False) is False
    assert nothing.optional_flag("flip", None) is None
    assert (file.whole_number("threads", None), variables.whole_number("threads", None)) == (3, 4)
    assert variables.whole_number("threads", 1) == 1
    assert variables.number("rate", None, 0.01) == 0.5
    assert variables.number("rate", 0.25, 0.01) == 0.25
    assert variables.optional_text("people", None) is None


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    assert Settings({"MULTIFACE_DETECTOR": ""}, tmp_path).text("detector", None, "mtcnn") == "mtcnn"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("detector = mtcnn", "is not TOML"),
        ('detectr = "mtcnn"', "unknown setting 'detectr'"),
        ("detector = 5", "a text in quotes"),
        ('flip = "yes"', "true or false"),
        ("threads = 2.5", "a whole number"),
        ("threads = true", "a whole number"),
        ("rate = true", "a number"),
        ('rate = "small"', "a number"),
        ("[multiface]\ndetector = 'mtcnn'", "unknown setting 'multiface'"),
    ],
)
def test_a_bad_file_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "multiface.toml").write_text(text)
    with pytest.raises(UsageError, match=words):
        Settings({}, tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "multiface.toml").write_bytes(b"\xff\xfe\0")
    with pytest.raises(UsageError, match="cannot be read"):
        Settings({}, tmp_path)
    (tmp_path / "multiface.toml").unlink()
    (tmp_path / "multiface.toml").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        Settings({}, tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("FLIP", "maybe"), ("THREADS", "two"), ("THREADS", "2.5"), ("RATE", "1 %"), ("MIN_FACE", "x")],
)
def test_a_bad_variable_is_refused_by_its_name(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"MULTIFACE_{name}={value}: wanted"):
        Settings({f"MULTIFACE_{name}": value}, tmp_path)


def test_every_setting_is_read_from_both(tmp_path: Path) -> None:
    samples = {str: ("x", '"x"'), bool: ("no", "false"), int: ("7", "7"), float: ("0.5", "0.5")}
    (tmp_path / "multiface.toml").write_text(
        "".join(f"{name} = {samples[kind][1]}\n" for name, kind in KINDS.items())
    )
    environment = {f"MULTIFACE_{name.upper()}": samples[kind][0] for name, kind in KINDS.items()}
    empty = tmp_path / "empty"
    empty.mkdir()
    for settings in (Settings({}, tmp_path), Settings(environment, empty)):
        for name, kind in KINDS.items():
            got: object
            if kind is str:
                got = settings.optional_text(name, None)
            elif kind is bool:
                got = settings.optional_flag(name, None)
            elif kind is int:
                got = settings.whole_number(name, None)
            else:
                got = settings.number(name, None, 0.0)
            assert got == {str: "x", bool: False, int: 7, float: 0.5}[kind], name


def test_commands_follow_the_order(call: Callable[..., Any], tmp_path: Path) -> None:
    """`doctor` says what is in use."""
    (tmp_path / "multiface.toml").write_text('threads = 1\ndetector = "mtcnn"\n')
    report = call("doctor", "--json").document()
    assert (report["threads"], report["detector"]) == (1, "yunet_onet")
    report = call("doctor", "--detector", "mtcnn", "--json", env={"MULTIFACE_THREADS": "2"}).document()
    assert (report["threads"], report["detector"]) == (2, "mtcnn")


def test_verify_and_identify_follow_the_rate_setting(
    call: Callable[..., Any], people: Path, tmp_path: Path
) -> None:
    a, b = people / "ada" / "ada1.jpg", people / "ada" / "ada2.jpg"
    (tmp_path / "multiface.toml").write_text("rate = 0.05\n")
    assert call("verify", a, b, "--json").document()["false_match_rate"] == 0.05
    assert call("verify", a, b, "--rate", "0.02", "--json").document()["false_match_rate"] == 0.02
    document = call("identify", a, "--people", people, "--json", env={"MULTIFACE_RATE": "0.1"}).document()
    assert document["pictures"][0]["faces"][0]["rate"] == 0.1


def test_doctor_says_where_each_setting_comes_from(call: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "multiface.toml").write_text('threads = 1\nrate = 0.05\nengine = "cpu"\n')
    made = {"env": {"MULTIFACE_ENGINE": "cpu"}}
    said = call("doctor", "--threads", "2", "--json", "--no-quiet", **made)
    settings = said.document()["settings"]
    assert settings["threads"] == {"value": 2, "from": "--threads"}
    assert settings["rate"] == {"value": 0.05, "from": str(tmp_path / "multiface.toml")}
    assert settings["engine"] == {"value": "cpu", "from": "MULTIFACE_ENGINE"}
    assert "people" not in settings
    for name, entry in settings.items():
        assert f"{name} = {entry['value']} (from {entry['from']})" in said.err


posix = pytest.mark.skipif(os.name == "nt", reason="owners and modes as POSIX has them")


@posix
@pytest.mark.parametrize(
    ("folder", "file", "group"),
    [(0o777, 0o644, None), (0o1777, 0o644, None), (0o755, 0o666, None), (0o775, 0o644, 9)],
)
def test_a_folder_or_file_that_others_may_write_sets_nothing(
    folder: int, file: int, group: int | None, tmp_path: Path
) -> None:
    place = tmp_path / "shared"
    place.mkdir()
    (place / "multiface.toml").write_text('gallery = "all.sqlite"\n')
    assert Settings({}, place).optional_text("gallery", None) == "all.sqlite"
    (place / "multiface.toml").chmod(file)
    place.chmod(folder)
    if group is not None:
        if os.geteuid() != 0:
            pytest.skip("needs root to give a folder to another group")
        os.chown(place, -1, group)
    settings = Settings({"MULTIFACE_PEOPLE": "mine"}, place)
    assert settings.optional_text("gallery", None) is None
    assert settings.optional_text("people", None) == "mine"
    assert settings.passed_over is not None
    assert (
        str(place / "multiface.toml") in settings.passed_over and "written by others" in settings.passed_over
    )


@posix
def test_the_private_group_of_a_user_is_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "multiface.toml").write_text('gallery = "mine.sqlite"\n')
    if tmp_path.stat().st_gid != os.geteuid():
        pytest.skip("this user has no group of the same number")
    (tmp_path / "multiface.toml").chmod(0o664)
    tmp_path.chmod(0o775)
    assert Settings({}, tmp_path).passed_over is None


@posix
@pytest.mark.parametrize("whose", ["folder", "file"])
def test_what_another_user_prepared_is_not_used(whose: str, call: Callable[..., Any], tmp_path: Path) -> None:
    """The gallery goes where the user's own settings say, and one line says why."""
    if os.geteuid() != 0:
        pytest.skip("needs root to give a file to another user")
    place = tmp_path / "theirs"
    place.mkdir()
    (place / "multiface.toml").write_text(f'gallery = "{place}/all.sqlite"\n')
    os.chown(place if whose == "folder" else place / "multiface.toml", 4321, 4321)
    mine = {"XDG_DATA_HOME": str(tmp_path / "data")}
    done = call("people", "list", cwd=place, env=mine)
    assert done.code == 3
    assert f"{place}/all.sqlite" not in done.err and str(tmp_path / "data") in done.err
    (line,) = [line for line in done.err.splitlines() if "multiface.toml" in line]
    assert "belongs to another user" in line
    report = call("doctor", "--json", cwd=place).document()
    assert "belongs to another user" in report["settings_not_used"]
    assert "gallery" not in report["settings"]


@posix
def test_a_pipe_in_the_place_of_the_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "multiface.toml")
    with pytest.raises(UsageError, match="not a regular file"):
        Settings({}, tmp_path)

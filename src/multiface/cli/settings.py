"""Settings: options win over `MULTIFACE_*` variables, these over `multiface.toml` in the working folder, that
over the defaults. This is the only file that reads the environment.

A folder that somebody else can change says nothing: its file could send a gallery to where everybody reads it, or name
other weights. So the file counts only where it and its folder belong to the user (or to root) and nobody else may write
them; one line says so where it does not.
"""

import os
import stat
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from multiface.errors import UsageError
from multiface.regular_file import open_regular

FILE = "multiface.toml"

KINDS: Mapping[str, type] = {
    "detector": str,
    "weights": str,
    "people": str,
    "gallery": str,
    "engine": str,
    "store": str,
    "cache": str,
    "calibration": str,
    "flip": bool,
    "crops": bool,
    "threads": int,
    "rate": float,
    "min_face": float,
    "max_picture": str,
}
"""The settings and what they hold; each is also the name of an option and, in capitals, of a variable."""


class Settings:
    """What the variables and the file say.

    stream_password: of a camera or stream, from its variable alone; None where there is none. passed_over: why the file
    does not count, in words that name it; None where it counts or is not there.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._file = folder / FILE
        values, self.passed_over = _from_file(self._file)
        self.stream_password = environment.get("MULTIFACE_STREAM_PASSWORD") or None
        self._variables = _from_environment(environment)
        self._values = values | self._variables

    @staticmethod
    def here(tell: bool = True) -> "Settings":
        """The settings of this process and its working folder. Raises UsageError.

        tell: say when the file does not count.
        """
        settings = Settings(os.environ, Path.cwd())
        if tell and settings.passed_over is not None:
            _say_once(settings.passed_over)
        return settings

    def origins(self) -> dict[str, tuple[str | bool | float, str]]:
        """The value of each setting that is made, and the variable or file that makes it."""
        return {
            name: (value, _variable(name) if name in self._variables else str(self._file))
            for name, value in sorted(self._values.items())
        }

    def text(self, name: str, option: str | None, default: str) -> str:
        """The option, else the setting, else the default."""
        value = option if option is not None else self._values.get(name, default)
        return str(value)

    def optional_text(self, name: str, option: str | None) -> str | None:
        """The option, else the setting, else None."""
        value = option if option is not None else self._values.get(name)
        return None if value is None else str(value)

    def optional_flag(self, name: str, option: bool | None) -> bool | None:
        """The option, else the setting, else None."""
        value = option if option is not None else self._values.get(name)
        return None if value is None else bool(value)

    def number(self, name: str, option: float | None, default: float) -> float:
        """The option, else the setting, else the default."""
        return float(option if option is not None else self._values.get(name, default))

    def whole_number(self, name: str, option: int | None) -> int | None:
        """The option, else the setting, else None."""
        value = option if option is not None else self._values.get(name)
        return None if value is None else int(value)


def _variable(name: str) -> str:
    return f"MULTIFACE_{name.upper()}"


@cache
def _say_once(text: str) -> None:
    from multiface.cli.console import Speaker

    Speaker(as_json=True).warn(text)


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, kind in KINDS.items():
        variable = _variable(name)
        if environment.get(variable):
            values[name] = _from_text(kind, environment[variable], variable)
    return values


def _from_text(kind: type, text: str, variable: str) -> Any:
    if kind is bool:
        words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        if text.lower() not in words:
            raise UsageError(f"{variable}={text}: wanted yes or no")
        return words[text.lower()]
    try:
        return kind(text)
    except ValueError as error:
        raise UsageError(f"{variable}={text}: wanted a number") from error


def _from_file(path: Path) -> tuple[dict[str, Any], str | None]:
    """What the file sets, and why it does not count."""
    try:
        with open_regular(path) as file:
            for part, status in (("it", os.fstat(file.fileno())), ("its folder", path.parent.stat())):
                if (why := _not_ones_own(status)) is not None:
                    return {}, f"{path}: not used, since {part} {why}; options and MULTIFACE_* variables are"
            text = file.read().decode("utf-8")
    except FileNotFoundError:
        return {}, None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error})", path=path) from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: is not TOML: {error}", path=path) from error
    except RecursionError as error:
        raise UsageError(f"{path}: lists or tables are nested too deeply for settings", path=path) from error
    for name, value in values.items():
        kind = KINDS.get(name)
        if kind is None:
            raise UsageError(
                f"{path}: unknown setting {name!r}; the settings are {', '.join(sorted(KINDS))}", path=path
            )
        fits = isinstance(value, int | float) if kind is float else isinstance(value, kind)
        if not fits or (isinstance(value, bool) and kind is not bool):
            raise UsageError(f"{path}: {name} = {value!r}: wanted {_in_words(kind)}", path=path)
    return values, None


def _not_ones_own(status: os.stat_result) -> str | None:
    """Why this file or folder may be somebody else's word; None where it is the user's own."""
    if not hasattr(os, "geteuid"):
        return None
    if status.st_uid not in (os.geteuid(), 0):
        return "belongs to another user"
    # Many systems give each user a group of the same number, and leave files writable by that group.
    private = status.st_gid == status.st_uid
    if status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and not private):
        return "may be written by others"
    return None


def _in_words(kind: type) -> str:
    return {bool: "true or false", str: "a text in quotes", int: "a whole number", float: "a number"}[kind]

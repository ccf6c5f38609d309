"""Settings: options win over `MULTIFACE_*` variables, these over `multiface.toml` in the working folder, that
over the defaults. This is the only file that reads the environment.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multiface.errors import UsageError
from multiface.regular_file import read_regular_text

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
    "threads": int,
    "rate": float,
    "min_face": float,
    "max_picture": str,
}
"""The settings and what they hold; each is also the name of an option and, in capitals, of a variable."""


class Settings:
    """What the variables and the file say."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._values = _from_file(folder / FILE) | _from_environment(environment)

    @staticmethod
    def here() -> "Settings":
        """The settings of this process and its working folder. Raises UsageError."""
        return Settings(os.environ, Path.cwd())

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


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, kind in KINDS.items():
        variable = f"MULTIFACE_{name.upper()}"
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


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = read_regular_text(path)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: is not TOML: {error}") from error
    for name, value in values.items():
        kind = KINDS.get(name)
        if kind is None:
            raise UsageError(f"{path}: unknown setting {name!r}; the settings are {', '.join(sorted(KINDS))}")
        fits = isinstance(value, int | float) if kind is float else isinstance(value, kind)
        if not fits or (isinstance(value, bool) and kind is not bool):
            raise UsageError(f"{path}: {name} = {value!r}: wanted {_in_words(kind)}")
    return values


def _in_words(kind: type) -> str:
    return {bool: "true or false", str: "a text in quotes", int: "a whole number", float: "a number"}[kind]

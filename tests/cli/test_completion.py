"""Completion in real shells: options, names of weights, detectors and engines; quick, and silent whatever is broken."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).parent / "multiface"
pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command `multiface` is not installed")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The variables of a user with a home of the test and weights of his own called `mine`."""
    store = tmp_path / "store"
    (store / "mine").mkdir(parents=True)
    (store / "mine" / "entry.json").touch()
    (store / "calibrations").mkdir()
    return {
        "PATH": f"{COMMAND.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "MULTIFACE_STORE": str(store),
    }


def said(shell: list[str], home: dict[str, str], typed: str = "") -> list[str]:
    """The lines that a shell prints; nothing may come to its standard error."""
    done = subprocess.run(
        shell, env=home, cwd=home["HOME"], input=typed, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


BASH = """
eval "$(multiface --show-completion)"
complete=$(complete -p multiface | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
while read -r line; do
    read -ra COMP_WORDS <<< "$line"
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    $complete multiface
    echo "$line -> ${COMPREPLY[*]}"
done
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash(home: dict[str, str]) -> None:
    """What bash's own completion function of the command answers; nothing, where bash completes files."""
    wanted = {
        "multiface ide": "identify",
        "multiface identify --gal": "--gallery",
        "multiface identify --weights sface_": "sface_zoo",
        "multiface identify --weights mi": "mine",
        "multiface detect --detector mt": "mtcnn",
        "multiface detect --engine op": "openvino",
        "multiface weights pull scrfd_2": "scrfd_2.5g",
        "multiface identify party": "",
    }
    answers = said(["bash", "--norc", "-c", BASH], home, "\n".join(wanted) + "\n")
    assert answers == [f"{words} -> {value}" for words, value in wanted.items()]


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish(home: dict[str, str]) -> None:
    script = "multiface --show-completion | source; complete -C 'multiface identify --weights sface_'"
    (line,) = said(["fish", "--no-config", "-c", script], home)
    assert line.split("\t") == ["sface_zoo", "Apache-2.0"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
def test_zsh(home: dict[str, str]) -> None:
    script = 'autoload -Uz compinit; compinit -u -D; eval "$(multiface --show-completion)"; print $_comps[multiface]'
    (name,) = said(["zsh", "-f", "-c", script], home)
    assert name == "_multiface_completion"
    asked = home | {
        "_MULTIFACE_COMPLETE": "complete_zsh",
        "_TYPER_COMPLETE_ARGS": "multiface identify --weights sface_",
    }
    assert said([str(COMMAND)], asked) == ['_arguments \'*: :(("sface_zoo":"Apache-2.0"))\'']


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_installed_into_the_home(shell: str, home: dict[str, str]) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    options = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    lines = said([shell, *options, "-c", "multiface --install-completion; true"], home)
    assert lines[0].startswith(f"{shell} completion installed in {home['HOME']}")


@pytest.mark.parametrize("fault", ["settings", "whose settings", "store"])
def test_what_is_broken_is_silent(fault: str, home: dict[str, str], tmp_path: Path) -> None:
    if fault == "settings":
        (tmp_path / "multiface.toml").write_text("nonsense = [")
    elif fault == "whose settings":
        (tmp_path / "multiface.toml").write_text("")
        (tmp_path / "multiface.toml").chmod(0o666)
    else:
        home["MULTIFACE_STORE"] = "/dev/null"
    asked = home | {
        "_MULTIFACE_COMPLETE": "complete_bash",
        "COMP_WORDS": "multiface identify --weights sface_",
        "COMP_CWORD": "3",
    }
    assert said([str(COMMAND)], asked) == ["sface_zoo"]


def test_completing_loads_nothing_heavy(home: dict[str, str]) -> None:
    script = (
        "import sys; sys.argv = ['multiface']\n"
        "from multiface.cli import completions\n"
        "assert completions.embedders('') and completions.detectors('')\n"
        "print(*{name.split('.')[0] for name in sys.modules} & {'numpy', 'onnxruntime', 'PIL', 'httpx', 'torch'})"
    )
    assert said([sys.executable, "-c", script], home) == [""]

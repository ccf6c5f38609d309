"""The command line: which commands there are, and how errors end them.

Exit codes: 0 done, 1 the answer is "no" (verify, doctor), 2 wrong use, 3 bad input, 4 not available, 70 an error of
the program or the machine (see `multiface.__main__`), 130 stopped with Ctrl-C or a signal. With `--json` an error is a
document too: `{"error": {"kind", "message"}}`. Nothing heavy is imported here: a command imports what it needs when it
runs.
"""

import errno
import io
import sys
from typing import Annotated, Protocol, runtime_checkable

import typer

from multiface.cli import (
    album_commands,
    camera_command,
    capture_command,
    demo_command,
    doctor_command,
    evaluate_commands,
    experiment_command,
    gallery_commands,
    prepare_commands,
    recognise_commands,
    search_command,
    serve_commands,
    train_commands,
    video_command,
    weights_commands,
)
from multiface.cli.command_line import stands_there, without
from multiface.cli.console import Speaker
from multiface.cli.help_page import Commands
from multiface.cli.stopping import signals_are_ctrl_c
from multiface.errors import InputError, MultifaceError, NotAvailable
from multiface.version import __version__

MACHINE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
"""What the system refuses whatever the input: no space, memory or handle left, a broken disk."""

app = Commands(
    name="multiface",
    help="Face recognition that states the error behind every number.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(demo_command.demo)
app.command()(recognise_commands.identify)
app.command()(recognise_commands.verify)
app.command()(search_command.search)
app.command()(recognise_commands.detect)
app.command()(recognise_commands.align)
app.command()(recognise_commands.embed)
app.command()(gallery_commands.facebank)
app.command()(gallery_commands.enroll)
app.add_typer(gallery_commands.people, name="people")
app.add_typer(album_commands.album, name="album")
app.command()(capture_command.capture)
app.command()(camera_command.camera)
app.command()(video_command.video)
app.command()(evaluate_commands.evaluate)
app.command()(evaluate_commands.calibrate)
app.add_typer(serve_commands.serve, name="serve")
app.add_typer(prepare_commands.prepare, name="prepare")
app.command()(train_commands.train)
app.command()(experiment_command.experiment)
weights_commands.weights.command("export")(train_commands.export_weights)
app.add_typer(weights_commands.weights, name="weights")
app.command()(doctor_command.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"multiface {__version__}\n")
        raise typer.Exit()


@app.callback()
def common(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_print_version),
    ] = False,
    _debug: Annotated[
        bool,
        typer.Option("--debug", help="Show the traceback of an internal error (exit code 70) at once."),
    ] = False,
) -> None:
    """Face recognition that states the error behind every number."""


def run() -> None:
    """Run the command line. Errors that nobody foresaw are raised: the entry point is `multiface.__main__`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # File names may hold bytes that are no text.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        # With `--json` wrong use is ours to tell, too; without, typer shows it with the command's usage.
        with signals_are_ctrl_c():
            code = app(args=without("--debug"), standalone_mode=not stands_there("--json"))
        sys.exit(code or 0)
    except MultifaceError as error:
        _say(type(error).__name__, str(error))
        sys.exit(exit_code(error))
    except OSError as error:
        # What no command foresaw, but tells of a file: a folder that vanished.
        if error.filename is None or error.errno in MACHINE_ERRORS:
            raise
        _say(type(error).__name__, f"{error.filename}: {error.strerror or error}")
        sys.exit(3)
    except Exception as error:
        if not isinstance(error, _WrongUse):
            raise
        _say("UsageError", error.format_message())
        sys.exit(error.exit_code)


@runtime_checkable
class _WrongUse(Protocol):
    """What typer raises for options and arguments that it cannot read; its class has no public name."""

    exit_code: int

    def format_message(self) -> str:
        """The reason in words."""


def _say(kind: str, message: str) -> None:
    speaker = Speaker(stands_there("--json"))
    speaker.error(message)
    speaker.document({"error": {"kind": kind, "message": message}})


def exit_code(error: MultifaceError) -> int:
    """The exit code that an error ends a command with."""
    if isinstance(error, NotAvailable):
        return 4
    return 3 if isinstance(error, InputError) else 2

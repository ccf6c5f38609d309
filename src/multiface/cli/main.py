"""The command line: which commands there are, and how errors end them.

Exit codes: 0 done, 1 the answer is "no" (verify, doctor), 2 wrong use, 3 bad input, 4 not available, 130
stopped with Ctrl-C. With `--json` an error is a document too: `{"error": {"kind", "message"}}`. Nothing heavy
is imported here: a command imports what it needs when it runs.
"""

import io
import sys
from typing import Annotated

import typer

from multiface.cli import (
    demo_command,
    doctor_command,
    evaluate_commands,
    gallery_commands,
    prepare_commands,
    recognise_commands,
    weights_commands,
)
from multiface.cli.console import Speaker
from multiface.errors import InputError, MultifaceError, NotAvailable
from multiface.version import __version__

app = typer.Typer(
    name="multiface",
    help="Face recognition that states the error behind every number.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(demo_command.demo)
app.command()(recognise_commands.identify)
app.command()(recognise_commands.verify)
app.command()(recognise_commands.detect)
app.command()(recognise_commands.align)
app.command()(recognise_commands.embed)
app.command()(gallery_commands.facebank)
app.command()(gallery_commands.enroll)
app.add_typer(gallery_commands.people, name="people")
app.command()(evaluate_commands.evaluate)
app.command()(evaluate_commands.calibrate)
app.add_typer(prepare_commands.prepare, name="prepare")
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
) -> None:
    """Face recognition that states the error behind every number."""


def run() -> None:
    """Entry point of the command `multiface`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # File names may hold bytes that are no text.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except MultifaceError as error:
        _say(type(error).__name__, str(error))
        sys.exit(exit_code(error))
    except OSError as error:
        # What no command foresaw: a full disk, a folder that vanished.
        _say(type(error).__name__, f"{error.filename or 'the system'}: {error.strerror or error}")
        sys.exit(3)


def _say(kind: str, message: str) -> None:
    speaker = Speaker(as_json="--json" in sys.argv)
    speaker.note(f"error: {message}")
    speaker.document({"error": {"kind": kind, "message": message}})


def exit_code(error: MultifaceError) -> int:
    """The exit code that an error ends a command with."""
    if isinstance(error, NotAvailable):
        return 4
    return 3 if isinstance(error, InputError) else 2

"""The command line: which commands there are, and how errors end them.

Exit codes: 0 done, 1 the answer is "no" (verify, doctor), 2 wrong use, 3 bad input, 4 not available, 130 stopped with
Ctrl-C. Nothing heavy is imported here: a command imports what it needs when it runs.
"""

import os
import sys
from typing import Annotated

import typer

from multiface.cli import (
    demo_command,
    doctor_command,
    evaluate_commands,
    gallery_commands,
    recognise_commands,
    weights_commands,
)
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
app.add_typer(weights_commands.weights, name="weights")
app.command()(doctor_command.doctor)


@app.callback()
def common(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    """Face recognition that states the error behind every number."""
    if version:
        sys.stdout.write(f"multiface {__version__}\n")
        raise typer.Exit()


def run() -> None:
    """Entry point of the command `multiface`."""
    try:
        app()
    except MultifaceError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(130)
    except BrokenPipeError:
        # The reader went away; point stdout elsewhere so that Python does not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def exit_code(error: MultifaceError) -> int:
    """The exit code that an error ends a command with."""
    if isinstance(error, NotAvailable):
        return 4
    return 3 if isinstance(error, InputError) else 2

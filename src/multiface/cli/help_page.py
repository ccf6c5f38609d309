"""What `--help` shows: usage, words, and panels of arguments, options and commands.

Typer's own help loads a Markdown parser and a highlighter of source code that nothing here uses; they take a third of
the time of `multiface --help`. Nothing in a help text is markup; what stands in backticks is highlighted.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

if TYPE_CHECKING:
    from rich.panel import Panel
    from rich.text import Text

Row = tuple[str, str]


class Commands(typer.Typer):
    """A group of commands whose help is shown by this file."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(cls=_Group, no_args_is_help=True, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        """As `typer.Typer.command`."""
        return super().command(name, cls=_Command, **settings)


class _Command(TyperCommand):
    def format_help(self, ctx: Any, _formatter: Any) -> None:
        _show(self, ctx, [])


class _Group(TyperGroup):
    def format_help(self, ctx: Any, _formatter: Any) -> None:
        commands = [self.get_command(ctx, name) for name in self.list_commands(ctx)]
        _show(
            self,
            ctx,
            [(str(one.name), _first_paragraph(one.help or "")) for one in commands if one and not one.hidden],
        )


def _show(command: TyperCommand | TyperGroup, ctx: Any, commands: Iterable[Row]) -> None:
    from rich.console import Console
    from rich.padding import Padding

    console = Console(highlight=False)
    console.print(Padding(_words(command.get_usage(ctx).strip(), "bold"), 1))
    if command.help:
        console.print(Padding(_words(inspect.cleandoc(command.help)), (0, 1, 1, 1)))
    arguments, options = list[Row](), list[Row]()
    for one in command.get_params(ctx):
        if (record := one.get_help_record(ctx)) is not None:
            (arguments if isinstance(one, TyperArgument) else options).append(record)
    for title, rows in (("Arguments", arguments), ("Options", options), ("Commands", commands)):
        if rows:
            console.print(_panel(title, rows))


def _panel(title: str, rows: Iterable[Row]) -> "Panel":
    from rich.panel import Panel
    from rich.table import Table

    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(style="bold cyan", max_width=36)
    table.add_column(ratio=1)
    for name, words in rows:
        table.add_row(name, _words(words))
    return Panel(table, title=title, title_align="left", border_style="dim")


def _words(text: str, style: str = "") -> "Text":
    from rich.text import Text

    words = Text(text, style)
    words.highlight_regex("`[^`]+`", "cyan")
    return words


def _first_paragraph(text: str) -> str:
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())

"""``zsfiji list``, ``zsfiji help`` and ``zsfiji doctor``: what can be known without an image."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from zsfiji.cli.status import OK, USER_ERROR
from zsfiji.commands import Parameter, example_line, find, table


def print_commands() -> None:
    """Print the label and the summary of each command."""
    rows = Table("command", "what it does", box=None, header_style="bold")
    for command in table().values():
        rows.add_row(command.label, command.summary)
    Console(highlight=False).print(rows)


def print_help(label: str) -> None:
    """Print what a command does, its options, and how it is called.

    Raises
    ------
    UserError
        If there is no such command.
    """
    command = find(label)
    console = Console(highlight=False)
    console.print(command.label, style="bold", markup=False)
    for paragraph in (command.summary, *command.description.split("\n\n")):
        console.print(" ".join(paragraph.split()) + "\n", markup=False)
    rows = Table("option", "values", "default", "meaning", header_style="bold")
    for parameter in command.parameters:
        default = parameter.text(parameter.default) or "none"
        if parameter.needed:
            default = f"needed without {parameter.unless}" if parameter.unless else "needed"
        meaning = f"{parameter.label}:\n{parameter.help}"
        rows.add_row(parameter.key, values(parameter), default, meaning)
    console.print(rows)
    short = command.label.rstrip(".")
    console.print("\nIn a macro, with the defaults:", markup=False)
    console.print(f"  {example_line(command)}", markup=False, soft_wrap=True)
    words = ["image.tif"] if command.takes_image else []
    words += [f"{p.key}={p.key}" for p in command.parameters if p.needed]
    console.print(f'In a shell:\n  zsfiji run "{short}" {" ".join(words)}', markup=False)
    arguments = ["image"] if command.takes_image else []
    arguments += [f"{p.key}={p.key}" for p in command.parameters if p.needed]
    console.print(f"In Python:\n  zsfiji.{command.name}({', '.join(arguments)})", markup=False)


def values(parameter: Parameter) -> str:
    """What a parameter can be, in short: "quick | best", "0 to 4 px", "file"."""
    if parameter.kind == "choice":
        return " | ".join(parameter.choices)
    if parameter.kind in ("integer", "number"):
        low, high = (parameter.text(bound) for bound in (parameter.minimum, parameter.maximum))
        if low and high:
            text = f"{low} to {high}"
        elif low or high:
            text = f"at least {low}" if low else f"at most {high}"
        else:
            text = "whole number" if parameter.kind == "integer" else "number"
        return f"{text} {parameter.unit}".strip()
    nouns = {
        "boolean": "true | false",
        "open": "file",
        "save": "file",
        "folder": "folder",
        "image": "image or file",
    }
    return nouns.get(parameter.kind, "text")


def print_report(fiji: str | None) -> int:
    """Print what works here and what to do about the rest.

    Parameters
    ----------
    fiji : str or None
        See :func:`zsfiji.bridge.start.host.start`.

    Returns
    -------
    int
        Exit status: 0 if all that is needed works.
    """
    from zsfiji.bridge.start import doctor

    console = Console(highlight=False)
    with Console(stderr=True).status("Looking at Java, ImageJ, torch and the computer"):
        checks = doctor.report(fiji)
    styles = {True: ("ok", "green"), None: ("-", "dim"), False: ("BAD", "bold red")}
    rows = Table(box=None, show_header=False)
    for check in checks:
        mark, style = styles[check.ok]
        rows.add_row(f"[{style}]{mark}[/]", escape(check.name), escape(check.found))
        if check.remedy:
            rows.add_row("", "", f"[yellow]-> {escape(check.remedy)}[/]")
    console.print(rows)
    return USER_ERROR if any(check.ok is False for check in checks) else OK

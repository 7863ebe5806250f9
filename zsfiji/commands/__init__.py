"""The command table: every module of this package without an underscore declares commands."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from zsfiji.commands._declare import Command, Parameter
from zsfiji.commands._options import example_line, format_options, macro_line, parse
from zsfiji.errors import UserError

__all__ = [
    "Command",
    "Parameter",
    "example_line",
    "find",
    "format_options",
    "macro_line",
    "parse",
    "table",
]


@cache
def table() -> dict[str, Command]:
    """Every command, label -> declaration, in the order of the menu.

    Returns
    -------
    dict
        Neither torch nor Java is loaded by asking.
    """
    found: dict[str, Command] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        if module.name.startswith("_"):
            continue
        for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            declared = getattr(value, "command", None)
            if isinstance(declared, Command):
                found[declared.label] = declared
    return found


def find(label: str) -> Command:
    """The command of a menu label or of a Python name.

    Parameters
    ----------
    label : str
        "FM2S Denoise...", also without the dots or in other case, or "fm2s".

    Raises
    ------
    UserError
        If there is none; the text lists those there are.
    """
    wanted = label.strip().rstrip(".").lower()
    for command in table().values():
        if wanted in (command.label.rstrip(".").lower(), command.name):
            return command
    raise UserError(f'There is no command "{label}". The commands are: {"; ".join(table())}')

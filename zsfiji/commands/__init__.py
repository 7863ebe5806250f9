"""The table of commands, and what everybody reads off it; see :mod:`zsfiji.commands.declared`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from zsfiji.commands import declared
from zsfiji.commands.command import Command
from zsfiji.commands.declare import PublicFunction
from zsfiji.commands.options import example_line, format_options, macro_line, parse
from zsfiji.errors import UserError
from zsfiji.parameters.declare import Parameter

__all__ = [
    "Command",
    "Parameter",
    "example_line",
    "find",
    "format_options",
    "function",
    "macro_line",
    "parse",
    "table",
]


@cache
def _functions() -> dict[str, PublicFunction]:
    """The Python calls of all commands by name, in the order of the menu."""
    found: dict[str, PublicFunction] = {}
    there = sorted(module.name for module in pkgutil.iter_modules(declared.__path__))
    for name in sorted(there, key=lambda n: [*declared.MENU, *there].index(n)):
        for value in vars(importlib.import_module(f"{declared.__name__}.{name}")).values():
            command = getattr(value, "command", None)
            if isinstance(command, Command):
                found[command.name] = value
    return found


def function(name: str) -> PublicFunction:
    """The Python call of a command, by its name, as "fm2s"."""
    return _functions()[name]


@cache
def table() -> dict[str, Command]:
    """Every command, label -> declaration, in the order of the menu.

    Returns
    -------
    dict
        Neither torch nor Java is loaded by asking.
    """
    return {call.command.label: call.command for call in _functions().values()}


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

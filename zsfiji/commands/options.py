r"""The options of a macro line: ``quality=quick seed=3 save_model=[my models/a.zsfiji]``.

Grammar::

    options = { blank } [ option { blank { blank } option } ] { blank }
    option  = key [ "=" value ]
    value   = "[" text with balanced brackets "]"
            | '"' text with \\" and \\\\ escaped '"'
            | text without blanks

A bare key is true. ImageJ's own parser looks for a key anywhere in the line, even inside the
value of another one. That is why zsfiji has its own parser. ImageJ can still read what zsfiji
writes.
"""

from __future__ import annotations

import re

from zsfiji.commands.command import Command
from zsfiji.errors import UserError
from zsfiji.parameters.declare import Value, Values

_KEY = re.compile(r"[^\s=\[\]\"]+")


def parse(text: str) -> dict[str, str | bool]:
    """Read an option string.

    Parameters
    ----------
    text : str
        The second argument of ``run``.

    Returns
    -------
    dict
        Key (lower-case) -> text, or True for a bare key.

    Raises
    ------
    UserError
        If the text does not follow the grammar, or names a key twice.
    """
    found: dict[str, str | bool] = {}
    position = 0
    while True:
        while position < len(text) and text[position].isspace():
            position += 1
        if position == len(text):
            return found
        match = _KEY.match(text, position)
        if match is None:
            raise UserError(f'An option name is expected at "{text[position:][:20]}".')
        key = match.group().lower()
        position = match.end()
        value: str | bool = True
        if position < len(text) and text[position] == "=":
            value, position = _value(text, position + 1, key)
        if position < len(text) and not text[position].isspace():
            raise UserError(
                f'A blank is missing behind the option "{key}", at "{text[position:][:20]}".'
            )
        if key in found:
            raise UserError(f'The option "{key}" is given twice.')
        found[key] = value


def _value(text: str, start: int, key: str) -> tuple[str, int]:
    opening = text[start : start + 1]
    if opening == "[":
        depth = 0
        for position in range(start, len(text)):
            depth += {"[": 1, "]": -1}.get(text[position], 0)
            if depth == 0:
                return text[start + 1 : position], position + 1
        raise UserError(f'The bracket behind "{key}=" is not closed.')
    if opening == '"':
        match = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL).match(text, start)
        if match is None:
            raise UserError(f'The quotation mark behind "{key}=" is not closed.')
        return re.sub(r"\\(.)", r"\1", match.group(1), flags=re.DOTALL), match.end()
    position = start
    while position < len(text) and not text[position].isspace():
        position += 1
    return text[start:position], position


def _written(value: str) -> str:
    if value and not re.search(r"[\s\[\]\"]", value):
        return value
    depth = 0
    for character in value:
        depth += {"[": 1, "]": -1}.get(character, 0)
        if depth < 0:
            break
    if depth == 0:
        return f"[{value}]"
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def format_options(command: Command, values: Values) -> str:
    """Write the option string that :func:`parse` and ImageJ's own parser read back.

    Parameters
    ----------
    command : Command
        The command.
    values : mapping
        Key -> value, as :meth:`Command.validate` gives them.

    Returns
    -------
    str
        Every parameter of the first dialog, so that a line means the same after a default has
        changed, and of the advanced ones those that are not at their default. What is not given
        is left out, and so is a further result that comes only where it is wanted, and is not.
    """
    parts = []
    for parameter in command.parameters:
        value = values.get(parameter.key, parameter.default)
        if value is None or (parameter.advanced and value == parameter.default):
            continue
        # One that comes by default has to be refused in words.
        if parameter.key in command.on_request and not (value or parameter.default):
            continue
        parts.append(f"{parameter.key}={_written(parameter.text(value))}")
    return " ".join(parts)


def example_line(command: Command) -> str:
    """The macro line with the defaults, and with made-up names where a file or image is needed."""
    needed: dict[str, Value] = {
        p.key: f"{p.key}.tif" if p.kind == "image" else f"{p.key}.zsfiji"
        for p in command.parameters
        if p.needed
    }
    return macro_line(command, {**command.defaults, **needed})


def macro_line(command: Command, values: Values) -> str:
    """The line ``run("...", "...");`` that does the same again, without a line end."""

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    return f"run({quoted(command.label)}, {quoted(format_options(command, values))});"

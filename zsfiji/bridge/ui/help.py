"""Help pages in ImageJ's window, written from the declarations of the commands."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from zsfiji.bridge.ui.messages import name_of
from zsfiji.commands import Command, Parameter, example_line

HELP, DOCTOR, ABOUT = "Zero-Shot Help...", "Zero-Shot Doctor...", "About zsfiji..."
"""Menu entries that tell something."""

_WIDTH = 460
"""Pixels a line of HTML, about 70 characters."""

_HIDDEN_LIMIT = 1e6
"""A larger upper bound is there to catch slips; it is no range to tell a user."""


def bounds(parameter: Parameter) -> str:
    """The range of a number in words, as "0 to 4"; empty where it is none that a user meets."""
    low, high = parameter.minimum, parameter.maximum
    if high is not None and high > _HIDDEN_LIMIT:
        high = None
    if low is not None and high is not None:
        return f"{parameter.text(low)} to {parameter.text(high)}"
    if low is not None:
        return f"at least {parameter.text(low)}"
    return f"at most {parameter.text(high)}" if high is not None else ""


def command_help(command: Command) -> str:
    """A page about one command, for Java's HTML of 1997.

    Parameters
    ----------
    command : Command
        The command.

    Returns
    -------
    str
        From ``<html>`` on.
    """
    return f"<html><body width={_WIDTH}>{_section(command)}{_habits()}</body></html>"


def explanation(command: Command) -> str:
    """What a command does, for a dialog of SciJava, whose messages are HTML."""
    paragraphs = command.description.split("\n\n")
    text = "".join(f"<p>{escape(' '.join(p.split()))}</p>" for p in paragraphs if p.strip())
    return f"<html><body width={_WIDTH}><b>{escape(command.summary)}</b>{text}</body></html>"


def paragraphs(texts: Iterable[str]) -> str:
    """Plain texts as HTML for a dialog of SciJava, one paragraph each; empty ones are left out."""
    inner = "".join(f"<p>{escape(' '.join(text.split()))}</p>" for text in texts if text)
    return f"<html><body width={_WIDTH}>{inner}</body></html>"


def about(version: str) -> str:
    """What zsfiji is, for a small window."""
    return f"zsfiji {version}\nZero-shot microscopy restoration inside ImageJ and Fiji"


def overview(commands: Iterable[Command], *, extensions: bool = True) -> str:
    """A page about all commands.

    Parameters
    ----------
    commands : iterable of Command
        The commands.
    extensions : bool
        Whether macros have ``Ext`` functions here.

    Returns
    -------
    str
        From ``<html>`` on.
    """
    listed = list(commands)
    sections = "<hr>".join(_section(command) for command in listed)
    return (
        f"<html><body width={_WIDTH}>{_habits()}{_extensions(listed) if extensions else ''}<hr>"
        f"{sections}</body></html>"
    )


def _extensions(commands: list[Command]) -> str:
    calls = ", ".join(f"<code>Ext.{escape(c.name)}(options)</code>" for c in commands)
    return (
        '<h3>Functions for macros</h3><p>After <code>run("Zero-Shot Extensions");</code> a macro '
        f"has {calls}, which do the same as <code>run</code>, and about the last result "
        "<code>Ext.metric(name, value)</code>, which sets the variable <code>value</code> to one "
        "of its numbers, and <code>Ext.note(text)</code>, which sets <code>text</code> to what "
        "was said about it.</p>"
    )


def _section(command: Command) -> str:
    paragraphs = [command.summary, *command.description.split("\n\n")]
    text = "".join(f"<p>{escape(p)}</p>" for p in paragraphs if p.strip())
    rows = "".join(f"<p>{_parameter(p)}</p>" for p in command.parameters)
    line = escape(example_line(command))
    return (
        f"<h2>{escape(name_of(command.label))}</h2>{text}<h3>Options</h3>{rows}"
        f"<h3>In a macro</h3><p><code>{line}</code></p>"
        "<p>Options that are left out have their defaults.</p>"
    )


def _parameter(parameter: Parameter) -> str:
    facts = [f"in macros <code>{escape(parameter.key)}</code>"]
    if parameter.choices:
        facts.append(escape(", ".join(parameter.choices)))
    if bounds(parameter):
        facts.append(f"{bounds(parameter)} {escape(parameter.unit)}".strip())
    if parameter.default is not None:
        facts.append(f"default: {escape(parameter.text(parameter.default))}")
    if parameter.needed:
        facts.append(f"needed without {parameter.unless}" if parameter.unless else "needed")
    if parameter.advanced:
        facts.append("under Advanced")
    return f"<b>{escape(parameter.label)}</b> ({'; '.join(facts)})<br>{escape(parameter.help)}"


def _habits() -> str:
    return (
        "<h3>While it works</h3><p>ImageJ stays usable. <b>Esc</b> cancels; <b>Finish now</b> in "
        "the small window ends the training and keeps the best result so far; closing that window "
        "hides it. The image may be closed: its pixels were copied. A rectangular selection means "
        "that only this region is processed.</p><p>The result is a new image, and the macro line "
        "that makes it again is in its properties (Image &gt; Show Info...).</p>"
    )

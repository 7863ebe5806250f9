"""Writing into ImageJ's macro recorder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from zsfiji.bridge.start.classes import jc
from zsfiji.commands import Command, format_options, macro_line, parse


def record(command: Command, values: Mapping[str, Any]) -> None:
    """Write the line that does the same again, in the language that the recorder is set to.

    To be called from a thread that ``IJ.run`` has not used, and before a result is shown: the
    recorder would write down first that the result was selected.

    Parameters
    ----------
    command : Command
        The command.
    values : mapping
        Key -> value, as :meth:`Command.validate` gives them.
    """
    if not jc.IJ.recording():
        return
    options = parse(format_options(command, values))
    if any(set(str(value)) & set('[]"\\') for value in options.values()):
        # The recorder puts brackets around blanks, and has no other quotes.
        jc.Recorder.recordString(macro_line(command, values) + "\n")
        return
    jc.Recorder.setCommand(command.label)
    for key, value in options.items():
        jc.Recorder.recordOption(key, str(value))
    jc.Recorder.saveCommand()


@contextmanager
def no_selection(command: Command) -> Iterator[None]:
    """Keep the recorder from writing down that a new window was selected: `command` implies it."""
    if not jc.IJ.recording() or jc.Recorder.getCommand() is not None:
        yield
        return
    jc.Recorder.setCommand(command.label)
    try:
        yield
    finally:
        jc.Recorder.disableCommandRecording()

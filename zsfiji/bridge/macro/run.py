"""Whole macros, run to their end in the thread that calls."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zsfiji import signals
from zsfiji.bridge.macro.interpreter import end, private_field
from zsfiji.bridge.macro.state import of_this_thread
from zsfiji.bridge.start.classes import jc
from zsfiji.bridge.start.host import Host
from zsfiji.errors import Cancelled, UserError

_PROXIES = "org.jpype.proxy."
"""How the names of the Java classes begin with which JPype calls Python."""

_AGAIN_AFTER = 0.1
"""Seconds after which a macro that has not stopped is told again. Chosen by eye."""

_STOPPED = (
    "a command has stopped it. Without windows that is so where it would ask for something, such "
    "as a folder: give it as the argument of the macro."
)


def run_macro(host: Host, macro: str | Path, argument: str = "") -> str:
    """Run a macro in this thread, to its end.

    Parameters
    ----------
    host : Host
        The running ImageJ, with our menu installed. Without windows the macro is in batch mode.
    macro : str or Path
        The macro's text, or the path of its file.
    argument : str
        What ``getArgument()`` gives in it.

    Returns
    -------
    str
        What the macro returns, empty when nothing.

    Raises
    ------
    UserError
        If the file cannot be read, the macro has an error, or a command of ours refuses
        something in it.
    Cancelled
        If a job in it was cancelled, or a signal has stopped the macro.
    Exception
        What else one of our commands has raised, which is a bug in zsfiji.
    """
    import jpype

    name = macro.name if isinstance(macro, Path) else "the macro"
    text = _text_of(macro) if isinstance(macro, Path) else macro
    # What Java prints does not wait in Python's buffer.
    sys.stdout.flush()
    interpreter = jc.Interpreter()
    here = of_this_thread()
    outer, here.collected = here.collected, []
    here.notes, here.metrics = (), None
    # What ImageJ has reported before is not this macro's.
    jc.IJ.getErrorMessage()
    try:
        value, failure = None, None
        try:
            with _named_as_macro(host), _stoppable(interpreter):
                value = interpreter.run(text, argument)
        except jpype.JException as error:
            failure = error
        if signals.received():
            raise Cancelled
        if here.collected:
            _raise_ours(interpreter, here.collected[0], name)
        _raise_for(interpreter, failure, name)
        return str(value or "")
    finally:
        here.collected = outer


@contextmanager
def _stoppable(interpreter: Any) -> Iterator[None]:
    """Let a signal end a macro, which may be in Java for long."""
    import jpype

    thread = jc.Thread.currentThread()
    ended, guard = threading.Event(), threading.Lock()

    def debug(running: Any, _mode: int) -> int:
        end(running, None)
        return 0

    # The interpreter calls its debugger before each statement. Ended from another thread, in the
    # middle of an expression, it may recurse without end, or run on.
    debugger = jpype.JProxy("ij.macro.Debugger", dict={"debug": debug})

    def stop_once() -> None:
        # A macro that another one has called has an interpreter of its own.
        for running in (interpreter, jc.Interpreter.getInstance()):
            if running is not None:
                running.setDebugger(debugger)
        # A wait and a filter end when they see this. One of our jobs, back in Python, would fail.
        frames = thread.getStackTrace()
        with guard:
            in_python = any(str(f.getClassName()).startswith(_PROXIES) for f in frames)
            if not (ended.is_set() or in_python):
                thread.interrupt()

    def stop() -> None:
        # A called macro may be about to begin.
        while not ended.is_set():
            stop_once()
            ended.wait(_AGAIN_AFTER)

    with signals.gently(lambda: threading.Thread(target=stop, daemon=True).start()):
        try:
            yield
        finally:
            with guard:
                ended.set()
            jc.Thread.interrupted()


@contextmanager
def _named_as_macro(host: Host) -> Iterator[None]:
    """Make ImageJ's own commands end the macro with an error, which depends on the thread's name.

    Only without windows: with them, ImageJ may kill a thread of that name when Esc is pressed.
    """
    thread = jc.Thread.currentThread()
    name = str(thread.getName())
    if host.headless:
        thread.setName("Run$_Macro$")
    try:
        yield
    finally:
        # ImageJ marks a thread once, and would not do so again.
        thread.setName(name if name.startswith("Run$_") else f"Run$_{name}")


def _text_of(path: Path) -> str:
    try:
        # Windows' Notepad may put a byte order mark before the text.
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"The macro {path} cannot be read: {reason}.") from error


def _raise_ours(interpreter: Any, error: BaseException, name: str) -> None:
    """Raise what one of our commands has ended a macro with, and say where."""
    if isinstance(error, UserError):
        raise UserError(f"{name}, line {int(interpreter.getLineNumber())}: {error}") from error
    raise error


def _raise_for(interpreter: Any, failure: Any, name: str) -> None:
    """Raise what a macro has ended with, if that was an error of its own or of ImageJ."""
    message = interpreter.getErrorMessage()
    line = int(private_field(interpreter, "lineNumber"))
    where = f"{name}, line {line}" if line else name
    if message is not None:
        raise UserError(f"{where}: {message}")
    if failure is None:
        return
    if str(failure.getMessage()) != str(jc.Macro.MACRO_CANCELED):
        raise UserError(f"{where}: {failure}") from failure
    if any(str(frame.getMethodName()) == "exit" for frame in failure.getStackTrace()):
        if _exit_had_message(interpreter):
            raise UserError(f"{name} has ended itself with the message above.")
        return
    reason = jc.IJ.getErrorMessage()
    raise UserError(f"{where}: {reason or _STOPPED}")


def _exit_had_message(interpreter: Any) -> bool:
    """Whether a macro was left by ``exit("...")``, and not by ``exit`` or ``exit()``."""
    place = int(private_field(interpreter, "pc"))
    code = private_field(private_field(interpreter, "pgm"), "code")
    closing, opening = (int(code[place - back]) & 0xFF for back in (0, 1))
    return closing == ord(")") and opening != ord("(")

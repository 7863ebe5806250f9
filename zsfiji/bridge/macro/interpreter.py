"""ImageJ's macro interpreter: which one runs, and how it is ended with an error."""

from __future__ import annotations

import threading
from typing import Any

from zsfiji.bridge.macro.state import of_this_thread
from zsfiji.bridge.start.classes import jc
from zsfiji.bridge.ui import messages
from zsfiji.errors import Cancelled, UserError


def interpreter_of_this_thread() -> Any:
    """The macro interpreter that this thread works for, or None."""
    # ImageJ knows only the one that was started last, which may be at work in another thread.
    for frame in jc.Thread.currentThread().getStackTrace():
        if str(frame.getClassName()) == "ij.macro.Interpreter":
            return jc.Interpreter.getInstance()
    return None


def private_field(owner: Any, name: str) -> Any:
    """A field of a Java object that is not public."""
    field = owner.getClass().getDeclaredField(name)
    field.setAccessible(True)
    return field.get(owner)


def end(interpreter: Any, notice: str | None) -> None:
    """End a macro, as an error in it does."""
    import jpype

    try:
        interpreter.abort(messages.wrapped(notice) if notice else None)
    except jpype.JException:
        # How ImageJ leaves a macro. It would only leave our one-line macro from here; the outer
        # one is marked as done already.
        return


def fail(name: str, error: BaseException, interpreter: Any) -> None:
    """Tell what went wrong, and stop the macro."""
    notice: str | None = None
    collected = of_this_thread().collected
    if collected is not None:
        collected.append(UserError(_said(name, error)) if isinstance(error, UserError) else error)
    elif isinstance(error, UserError):
        notice = _said(name, error)
    elif isinstance(error, Cancelled):
        pass
    else:
        messages.show_bug(name, error)
    if interpreter is not None:
        end(interpreter, notice)
        return
    if notice is not None and isinstance(error, UserError):
        messages.show_error(name, str(error))
    # From here it would only raise an exception into the one-line macro. From a thread that runs
    # no macro it is left as a mark, and ends the call that waits for us.
    aborting = threading.Thread(target=jc.Macro.abort)
    aborting.start()
    aborting.join()


def _said(name: str, error: UserError) -> str:
    text = str(error)
    return text if text.startswith(name) else f"{name}: {text}"

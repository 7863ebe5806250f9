"""What the bridge tells the user: errors, bugs in zsfiji, notes."""

from __future__ import annotations

import sys
import textwrap
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

from zsfiji.bridge.start.classes import jc

_COLUMNS = 72
"""Characters a line of a message: a window half as wide as a small screen."""


def has_windows() -> bool:
    """Whether this thread may open a window: ImageJ has some, and it runs no batch mode macro."""
    if jc.IJ.getInstance() is None:
        return False
    # Batch mode is one for all; a click while such a macro runs elsewhere is a click all the same.
    return not (is_call() and jc.Interpreter.isBatchMode())


def is_call() -> bool:
    """Whether this thread is in ``IJ.run``, from a macro or a plugin, and not in a click."""
    return str(jc.Thread.currentThread().getName()).startswith("Run$_")


def name_of(label: str) -> str:
    """The name of a command in a sentence: its label without the dots."""
    return label.rstrip(".")


def show_error(title: str, text: str) -> None:
    """Tell the user what to correct: in a window, or on standard error where there is none."""
    if has_windows():
        # Not IJ.error, which would also stop whatever macro runs elsewhere.
        jc.IJ.showMessage(title, wrapped(text))
    else:
        print(f"{title}: {text}", file=sys.stderr, flush=True)


def show_bug(title: str, error: BaseException) -> str:
    """Tell that zsfiji itself has failed, with the traceback in the Log window.

    Returns
    -------
    str
        The short notice.
    """
    log("".join(traceback.format_exception(error)).rstrip())
    reason = str(error).partition("\n")[0] or type(error).__name__
    notice = (
        f"{title} failed, because of a bug in zsfiji: {reason} "
        "Your image is unchanged. Please report the text of the Log window."
    )
    show_error(title, notice)
    return notice


def log(text: str) -> None:
    """Write to the Log window; to standard error where ImageJ has no windows.

    Standard output belongs to what a macro prints.
    """
    if jc.IJ.getInstance() is None:
        print(text, file=sys.stderr, flush=True)
    else:
        jc.IJ.log(text)


def wrapped(text: str, columns: int = _COLUMNS) -> str:
    """`text` with line ends, for ImageJ's dialogs, which have none of their own."""
    return "\n".join(textwrap.fill(line, columns) for line in text.splitlines())


def guarded(title: str, default: Any = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let no Python exception out of a function that Java calls.

    Java would see an exception without a message, and the thread would die without a word.

    Parameters
    ----------
    title : str
        Title of the notice.
    default : object
        What Java gets instead.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def called(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except Exception as error:
                show_bug(title, error)
                return default

        return called

    return decorate

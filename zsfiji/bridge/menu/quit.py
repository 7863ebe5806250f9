"""Quitting ImageJ while jobs run."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from zsfiji.bridge.start.classes import jc
from zsfiji.bridge.ui import jobs, messages, texts

_asking = threading.Lock()


def stop_or_ask(name: Any) -> Any:
    """Answer ImageJ's question whether it may quit, while jobs run.

    A macro that quits stops the jobs; a user is asked first.

    Parameters
    ----------
    name : java.lang.String
        The command, "Quit".

    Returns
    -------
    java.lang.String or None
        The name to let ImageJ quit now, None to wait for the user's answer.
    """
    if messages.is_call():
        jobs.stop_all()
        return name

    def ask() -> None:
        try:
            leave = _confirmed(jobs.running())
        finally:
            _asking.release()
        if leave:
            jc.IJ.showStatus(texts.STOPPING)
            jobs.stop_all()
            jc.IJ.doCommand("Quit")

    # Where Quit is chosen again, the question is on the screen already.
    if _asking.acquire(blocking=False):
        jobs.in_thread(ask, "Quit")
    return None


def _confirmed(names: Sequence[str]) -> bool:
    question = jc.GenericDialog("Quit ImageJ")
    question.addMessage(what_is_lost(names))
    # Return, Esc and closing the window must all be harmless; of three buttons only "no" is not
    # behind any of them.
    question.enableYesNoCancel(texts.KEEP_WORKING, texts.QUIT)
    question.hideCancelButton()
    question.showDialog()
    return not (question.wasOKed() or question.wasCanceled())


def what_is_lost(names: Sequence[str]) -> str:
    """The question before ImageJ is quit, in words.

    Parameters
    ----------
    names : sequence of str
        The jobs at work; see :func:`zsfiji.bridge.ui.jobs.running`.
    """
    return texts.STILL_AT_WORK.format(jobs="".join(f"\n    {name}" for name in names))

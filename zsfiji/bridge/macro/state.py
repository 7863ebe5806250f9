"""What belongs to the macro that runs in a thread: the noted call and the last result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zsfiji.bridge.start.classes import jc
from zsfiji.commands import Command
from zsfiji.commands.outcome import Outcome
from zsfiji.errors import UserError


@dataclass
class Call:
    """A ``run`` of one of our commands, noted by the listener."""

    command: Command
    options: str | None
    image: Any
    interpreter: Any


@dataclass
class ThreadState:
    """What belongs to the macro that runs in a thread.

    Attributes
    ----------
    call : Call or None
        The call that the listener has noted and that is still to be done.
    notes, metrics : tuple of str, dict or None
        Those of the last result; metrics are None before the first one.
    collected : list or None
        Where problems go while :func:`run_macro` is at work, which raises them itself.
    """

    call: Call | None = None
    notes: tuple[str, ...] = ()
    metrics: dict[str, float] | None = None
    collected: list[BaseException] | None = None


_threads: dict[int, ThreadState] = {}
_MOST_THREADS = 64
"""More macros than anybody runs at the same time; ImageJ does not tell when a thread ends."""


def of_this_thread() -> ThreadState:
    """The state of the thread that calls."""
    # By Java's thread: Python forgets a thread of Java's, and what is local to it, between calls.
    number = int(jc.Thread.currentThread().getId())
    if number not in _threads:
        while len(_threads) >= _MOST_THREADS:
            _threads.pop(next(iter(_threads)), None)
        _threads[number] = ThreadState()
    return _threads[number]


def keep(outcome: Outcome) -> None:
    """Keep what ``Ext.note`` and ``Ext.metric`` tell about a result."""
    # Without the images: it is not known when they can be released.
    here = of_this_thread()
    here.notes, here.metrics = outcome.notes, outcome.metrics


def last_result() -> ThreadState:
    """The state of this thread, with notes and metrics of its last result.

    Raises
    ------
    UserError
        If there is no result yet.
    """
    here = of_this_thread()
    if here.metrics is None:
        raise UserError("There is no result of a Zero-Shot command in this macro yet.")
    return here

"""A job in Fiji's task bar, beside the search bar: progress, time left, and a way to cancel."""

from __future__ import annotations

from typing import Any

from zsfiji.bridge.start.classes import jc
from zsfiji.bridge.start.host import Host
from zsfiji.progress import Event

_STEPS = 100
"""Of the bar of a task: percents."""


class Task:
    """A task of SciJava, or nothing at all where ImageJ is without SciJava.

    Parameters
    ----------
    host : Host
        The running ImageJ.
    name : str
        What the user reads.
    """

    def __init__(self, host: Host, name: str) -> None:
        self._task: Any = None
        if host.gateway is None:
            return
        task = host.gateway.get(jc.TaskService.class_).createTask(name)
        # Tasks that somebody else runs came with Fiji's task bar.
        if hasattr(task, "finish"):
            task.setProgressMaximum(_STEPS)
            task.start()
            self._task = task

    def show(self, event: Event) -> None:
        """Show what the job does and how far it is; the task bar itself tells the time left."""
        if self._task is not None:
            self._task.setStatusMessage(event.message)
            self._task.setProgressValue(int(_STEPS * event.fraction))

    def cancelled(self) -> bool:
        """Whether the user has cancelled the job there."""
        return self._task is not None and bool(self._task.isCanceled())

    def end(self) -> None:
        """Take it out of the task bar."""
        if self._task is not None:
            self._task.finish()

"""A job's progress in ImageJ: status bar, progress bar, Esc, task bar, its window's buttons."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

from zsfiji.bridge.start.classes import jc
from zsfiji.bridge.start.host import Host
from zsfiji.bridge.ui.messages import guarded, name_of
from zsfiji.bridge.ui.progress_window import ProgressWindow
from zsfiji.bridge.ui.task_bar import Task
from zsfiji.progress import Event, in_words

_INTERVAL = 0.2
"""Seconds between two updates: numbers can still be read, and drawing costs next to nothing."""

_ESCAPE_STAYS = 0.1
"""Seconds that the Esc flag has to stay set. ImageJ's dialogs set it too, and unset it when Esc
closes them."""

_WINDOW_AFTER = 0.7
"""Seconds after which a job gets a window; one that ends sooner would only make it flash."""

_TICK = 0.5
"""Seconds between two looks at a job: some parts have nothing to report for several seconds, in
which the time left is counted down for them."""

_shown: list[JobProgress] = []
"""The jobs that run, the oldest first; only that one writes to ImageJ's one status bar."""


class JobProgress:
    """The sink of one job, and what the user wants of it.

    Parameters
    ----------
    host : Host
        The running ImageJ.
    label : str
        Label of the command.
    title : str
        Title of the image, empty without one.
    window : bool
        Whether a small window with buttons may open.
    """

    def __init__(self, host: Host, label: str, title: str, *, window: bool) -> None:
        self.name = name_of(label)
        self.title = title
        self._cancel = threading.Event()
        self._finish = threading.Event()
        self._started = time.monotonic()
        self._next = 0.0
        self._escape_seen: float | None = None
        self._may_open = window
        self._window: ProgressWindow | None = None
        self._opening = threading.Lock()
        self._latest: tuple[float, Event] | None = None
        self._timer = self._start_timer() if window else None
        self._heading = heading(label, title)
        self._task = Task(host, self._heading)
        _shown.append(self)

    def cancel(self) -> None:
        """Stop the job and keep nothing."""
        self._cancel.set()

    def finish(self) -> None:
        """End the job with the best result so far."""
        self._finish.set()

    def cancelled(self) -> bool:
        """Whether the user has cancelled, by Esc, by a button or by quitting ImageJ."""
        if not self._cancel.is_set() and (self._escape() or self._task.cancelled()):
            self._cancel.set()
        return self._cancel.is_set()

    def finish_now(self) -> bool:
        """Whether the user wants the best result so far."""
        return self._finish.is_set()

    def show(self, event: Event) -> None:
        """Show `event`, five times a second at most."""
        now = time.monotonic()
        self._latest = now, event
        if now < self._next:
            return
        self._next = now + _INTERVAL
        if _shown and _shown[0] is self:
            jc.IJ.showStatus(f"{self.name}: {in_words(event)} (Esc cancels)")
            jc.IJ.showProgress(float(min(event.fraction, 0.999)))
        self._task.show(event)
        window = self._opened(now)
        if window is not None:
            window.show(event, in_words(event))

    def end(self, how: str) -> None:
        """Clear the bars and leave a last word in the status bar.

        Parameters
        ----------
        how : str
            "done", "cancelled" or "failed".
        """
        front = bool(_shown) and _shown[0] is self
        if self in _shown:
            _shown.remove(self)
        self._task.end()
        if self._timer is not None:
            self._timer.stop()
        with self._opening:
            self._may_open = False
        if self._window is not None:
            self._window.close()
        if front:
            jc.IJ.showProgress(1.0)
        seconds = time.monotonic() - self._started
        if how == "cancelled":
            jc.IJ.beep()
        if how == "done" and self._finish.is_set():
            how = "finished early"
        jc.IJ.showStatus(f"{self.name}: {how}, {seconds:.1f} s")

    def _opened(self, now: float) -> ProgressWindow | None:
        """The window, once it is time for it."""
        with self._opening:
            if self._window is None and self._may_open and now - self._started > _WINDOW_AFTER:
                self._window = ProgressWindow(self._heading, self.cancel, self.finish)
            return self._window

    def _start_timer(self) -> Any:
        """Look after a job that is silent, on the event thread."""
        from jpype import JProxy

        listener = JProxy("java.awt.event.ActionListener", dict={"actionPerformed": self._tick})
        timer = jc.Timer(int(1000 * _TICK), listener)
        timer.start()
        return timer

    @guarded("zsfiji")
    def _tick(self, _event: Any) -> None:
        now = time.monotonic()
        window = self._opened(now)
        if window is None or self._latest is None:
            return
        since, event = self._latest
        if self._cancel.is_set() or self._finish.is_set():
            return
        left = None
        if event.seconds_left is not None and event.seconds_left > now - since:
            left = event.seconds_left - (now - since)
        window.tell(in_words(replace(event, seconds_left=left)))

    def _escape(self) -> bool:
        if not jc.IJ.escapePressed():
            self._escape_seen = None
            return False
        now = time.monotonic()
        if self._escape_seen is None:
            self._escape_seen = now
        return now - self._escape_seen >= _ESCAPE_STAYS


def forget_escape() -> None:
    """Take back an Esc of before a click: it is not meant for the job that begins now.

    ImageJ does so when a menu entry is chosen or a macro begins, but not for a dialog that was open
    meanwhile. Jobs that run have the Esc first.
    """
    if _shown and jc.IJ.escapePressed():
        time.sleep(_ESCAPE_STAYS)
        if jc.IJ.escapePressed():
            for job in tuple(_shown):
                job.cancel()
    jc.IJ.resetEscape()


def heading(label: str, title: str) -> str:
    """Title of the window of a job: the command, and the title of the image if there is one."""
    return f"{name_of(label)}: {title}" if title else name_of(label)

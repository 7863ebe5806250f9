"""Progress, "finish now" and cancel, without a parameter in any scientific signature.

A host (the ImageJ bridge, the command line, a test) installs a :class:`Sink` around a job with
:func:`using`; the code that works calls :func:`report` wherever it has done a step. Where no sink
is installed, as in a plain Python session, both are free.

The sink travels in a context variable, so jobs on several threads do not see one another's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from zsfiji.errors import Cancelled
from zsfiji.words import time_span


@dataclass(frozen=True)
class Event:
    """One report of a working job.

    Attributes
    ----------
    fraction : float
        How much of the whole job is done, 0 to 1.
    message : str
        What is being done, in a few words of the user's.
    seconds_left : float or None
        Estimated time to the end of the job; None while it cannot be told.
    loss : float or None
        Training loss of the latest step, where there is one.
    step : int or None
        The step that the loss is of, counted from 1.
    waiting : bool
        Whether the job has not begun, because another one holds the device.
    preview : callable or None
        Called without arguments it gives the present state of the result, a 2D array of shape
        (row, col). It costs time: call it only when it will be shown.
    """

    fraction: float
    message: str
    seconds_left: float | None = None
    loss: float | None = None
    preview: Callable[[], Any] | None = None
    step: int | None = None
    waiting: bool = False


def in_words(event: Event) -> str:
    """`event` in a few words, as "Training, 43 %, 12 s left"."""
    if event.waiting:
        return event.message
    parts = [event.message, f"{100 * event.fraction:.0f} %"]
    if event.seconds_left is not None:
        parts.append(f"{time_span(event.seconds_left)} left")
    return ", ".join(parts)


class Sink(Protocol):
    """What a host offers to a working job. All methods may be called from any thread."""

    def show(self, event: Event) -> None:
        """Show `event` to the user; called often, so it has to be cheap."""

    def cancelled(self) -> bool:
        """Whether the user wants to stop and keep nothing."""

    def finish_now(self) -> bool:
        """Whether the user wants the best result so far, at once."""


@dataclass
class _Clock:
    """Measures how long a job works, without the time that it waits."""

    started: float
    waits_since: float | None = None

    def tick(self, waiting: bool) -> float:
        """Take note of what the job does now; gives the seconds that it has worked."""
        now = time.monotonic()
        if self.waits_since is not None:
            self.started += now - self.waits_since
        self.waits_since = now if waiting else None
        return now - self.started


@dataclass
class _Job:
    sink: Sink
    clock: _Clock
    low: float = 0.0
    high: float = 1.0


_job: ContextVar[_Job | None] = ContextVar("zsfiji_job", default=None)


@contextmanager
def using(sink: Sink) -> Iterator[None]:
    """Send every report made inside the block to `sink`."""
    token = _job.set(_Job(sink, _Clock(time.monotonic())))
    try:
        yield
    finally:
        _job.reset(token)


@contextmanager
def part(start: float, stop: float) -> Iterator[None]:
    """Map the fractions reported inside the block into `start` to `stop` of what is around it.

    Parts nest: the 3rd of 10 slices is ``part(.2, .3)``, and its training the first nine tenths
    of that, ``part(0, .9)``.
    """
    outer = _job.get()
    if outer is None:
        yield
        return
    width = outer.high - outer.low
    token = _job.set(
        _Job(outer.sink, outer.clock, outer.low + start * width, outer.low + stop * width)
    )
    try:
        yield
    finally:
        _job.reset(token)


def report(
    fraction: float,
    message: str,
    *,
    loss: float | None = None,
    preview: Callable[[], Any] | None = None,
    step: int | None = None,
    waiting: bool = False,
) -> None:
    """Tell the user how far the present part is, and stop if the user has cancelled.

    Parameters
    ----------
    fraction : float
        Done share of the innermost :func:`part`, 0 to 1.
    message : str
        What is being done.
    loss : float, optional
        Training loss of the latest step.
    preview : callable, optional
        Gives the present state of the result as a 2D array.
    step : int, optional
        The step that the loss is of.
    waiting : bool
        Whether the job cannot begin yet. The time it waits does not count as time of work.

    Raises
    ------
    Cancelled
        If the user asked to stop and keep nothing.
    """
    job = _job.get()
    if job is None:
        return
    stop_if_cancelled()
    done = job.low + min(max(fraction, 0.0), 1.0) * (job.high - job.low)
    elapsed = job.clock.tick(waiting)
    # Before some share of the work is done the estimate would only be noise.
    left = elapsed * (1 - done) / done if done > 0.02 and elapsed > 1 else None
    job.sink.show(Event(done, message, left, loss, preview, step, waiting))


def stop_if_cancelled() -> None:
    """Stop where a step of the work takes long and there is nothing to report.

    Raises
    ------
    Cancelled
        If the user asked to stop and keep nothing.
    """
    job = _job.get()
    if job is not None and job.sink.cancelled():
        raise Cancelled


def worked() -> float | None:
    """Seconds that the job has worked, without its waiting; None without a sink."""
    job = _job.get()
    return None if job is None else job.clock.tick(waiting=False)


def finish_requested() -> bool:
    """Whether the user wants the best result so far, at once (False without a sink)."""
    job = _job.get()
    return job is not None and job.sink.finish_now()

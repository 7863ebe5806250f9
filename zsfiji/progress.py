"""Progress, "finish now" and cancel, without a parameter in any scientific signature.

A host (the ImageJ bridge, the command line, a test) installs a :class:`Sink` around a job with
:func:`using`; the code of the job calls :func:`report` after each step. Without a sink, as in a
plain Python session, this costs nothing.

The sink is in a context variable, so jobs on several threads do not share it.
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
    """One report of a running job.

    Attributes
    ----------
    fraction : float
        Share of the whole job that is done, 0 to 1.
    message : str
        What is being done, in a few words for the user.
    seconds_left : float or None
        Estimated time to the end of the job; None while there is no estimate.
    loss : float or None
        Training loss of the latest step, if there is one.
    step : int or None
        Number of the step of this loss, counted from 1.
    waiting : bool
        Whether the job has not started, because another job uses the device.
    preview : callable or None
        Takes no arguments and gives the current state of the result, a 2D array of shape
        (row, col). It takes time: call it only to show the result.
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
    """What a host offers to a running job. All methods may be called from any thread."""

    def show(self, event: Event) -> None:
        """Show `event` to the user; called often, so it has to be fast."""

    def cancelled(self) -> bool:
        """Whether the user wants to stop and keep nothing."""

    def finish_now(self) -> bool:
        """Whether the user wants the best result so far, at once."""


_EARLIEST = 0.02
"""Share of a job that has to be done before its course tells how long it takes. Chosen by eye."""

_TRUSTED = 0.25
"""Share of a job from which on only its course counts and not what was expected. Chosen by eye."""

STARTING = "Starting"
"""What a job reports first."""


@dataclass
class _Clock:
    """Measures how long a job runs, without the time that it waits."""

    started: float
    waits_since: float | None = None
    expected: float | None = None

    def tick(self, waiting: bool) -> float:
        """Update the state of the job; gives the seconds that it has run."""
        now = time.monotonic()
        if self.waits_since is not None:
            self.started += now - self.waits_since
        self.waits_since = now if waiting else None
        return now - self.started

    def left(self, done: float, elapsed: float) -> float | None:
        """Estimate the seconds to the end: first as expected, then by the course of the job."""
        measured = elapsed / done if done > _EARLIEST and elapsed > 1 else None
        if self.expected is None:
            return None if measured is None else measured - elapsed
        if measured is None or elapsed >= self.expected:
            # A job that has run longer than expected is known by its course alone.
            left = (self.expected if measured is None else measured) - elapsed
        else:
            trust = min(1.0, done / _TRUSTED)
            left = (1 - trust) * self.expected + trust * measured - elapsed
        return left if left > 0 else None


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
    """Map the fractions reported inside the block to `start` to `stop` of the surrounding part.

    Parts can be nested: the third of 10 slices is ``part(.2, .3)``, and its training the first nine
    tenths of that, ``part(0, .9)``.
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
    """Report how much of the current part is done, and stop if the user has cancelled.

    Parameters
    ----------
    fraction : float
        Share of the innermost :func:`part` that is done, 0 to 1.
    message : str
        What is being done.
    loss : float, optional
        Training loss of the latest step.
    preview : callable, optional
        Gives the current state of the result as a 2D array.
    step : int, optional
        Number of the step of this loss.
    waiting : bool
        Whether the job cannot start yet. Waiting time does not count for the estimate.

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
    left = job.clock.left(done, elapsed)
    job.sink.show(Event(done, message, left, loss, preview, step, waiting))


def expect(seconds: float) -> None:
    """Report how long the whole job is expected to take, before its course can tell.

    Parameters
    ----------
    seconds : float
        From the start of the job to its end, without waiting.
    """
    job = _job.get()
    if job is not None:
        job.clock.expected = seconds
        report(0, STARTING)


def stop_if_cancelled() -> None:
    """Stop if the user has cancelled, within long steps that have nothing to report.

    Raises
    ------
    Cancelled
        If the user asked to stop and keep nothing.
    """
    job = _job.get()
    if job is not None and job.sink.cancelled():
        raise Cancelled


def worked() -> float | None:
    """Seconds that the job has run, without waiting; None without a sink."""
    job = _job.get()
    return None if job is None else job.clock.tick(waiting=False)


def finish_requested() -> bool:
    """Whether the user wants the best result so far, at once (False without a sink)."""
    job = _job.get()
    return job is not None and job.sink.finish_now()

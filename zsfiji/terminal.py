"""Progress in a terminal, with the time left; Ctrl-C and SIGTERM stop the job cleanly."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from zsfiji import signals
from zsfiji.errors import Cancelled
from zsfiji.progress import Event
from zsfiji.words import time_span

_SHOW_CURSOR = b"\x1b[?25h"


class Terminal:
    """A sink of :mod:`zsfiji.progress` for standard error.

    Inside its block the first Ctrl-C, SIGTERM or SIGHUP lets the job stop at its next report, with
    nothing kept; the second one ends the program at once. Where standard error is no terminal,
    nothing is drawn.
    """

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=1.0, left="", visible=False)
        self._name = ""
        self._stopped = False
        self._low, self._width = 0.0, 1.0
        self._signals = ExitStack()

    def __enter__(self) -> Terminal:
        self._signals.enter_context(signals.watched())
        self._signals.enter_context(signals.gently(self._stop))
        if self._console.is_terminal:
            signals.cleanups.append(_show_cursor)
            self._signals.callback(signals.cleanups.remove, _show_cursor)
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The terminal may have been closed.
        with self._signals, suppress(OSError):
            self._bar.stop()

    def _stop(self) -> None:
        self._stopped = True
        if signals.received() == signal.SIGINT:
            self.say("Stopping; press Ctrl-C again to end at once.")

    @contextmanager
    def share(self, number: int, count: int, name: str) -> Iterator[None]:
        """Give the block the `number`-th of `count` parts of the bar."""
        if self._stopped:
            raise Cancelled
        self._low, self._width = number / count, 1 / count
        self.begin(f"{number + 1}/{count} {name}")
        yield

    def begin(self, name: str) -> None:
        """Show `name` in front of the bar, which is empty or at the beginning of its part."""
        self._name = name
        self._bar.update(self._task, description=self._name, visible=True, completed=self._low)

    def say(self, text: str) -> None:
        """Print a message."""
        self._console.print(text, markup=False, soft_wrap=True)

    def result(self, text: str) -> None:
        """Print a result to standard output."""
        if self._console.is_terminal and sys.stdout.isatty():
            # Through the console, so that the bar does not stand in the middle of the line.
            self._bar.stop()
            print(text, flush=True)
            self._bar.start()
        else:
            print(text, flush=True)

    def show(self, event: Event) -> None:
        """Draw the bar."""
        left = "" if event.seconds_left is None else f"{time_span(event.seconds_left)} left"
        self._bar.update(
            self._task,
            description=f"{self._name}: {event.message}",
            completed=self._low + self._width * event.fraction,
            left=left,
            visible=True,
        )

    def cancelled(self) -> bool:
        """Whether Ctrl-C was pressed, or the process has to end."""
        return self._stopped

    def finish_now(self) -> bool:
        """A terminal has no button for it."""
        return False


def _show_cursor() -> None:
    """The bar hides it."""
    os.write(2, _SHOW_CURSOR)

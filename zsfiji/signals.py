"""Ctrl-C, SIGTERM and SIGHUP: the work stops in time, and nothing is left half-written.

A scheduler or ``timeout`` sends SIGTERM, a terminal that is closed sends SIGHUP. Python calls
signal handlers only in the main thread, and not while that is in Java or in a long computation. So
a second thread reads the numbers of the signals from a socket (:func:`signal.set_wakeup_fd`), asks
the work to stop, and ends the process itself if that takes too long.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
_HANDLED = tuple(int(getattr(signal, name)) for name in _NAMES if hasattr(signal, name))

PATIENCE = 9.0
"""Seconds from a signal to the end of the process; Docker waits for 10."""

_AT_ONCE = 1.0
"""Seconds from the second signal to the end of the process. Chosen by eye."""

_AGAIN_AFTER = 0.3
"""Seconds after which a signal counts as the second one: GNU timeout sends its signal to the
process and again to its group. Chosen by eye."""

cleanups: list[Callable[[], object]] = []
"""Called before the process is ended in the middle of its work; must not wait for other threads."""


class Stopped(KeyboardInterrupt):
    """Raised in the main thread by a signal, where nothing else stops the work."""


class _Watch:
    """The handlers of this process while it is watched, and the thread behind them."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.status: int | None = None
        self._handled_at: float | None = None
        self._noted_at = 0.0
        self._deadline: float | None = None
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._former: dict[int, Any] = {}
        for number in _HANDLED:
            # Signals that are ignored on purpose (nohup, background jobs) stay ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._former[number] = signal.signal(number, self._handle)
        self._former_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, name="zsfiji signals", daemon=True)
        self._thread.start()

    def close(self) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._former_fd)
        self._writer.close()
        self._thread.join()
        self._reader.close()

    def end_within(self, seconds: float, status: int) -> None:
        self.status = status
        self._set_deadline(seconds)
        # Wakes up the thread, which may have no timeout.
        with suppress(OSError):
            self._writer.send(b"\0")

    def _set_deadline(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        self._deadline = min(deadline, self._deadline or deadline)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        """In the main thread, as soon as it is back in Python."""
        now = time.monotonic()
        again = self._handled_at is not None and now - self._handled_at > _AGAIN_AFTER
        if self._handled_at is None:
            self._handled_at = now
        if self.first is None:
            self.first = number
        if again or not _gentle:
            raise Stopped

    def _watch(self) -> None:
        while True:
            left = None if self._deadline is None else self._deadline - time.monotonic()
            if left is not None and left <= 0:
                end_now()
            self._reader.settimeout(left)
            try:
                numbers = self._reader.recv(16)
            except TimeoutError:
                continue
            if not numbers:
                return
            for number in numbers:
                if number in self._former:
                    self._note(number)

    def _note(self, number: int) -> None:
        now = time.monotonic()
        if not self._noted_at:
            self._noted_at = now
            if self.first is None:
                self.first = number
            gentle = list(_gentle)
            # After Ctrl-C there is no deadline: the user is there and can press it again.
            if number != signal.SIGINT or not gentle:
                self._set_deadline(PATIENCE)
            for stop in gentle:
                with suppress(Exception):
                    stop()
        elif now - self._noted_at > _AGAIN_AFTER:
            self._set_deadline(_AT_ONCE)


_gentle: list[Callable[[], object]] = []
_watching: _Watch | None = None


@contextmanager
def watched(*, to_the_end: bool = False) -> Iterator[None]:
    """Handle the signals during the block, in the main thread; in other threads do nothing.

    Parameters
    ----------
    to_the_end : bool
        Whether the process ends after the block: the signals are handled until then.

    Raises
    ------
    Stopped
        At the first signal outside a :func:`gently` block, and at the second one.
    """
    global _watching
    if _watching is not None or threading.current_thread() is not threading.main_thread():
        yield
        return
    _watching = _Watch()
    try:
        yield
    finally:
        if not to_the_end:
            _watching.close()
            _watching = None


@contextmanager
def gently(stop: Callable[[], object]) -> Iterator[None]:
    """Let the first signal call `stop` during the block, instead of raising in the main thread.

    Parameters
    ----------
    stop : callable
        Asks the work to stop. Called in a thread of its own.
    """
    _gentle.append(stop)
    try:
        yield
    finally:
        _gentle.remove(stop)


def received() -> int | None:
    """The number of the first signal received, None before."""
    return None if _watching is None else _watching.first


def status() -> int:
    """Exit status of a process that was stopped: 128 and the signal; 130 for Ctrl-C."""
    return 128 + (received() or signal.SIGINT)


def message() -> str:
    """What to tell the user of a process that was stopped."""
    number = received() or signal.SIGINT
    if number == signal.SIGINT:
        return "zsfiji: stopped."
    return f"zsfiji: stopped by {signal.Signals(number).name}."


def end_within(seconds: float, status: int) -> None:
    """Make sure that the process, which is about to end, ends in time and with `status`.

    Does nothing in a process that is not :func:`watched`.

    Parameters
    ----------
    seconds : float
        Latest end from now.
    status : int
        Its exit status.
    """
    if _watching is not None:
        _watching.end_within(seconds, status)


def end_now() -> None:
    """End the process at once, whatever its threads are doing.

    The destructors of torch and Java, which would crash while a thread computes, are not run. Does
    nothing in a process that is not :func:`watched`.
    """
    if _watching is None:
        return
    for cleanup in cleanups:
        with suppress(Exception):
            cleanup()
    if _watching.status is None:
        # Not through sys.stderr: its lock may be held by the thread that hangs.
        with suppress(OSError):
            os.write(2, f"{message()}\n".encode())
    elif threading.current_thread() is threading.main_thread():
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
    os._exit(status() if _watching.status is None else _watching.status)

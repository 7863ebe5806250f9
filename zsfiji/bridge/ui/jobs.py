"""A command at work on an image of ImageJ.

Three things are true of each job, however it was started: the image is locked only while its pixels
are copied, so that it can be closed or changed afterwards; nothing is shown unless all of it is
there; and it can be cancelled until the end.
"""

from __future__ import annotations

import atexit
import itertools
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import xarray as xr

from zsfiji import progress, signals
from zsfiji.bridge.convert.images import from_imageplus, require_room, to_imageplus
from zsfiji.bridge.start.classes import jc
from zsfiji.bridge.start.host import Host, returning
from zsfiji.bridge.ui import messages, plots, recorder, tables, texts, windows
from zsfiji.bridge.ui.progress import JobProgress, heading
from zsfiji.commands import Command
from zsfiji.commands.outcome import Outcome
from zsfiji.commands.run import run
from zsfiji.errors import Cancelled, UserError
from zsfiji.images import tiff
from zsfiji.images.metadata import look_like
from zsfiji.parameters.declare import Values
from zsfiji.words import in_lines

_QUIT_PATIENCE = 5.0
"""Seconds to wait for jobs when ImageJ quits; a step of a training takes less."""


@dataclass(frozen=True)
class _Job:
    """The thread that works on a job, and whether it has ended."""

    thread: int
    ended: threading.Event


_running: dict[JobProgress, _Job] = {}
_left: list[_Job] = []
"""Those for whose end :func:`stop_all` has waited in vain."""

_guard = threading.Lock()


def work(host: Host, command: Command, imp: Any, options: Mapping[str, Any]) -> Outcome:
    """Run a command in this thread, and show what comes out of it.

    Parameters
    ----------
    host : Host
        The running ImageJ.
    command : Command
        The command.
    imp : ij.ImagePlus or None
        The image, for a command that takes one.
    options : mapping
        Key -> value, also as text.

    Returns
    -------
    Outcome
        What the command gave; its last image is the active one of this thread now.

    Raises
    ------
    UserError
        If there is no image, it is locked, or the command refuses it or an option.
    Cancelled
        If the user stops the job.
    """
    values = command.validate(options)
    if not command.takes_image:
        imp = None
    elif imp is None:
        raise UserError(texts.NO_IMAGE)
    if host.headless:
        # Whoever runs ImageJ without windows may have a progress display already.
        image = _prepared(command, imp, values)
        outcome = run(command, image, values, _open_image)
        _show(host, command, imp, image, outcome)
        return outcome
    title = "" if imp is None else str(imp.getTitle())
    sink = JobProgress(host, command.label, title, window=messages.has_windows())
    _stop_at_the_end()
    # Not the thread itself: one of Java's cannot be joined.
    job = _Job(threading.get_ident(), threading.Event())
    with _guard:
        _running[sink] = job
    how = "failed"
    try:
        sink.show(progress.Event(0, progress.STARTING))
        image = _prepared(command, imp, values)
        with progress.using(sink):
            outcome = run(command, image, values, _open_image)
        if sink.cancelled():
            raise Cancelled
        _show(host, command, imp, image, outcome)
        how = "done"
        return outcome
    except Cancelled:
        how = "cancelled"
        raise
    finally:
        with _guard:
            _running.pop(sink, None)
        sink.end(how)
        job.ended.set()


def in_thread(body: Callable[[], object], name: str) -> threading.Thread:
    """Run `body` in a fresh thread.

    ``IJ.run`` marks the threads it was called in for good, and ImageJ neither records them nor
    opens dialogs in them as it does for a user: each click gets a thread of its own.
    """

    def detached() -> None:
        try:
            body()
        finally:
            # Else Java keeps a thread object for every job there ever was.
            jc.Thread.detach()

    thread = threading.Thread(target=detached, name=name, daemon=True)
    returning.add(thread)
    thread.start()
    return thread


def running() -> list[str]:
    """The jobs at work, each as "Zero-Shot Denoise of cells.tif"."""
    with _guard:
        return [f"{s.name} of {s.title}" if s.title else s.name for s in _running]


def stop_all(patience: float = _QUIT_PATIENCE) -> bool:
    """Cancel every job and wait for them.

    Parameters
    ----------
    patience : float
        How long to wait, in seconds.

    Returns
    -------
    bool
        Whether all of them have ended, those of earlier calls too.
    """
    with _guard:
        jobs = dict(_running)
    for sink in jobs:
        sink.cancel()
    deadline = time.monotonic() + patience
    others = [job for job in jobs.values() if job.thread != threading.get_ident()]
    for job in others:
        job.ended.wait(max(0.0, deadline - time.monotonic()))
    with _guard:
        _left[:] = [job for job in (*_left, *others) if not job.ended.is_set()]
        # One that is deep in a computation sees later that it was cancelled, and shows nothing.
        for sink in jobs:
            _running.pop(sink, None)
        return not _left


@cache
def _stop_at_the_end() -> None:
    """See to it that neither Python nor Java ends under a thread that computes: both might crash.

    To be called while Java runs, so that Python stops the jobs before it stops Java.
    """
    from jpype import JProxy

    atexit.register(_end)
    # A script may end Java by itself.
    hook = JProxy("java.lang.Runnable", dict={"run": messages.guarded("zsfiji")(_end)})
    jc.JavaRuntime.getRuntime().addShutdownHook(jc.Thread(hook))


def _end() -> None:
    if not stop_all():
        signals.end_now()


def locked(imp: Any) -> UserError:
    """What to say about an image that another thread has locked."""
    return UserError(texts.LOCKED.format(title=imp.getTitle()))


def _read(imp: Any, *, region: bool = True) -> xr.DataArray:
    if int(imp.getWidth()) == 0 or imp.getProcessor() is None:
        raise UserError("The image was closed before its pixels were read.")
    if not imp.lockSilently():
        raise locked(imp)
    try:
        return from_imageplus(imp, region=region)
    finally:
        imp.unlock()


def _prepared(command: Command, imp: Any, values: Values) -> xr.DataArray | None:
    """Read the image, and see before any work that there will be room for the results."""
    if imp is None:
        return None
    image = _read(imp)
    require_room(image.size * command.bytes_of_results(values))
    return image


def _converted(outcome: Outcome) -> list[Any]:
    """The results as images of ImageJ; where it has no room for them they are saved."""
    try:
        return [to_imageplus(image) for image in outcome.images]
    except UserError as error:
        folder = Path(tempfile.mkdtemp(prefix="zsfiji-results-"))
        for image in outcome.images:
            tiff.write(image, folder / f"{Path(image.attrs['title']).name}.tif")
        raise UserError(f"{error} The results are not lost: they are saved in {folder}") from error


def _open_image(title: str) -> xr.DataArray | None:
    """The open image of a title, for options that name one."""
    imp = jc.WindowManager.getImage(title)
    return None if imp is None else _read(imp, region=False)


def _show(
    host: Host, command: Command, imp: Any, source: xr.DataArray | None, outcome: Outcome
) -> None:
    """Show the results in this thread, which makes the last image its active one."""
    if not host.running:
        raise Cancelled
    if source is not None:
        for image in outcome.images:
            look_like(source, image)
    shown = _converted(outcome)
    # First, so that the Log window does not cover the result.
    # The window of this job will be gone in a moment, and a Log that opens now is put beside, too.
    gone = [heading(command.label, "" if imp is None else str(imp.getTitle()))]
    new_log = windows.log_window() is None
    if new_log:
        gone.append(windows.LOG)
    about = "" if source is None else source.attrs["title"]
    for note in outcome.notes:
        messages.log(in_lines(f"{about or messages.name_of(command.label)}: {note}"))
    # A user who has selected another image since has that in the macro recorder. Then the
    # recorder must also note the selection of the result.
    current = jc.WindowManager.getCurrentImage()
    stayed = imp is None or (current is not None and current.getID() == imp.getID())
    with recorder.no_selection(command) if stayed else nullcontext():
        if messages.has_windows():
            for table in outcome.tables:
                windows.put_beside(imp, tables.show(table), gone)
            for plot in outcome.plots:
                drawn = plots.show(plot)
                windows.put_beside(imp, drawn.getWindow(), gone)
                windows.settle(drawn)
        for result in shown:
            if imp is not None:
                _place(result, imp)
            result.setTitle(_unique(str(result.getTitle())))
            result.changes = True
            result.show()
            if windows.facts(result).is_psf:
                windows.present_psf(result)
            windows.put_beside(imp, result.getWindow(), gone)
            windows.settle(result)
        if new_log:
            windows.widen_log()
            windows.put_beside(imp, windows.log_window(), gone)
        if imp is not None and not shown and messages.is_call():
            # A macro goes on with its image, and not with a plot, which it has only under windows.
            windows.activate(imp)


def _unique(title: str) -> str:
    """`title`, numbered if an image has it already, also one without a window in batch mode."""
    taken = {str(imp.getTitle()) for imp in windows.images()}
    names = itertools.chain([title], (f"{title}-{n}" for n in itertools.count(1)))
    return next(name for name in names if name not in taken)


def _place(result: Any, imp: Any) -> None:
    """Show the slice that the source shows; a source that was closed has none."""
    if 1 < int(result.getStackSize()) == int(imp.getStackSize()):
        result.setPositionWithoutUpdate(imp.getC(), imp.getZ(), imp.getT())

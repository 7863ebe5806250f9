"""The Python process that works for a stock Fiji: ``python -m zsfiji.bridge.stock.worker``.

A Fiji that was started as a Java program cannot call Python. Its menu entries (written by
:mod:`zsfiji.bridge.stock.install`) start this process by Appose's protocol (JSON lines on standard
input and output; github.com/apposed) and keep it: each job is one Appose task, which calls
:func:`work`.

Images travel as ImageJ's own TIFF files in a temporary folder. ImageJ writes all that it knows of
an image into them, any size and also virtual stacks, and :mod:`zsfiji.images.tiff` reads it back,
so there is one code for files and for this. Against the seconds of a job the copy is nothing.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsfiji import progress, signals
from zsfiji.errors import Cancelled, UserError

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.bridge.ui.open_images import OpenImage
    from zsfiji.commands import Command

_INTERVAL = 0.2
"""Seconds between two updates, as in :mod:`zsfiji.bridge.ui.progress`."""

_STEPS = 1000
"""Of the progress bar, as in ZeroShot.groovy: finer than its pixels."""

_FINISH = "finish"
"""A file of this name in the exchange folder of a job asks for the best result so far."""

_QUIT_PATIENCE = 5.0
"""Seconds to wait for jobs when Fiji ends; a step of a training takes less."""

_exchanges: set[str] = set()
_jobs: set[threading.Thread] = set()


class TaskProgress:
    """The sink of one job: its reports become updates of an Appose task.

    Parameters
    ----------
    task : appose.python_worker.Task
        The task.
    exchange : str, optional
        Folder in which Fiji leaves word that the user wants to finish now.
    """

    def __init__(self, task: Any, exchange: str | None = None) -> None:
        self._task = task
        self._finish = None if exchange is None else Path(exchange) / _FINISH
        self._next = 0.0

    def show(self, event: progress.Event) -> None:
        """Send `event`, five times a second at most."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _INTERVAL
        info = {"waiting": True} if event.waiting else None
        self._task.update(progress.in_words(event), int(event.fraction * _STEPS), _STEPS, info)

    def cancelled(self) -> bool:
        """Whether Fiji has asked to stop."""
        return bool(self._task.cancel_requested)

    def finish_now(self) -> bool:
        """Whether the user wants the best result so far."""
        return self._finish is not None and self._finish.exists()


def work(
    task: Any,
    label: str,
    options: str | Mapping[str, Any],
    source: str | None,
    target: str | None,
    title: str | None = None,
    roi: Sequence[int] | None = None,
    exchange: str | None = None,
    named: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run a command on an image file.

    Parameters
    ----------
    task : appose.python_worker.Task
        Gets the progress, and says whether to cancel.
    label : str
        The command.
    options : str or mapping
        The options of a macro line, or key -> value.
    source : str or None
        The image, for a command that takes one.
    target : str or None
        A folder for the results, or the file of the main result (.tif). None for a command that
        gives no image.
    title : str, optional
        Title of the image; the name of the file without it.
    roi : sequence of int, optional
        Rectangle (x, y, width, height) to work on, in pixels. With a `title` the image comes from
        a window, whose selection this is; without one the selection in the file counts.
    exchange : str, optional
        Folder that Fiji has made for this job alone, and removes. A file ``finish`` in it asks for
        the best result so far. When Fiji ends first, this process removes it.
    named : mapping, optional
        Title -> file, of the open images that options name; see :func:`names`.

    Returns
    -------
    dict
        ``images``: list of {"path", "title"}, the main result last; ``notes``: list of sentences;
        ``plots``, ``tables``: see :func:`zsfiji.bridge.ui.plots.drawing` and
        :func:`zsfiji.bridge.ui.tables.listing`. Or
        ``problem``: what the user can correct. Or ``cancelled``: true.
    """
    job = threading.current_thread()
    _jobs.add(job)
    if exchange is not None:
        _exchanges.add(exchange)
    try:
        _require("torch")
        with progress.using(TaskProgress(task, exchange)):
            return _work(label, options, source, target, title, roi, named or {})
    except UserError as error:
        return {"problem": str(error)}
    except Cancelled:
        return {"cancelled": True}
    finally:
        _jobs.discard(job)


def greet(scripts: str) -> dict[str, Any]:
    """Tell whether this process can serve the scripts of a Fiji.

    Parameters
    ----------
    scripts : str
        What :func:`zsfiji.bridge.stock.install.scripts_digest` gave when they were installed.

    Returns
    -------
    dict
        Empty, or ``problem``: what the user has to do.
    """
    from zsfiji.bridge.stock.install import scripts_digest

    if scripts == scripts_digest():
        return {}
    return {
        "problem": f"The Zero-Shot entries of this Fiji are of another version than the zsfiji in "
        f"{sys.prefix}. Run 'zsfiji install' there with this Fiji's folder again, then restart "
        "Fiji."
    }


def dialog(label: str, images: Sequence[Mapping[str, Any]], active: int | None) -> dict[str, Any]:
    """What the dialog of a command says and suggests.

    Parameters
    ----------
    label : str
        The command.
    images : sequence of mapping
        The open images, the oldest first, with the attributes of
        :class:`zsfiji.bridge.ui.open_images.OpenImage`; what a mapping lacks or has as None is not
        known.
    active : int or None
        Place of the active image among them.

    Returns
    -------
    dict
        ``active``: place of the image to process, as `active` where the command takes none;
        ``subject``: what will be processed and how long that takes, HTML; ``values``: key -> value
        that the images suggest.
    """
    from zsfiji.bridge.ui import help, open_images
    from zsfiji.commands import find
    from zsfiji.commands.duration import estimates

    command = find(label)
    seen = [_open_image(facts) for facts in images]
    if active is not None and command.takes_image:
        active = open_images.to_process(command, seen, active)
    image = None if active is None else seen[active]
    values = open_images.suggested(command, image)
    psf = open_images.newest_psf(seen)
    if psf is not None:
        values |= {p.key: psf for p in command.parameters if p.kind == "image" and p.needed}
    lines = []
    if image is not None and command.takes_image:
        lines = [image.described(), estimates(command, image.lengths())]
    return {"active": active, "subject": help.paragraphs(lines), "values": values}


def _open_image(facts: Mapping[str, Any]) -> OpenImage:
    from zsfiji.bridge.ui.open_images import OpenImage
    from zsfiji.bridge.ui.places import Box

    known = {key: value for key, value in facts.items() if value is not None}
    if "selection" in known:
        known["selection"] = Box(*(int(n) for n in known["selection"]))
    return OpenImage(**known)


def doctor(fiji: str) -> dict[str, Any]:
    """What works here and what does not; ``text``, for the Fiji in the folder `fiji`."""
    from zsfiji.bridge.start import doctor as examination

    return {"text": examination.format(examination.report(fiji))}


def place(
    size: Sequence[int],
    source: Sequence[int],
    screen: Sequence[int],
    keep: Sequence[Sequence[int]],
    spare: Sequence[Sequence[int]],
) -> dict[str, Any]:
    """Where a new window goes; ``x`` and ``y``; see :func:`zsfiji.bridge.ui.places.beside`."""
    from zsfiji.bridge.ui.places import Box, beside

    width, height = size
    others = [[Box(*box) for box in boxes] for boxes in (keep, spare)]
    x, y = beside((width, height), Box(*source), Box(*screen), *others)
    return {"x": x, "y": y}


def place_small(
    size: Sequence[int], screen: Sequence[int], taken: Sequence[Sequence[int]]
) -> dict[str, Any]:
    """Where the window of a job goes; ``x``, ``y``; see :func:`zsfiji.bridge.ui.places.column`."""
    from zsfiji.bridge.ui.places import MARGIN, Box, column

    width, height = size
    x, y = column((width, height), Box(*screen), [Box(*box) for box in taken], MARGIN)
    return {"x": x, "y": y}


def names(label: str, options: str | Mapping[str, Any]) -> dict[str, Any]:
    """What the options of a command name: titles of open images, perhaps, or files.

    Parameters
    ----------
    label, options
        As :func:`work` takes them.

    Returns
    -------
    dict
        ``names``: list of str. Wrong options have none; :func:`work` says what is wrong.
    """
    from zsfiji.parameters.source import Source

    try:
        values = _values(label, options)[1].values()
    except UserError:
        return {"names": []}
    return {"names": [value.text for value in values if isinstance(value, Source)]}


def _values(label: str, options: str | Mapping[str, Any]) -> tuple[Command, dict[str, Any]]:
    from zsfiji.commands import find, parse

    command = find(label)
    return command, command.validate(parse(options) if isinstance(options, str) else options)


def _work(
    label: str,
    options: str | Mapping[str, Any],
    source: str | None,
    target: str | None,
    title: str | None,
    roi: Sequence[int] | None,
    named: Mapping[str, str],
) -> dict[str, Any]:
    from zsfiji.bridge.ui.plots import drawing
    from zsfiji.bridge.ui.tables import listing
    from zsfiji.commands.run import run
    from zsfiji.images import tiff
    from zsfiji.images.metadata import look_like
    from zsfiji.words import in_lines

    def opened(path: str, title: str) -> xr.DataArray:
        image = tiff.read(path)
        image.attrs["title"] = title
        for key in ("path", "roi"):
            image.attrs.pop(key, None)
        return image

    command, values = _values(label, options)
    if title is None:
        _require_files(command, source, target)
    place = None if target is None else Path(target)
    if place is not None and not os.path.isdir(place):
        _require_place(place, source)
    image = None
    if source is not None:
        image = tiff.read(source) if title is None else opened(source, title)
        if title is not None and roi is not None:
            image.attrs["roi"] = tuple(int(n) for n in roi)
    outcome = run(
        command, image, values, lambda name: opened(named[name], name) if name in named else None
    )
    images = []
    for number, result in enumerate(outcome.images, 1):
        own = str(result.attrs.get("title", ""))
        if place is None:
            raise UserError("Name the file of the result (.tif).")
        if image is not None and title is not None:
            look_like(image, result)
        path = place / f"{number}.tif" if place.is_dir() else place
        if path == place and number < len(outcome.images):
            path = place.with_name(f"{Path(own).name}{place.suffix}")
        tiff.write(result, path)
        images.append({"path": str(path), "title": own})
    plots = [drawing(plot) for plot in outcome.plots]
    tables = [listing(table) for table in outcome.tables]
    return {
        "images": images,
        "notes": [in_lines(note) for note in outcome.notes],
        "plots": plots,
        "tables": tables,
    }


def _require_files(command: Command, source: str | None, target: str | None) -> None:
    """See that a script which works on files names all that it needs."""
    if command.takes_image and source is None:
        raise UserError("Name the input file as well as the output.")
    if target is None and command.gives_images:
        raise UserError('Name the output file: output="result.tif".')


def _require_place(place: Path, source: str | None) -> None:
    """See that the file of the result can be written, before the work, which may take hours."""
    from zsfiji.images.files import require_other, require_writable
    from zsfiji.images.tiff import TIFF_ENDINGS

    if place.suffix.lower() not in TIFF_ENDINGS:
        raise UserError(f"The output {place} has to end in .tif.")
    if source is not None:
        require_other(place, source)
    require_writable(place)


def _require(module: str) -> None:
    try:
        importlib.import_module(module)
    except (ImportError, OSError) as error:
        raise UserError(
            f"The Python environment {sys.prefix} cannot load {module} ({error}). Repair it with "
            "'pip install --upgrade zsfiji' in it, then restart Fiji."
        ) from error


def main() -> None:
    """Answer tasks until standard input ends, which it does when Fiji does."""
    from appose.python_worker import Worker

    # Loaded before standard input is read, for on Windows numpy hangs when it is loaded later
    # (github.com/numpy/numpy/issues/24290); what is missing is told to the first job.
    for module in ("numpy", "scipy", "torch", "zsfiji.commands.run", "zsfiji.images.tiff"):
        try:
            importlib.import_module(module)
        except (ImportError, OSError) as error:
            print(f"{module}: {error}", file=sys.stderr)
    signals.cleanups.append(_remove_exchanges)
    worker = Worker()

    def stop() -> None:
        worker.running = False

    with signals.watched(to_the_end=True):
        with signals.gently(stop):
            worker.run()
        # Nobody is left to take a result.
        for task in list(worker.tasks.values()):
            task.cancel_requested = True
        deadline = time.monotonic() + _QUIT_PATIENCE
        for job in list(_jobs):
            job.join(max(0.0, deadline - time.monotonic()))
        _remove_exchanges()
        if signals.received():
            # The thread that reads standard input would be waited for.
            signals.end_now()
        if _jobs:
            # Deep in a computation, which nobody waits for.
            os._exit(1)


def _remove_exchanges() -> None:
    for folder in list(_exchanges):
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    # The tasks import this module by its name: the one that they note their work in.
    from zsfiji.bridge.stock.worker import main as answer

    answer()

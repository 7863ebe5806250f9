"""Running a command, whoever asks: selection, validation, memory, provenance."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import psutil
import xarray as xr

from zsfiji import progress
from zsfiji.commands.command import Command
from zsfiji.commands.duration import expected, learn
from zsfiji.commands.options import macro_line
from zsfiji.commands.outcome import Outcome
from zsfiji.compute.allocator import memory_kept
from zsfiji.errors import UserError
from zsfiji.images.axes import as_image
from zsfiji.images.metadata import crop_to_roi
from zsfiji.parameters.declare import Value
from zsfiji.parameters.source import Source, Windows
from zsfiji.version import __version__

_log = logging.getLogger("zsfiji")

_AMPLE = 2.0
"""Free memory, over what a job needs, from which on what it frees is kept for it: that takes up to
1.5 times as much (Blind SIM of 2048 x 2048 pixels)."""

_EARLY = "This was ended with Finish now: the recorded line, run to its end, gives another result."


def run(
    command: Command,
    image: xr.DataArray | None,
    options: Mapping[str, object],
    windows: Windows | None = None,
) -> Outcome:
    """Run a command.

    Parameters
    ----------
    command : Command
        The command.
    image : xarray.DataArray or None
        The image, for a command that takes one. With a rectangular selection only that region is
        taken.
    options : mapping
        Key -> value, also as text; missing keys have their defaults.
    windows : callable, optional
        Finds the open image of a title, for options that name one.

    Returns
    -------
    Outcome
        Each image carries, as ImageJ properties, the macro line that makes it again
        (``zsfiji.command``), the version (``zsfiji.version``), and what the command itself adds.

    Raises
    ------
    UserError
        If an option or the image is wrong.
    Cancelled
        If the user stops the job.
    """
    values = command.validate(options)
    found: dict[str, Value] = {
        key: value.found(command.parameter(key).label, windows)
        if isinstance(value, Source)
        else value
        for key, value in values.items()
    }
    region = None
    warnings = _Warnings()
    if command.takes_image:
        if image is None:
            raise UserError(f"{command.label} needs an image.")
        if image.size == 0:
            raise UserError("The image is empty: it has no pixels.")
        region = _without_provenance(crop_to_roi(image))
        ample = _memory_is_ample(region, command)
        lengths = {str(dim): int(length) for dim, length in region.sizes.items()}
        if progress.worked() is not None:
            for seconds in expected(command, lengths, values):
                progress.expect(seconds)
        started = _worked()
        with warnings, memory_kept() if ample else nullcontext():
            outcome = command.call(region, found)
        if not progress.finish_requested():
            learn(command, lengths, values, _worked() - started)
    else:
        with warnings, memory_kept():
            outcome = command.call(None, found)
    early = (_EARLY,) if progress.finish_requested() else ()
    outcome = replace(outcome, notes=(*early, *warnings.messages, *outcome.notes))
    provenance = {
        "zsfiji.command": macro_line(command, values),
        "zsfiji.version": __version__,
    }
    if region is not None and "region" in region.attrs:
        x, y, width, height = region.attrs["region"]
        provenance["zsfiji.region"] = f"makeRectangle({x}, {y}, {width}, {height});"
    if outcome.notes:
        provenance["zsfiji.notes"] = " ".join(outcome.notes)
    for result in outcome.images:
        result.attrs["properties"] = {**result.attrs.get("properties", {}), **provenance}
    return outcome


def run_on_array(command: Command, data: Any, options: Mapping[str, object]) -> Any:
    """Run a command from Python; see the public functions of :mod:`zsfiji`.

    Parameters
    ----------
    command : Command
        The command.
    data : numpy.ndarray, xarray.DataArray or None
        The pixels, for a command that takes an image.
    options : mapping
        The keyword arguments of the call.

    Returns
    -------
    numpy.ndarray, xarray.DataArray or dict
        The result, of the type of `data`; of several results a tuple; the metrics of a command
        that gives no image. The notes go to the logger "zsfiji", and stand in the properties of a
        labelled result.
    """
    outcome = run(command, None if data is None else as_image(data), options)
    for note in outcome.notes:
        _log.info("%s", note)
    if not outcome.images:
        return outcome.metrics
    labelled = data is None or isinstance(data, xr.DataArray)
    results = tuple(r if labelled else np.asarray(r.data) for r in outcome.images)
    return results if len(results) > 1 else results[0]


def _worked() -> float:
    """Seconds that this job has worked, without the time it waited for other jobs."""
    seconds = progress.worked()
    # A job without a progress sink: all its time counts as work.
    return time.monotonic() if seconds is None else seconds


class _Warnings(logging.Handler):
    """Collects the warnings of this thread for the notes, which users see in every host."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self.messages: dict[str, None] = {}

    def __enter__(self) -> None:
        _log.addHandler(self)

    def __exit__(self, *_: object) -> None:
        _log.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message; the same one only once."""
        if record.thread == self._thread:
            self.messages[record.getMessage()] = None
            record.is_note = True
            if logging.lastResort is not None and not logging.getLogger().handlers:
                # Python prints warnings that no handler takes. This handler must not prevent that.
                logging.lastResort.handle(record)


def _without_provenance(image: xr.DataArray) -> xr.DataArray:
    """The image without what earlier commands noted in it: its results get notes of their own."""
    properties = image.attrs.get("properties", {})
    kept = {key: value for key, value in properties.items() if not key.startswith("zsfiji.")}
    return image.assign_attrs(properties=kept) if kept != properties else image


def _memory_is_ample(image: xr.DataArray, command: Command) -> bool:
    """Whether a job may take more memory than it needs, to be faster; an error if it has less."""
    plane = min(image.sizes["row"] * image.sizes["col"], image.size / command.together)
    needed = image.size * command.memory + plane * command.plane_memory
    free = psutil.virtual_memory().available
    if needed > free:
        raise UserError(
            f"{command.label} needs about {needed / 2**30:.1f} GB of memory for this image, and "
            f"{free / 2**30:.1f} GB are free. Draw a rectangle around the part you need, or "
            "process substacks one by one."
        )
    return free > _AMPLE * needed

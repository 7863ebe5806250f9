"""Parameters of SIM as JSON files."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from zsfiji.errors import UserError
from zsfiji.images.files import replacing, require_writable, user_path
from zsfiji.services.sim.calibration import Calibration, Record
from zsfiji.version import __version__

_log = logging.getLogger(__name__)

ENDING = ".json"
_SAME_PIXEL = 0.01
"""Largest difference of pixel sizes that counts as none."""

_FORMAT = 1
"""Version of the files; raised when an older zsfiji would read them wrongly."""


@dataclass(frozen=True)
class _Content:
    """What a file has."""

    format: int
    version: str
    channels: tuple[Record, ...]


_adapter = TypeAdapter(_Content)


def target(path: Path | None) -> Path | None:
    """Where parameters go: with our ending unless `path` has one; a UserError if they cannot."""
    if path is None:
        return None
    path = user_path(path)
    path = path if path.suffix else path.with_suffix(ENDING)
    require_writable(path)
    return path


def save(units: Sequence[Calibration], path: Path) -> None:
    """Write calibrations, one for each channel."""
    content = _Content(_FORMAT, __version__, tuple(unit.record for unit in units))
    text = json.dumps(_adapter.dump_python(content, mode="json"), indent=2)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def load(path: Path | None, pixel: float) -> tuple[Calibration, ...]:
    """Read calibrations for an image; none without a path.

    Parameters
    ----------
    path : Path or None
        The file.
    pixel : float
        Width of a pixel of the image in micrometres.

    Raises
    ------
    UserError
        If the file cannot be read, holds no parameters, or those of other pixels.
    """
    if path is None:
        return ()
    path = user_path(path)
    try:
        content = _adapter.validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise _none_in(path) from error
    if content.format != _FORMAT:
        raise UserError(
            f"{path.name} was saved by another version of zsfiji ({content.version}). Find the "
            "patterns again."
        )
    if not content.channels or not all(map(_sound, content.channels)):
        raise _none_in(path)
    for record in content.channels:
        if abs(record.pixel / pixel - 1) > _SAME_PIXEL:
            raise UserError(
                f"{path.name} is for pixels of {1000 * record.pixel:.4g} nm, and those of the "
                f"image have {1000 * pixel:.4g} nm. Find the patterns of this image, or correct "
                "'pixel_size'."
            )
    backgrounds = " and ".join(f"{record.background:.4g}" for record in content.channels)
    _log.warning(
        "The patterns and the background (%s) are those of %s, also in the table; none were looked "
        "for in this image.",
        backgrounds,
        path.name,
    )
    given = (replace(record, background_given=True) for record in content.channels)
    return tuple(map(Calibration, given))


def _none_in(path: Path) -> UserError:
    return UserError(
        f"{path.name} holds no SIM parameters, or damaged ones. Choose a file that SIM "
        "Parameters... has saved."
    )


def _sound(record: Record) -> bool:
    """Whether the numbers of a record fit together and can be what they say."""
    try:
        patterns = Calibration(record).patterns
    except (ValueError, TypeError):
        # Rows of different lengths.
        return False
    if patterns.phases.ndim != 3 or not patterns.phases.numel():
        return False
    each = (patterns.angles, patterns.waves)
    shapes = {
        "wave_vectors": (*each, 2),
        "modulation": each,
        "modulation_error": each,
        "significance": each,
        "found": each,
        "brightness": (patterns.angles, patterns.frames),
        "contrast": each[:1],
        "phases": (*each, patterns.frames),
    }
    for name, shape in shapes.items():
        try:
            values = np.array(getattr(record, name), np.float64)
        except ValueError:
            return False
        if values.shape != shape or not np.isfinite(values).all():
            return False
    if len(record.shape) not in (0, 2):
        return False
    numbers = (
        record.noise_variance,
        record.gain,
        record.read_variance,
        record.light,
        record.light_beyond,
        record.background,
        record.cutoff,
        record.damping,
        record.pixel,
        *record.curve,
    )
    return (
        all(map(math.isfinite, numbers))
        and min(record.cutoff, record.damping, record.pixel) > 0
        and min(record.noise_variance, record.light) > 0
        and min(record.gain, record.read_variance) >= 0
        and float(patterns.wave_vectors.abs().max()) < 1
        and float(patterns.modulation.min()) >= 0
        and float(patterns.brightness.min()) > 0
        and len(record.curve) != 1
    )

"""Parameters of SIM as JSON files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from zsfiji.errors import UserError
from zsfiji.images.files import replacing, require_writable
from zsfiji.services.sim.calibration import Calibration, Record
from zsfiji.version import __version__

ENDING = ".json"
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
    path = path.expanduser()
    path = path if path.suffix else path.with_suffix(ENDING)
    require_writable(path)
    return path


def save(units: Sequence[Calibration], path: Path) -> None:
    """Write calibrations, one for each channel."""
    content = _Content(_FORMAT, __version__, tuple(unit.record for unit in units))
    text = json.dumps(_adapter.dump_python(content, mode="json"), indent=2)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def load(path: Path | None) -> tuple[Calibration, ...]:
    """Read calibrations; none without a path.

    Raises
    ------
    UserError
        If the file cannot be read or holds no parameters.
    """
    if path is None:
        return ()
    path = path.expanduser()
    try:
        content = _adapter.validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path.name} holds no SIM parameters. Choose a file that SIM Parameters... has saved."
        ) from error
    if content.format != _FORMAT:
        raise UserError(
            f"{path.name} was saved by another version of zsfiji ({content.version}). Find the "
            "patterns again."
        )
    return tuple(Calibration(record) for record in content.channels)

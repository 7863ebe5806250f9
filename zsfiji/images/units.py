"""Units of length in the metadata of images."""

from __future__ import annotations

_MICROMETRES = {
    "m": 1e6,
    "cm": 1e4,
    "mm": 1e3,
    "millimeter": 1e3,
    "um": 1.0,
    "\u00b5m": 1.0,  # the micro sign
    "\u03bcm": 1.0,  # the Greek letter
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometers": 1.0,
    "micrometre": 1.0,
    "micrometres": 1.0,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "nanometers": 1e-3,
    "nanometre": 1e-3,
    "nanometres": 1e-3,
    "\u00c5": 1e-4,
    "angstrom": 1e-4,
    "angstroms": 1e-4,
}


def micrometres(unit: str) -> float | None:
    """Size of a unit of length in micrometres; None for other units."""
    return _MICROMETRES.get(unit) or _MICROMETRES.get(unit.lower())

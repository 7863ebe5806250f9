"""The unit of Blind SIM: what was found in a raw image, and the specimen that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from zsfiji.reconstruction import blind
from zsfiji.reconstruction.blind import Fitted, Known
from zsfiji.reconstruction.drift import Drift
from zsfiji.services.blind_sim.start import Record as StartRecord
from zsfiji.services.blind_sim.start import Start
from zsfiji.services.sim.calibration import Calibration, Numbers
from zsfiji.services.sim.calibration import Record as Found
from zsfiji.services.sim.straight import straightened

_WARM = 5
"""A time point that starts from the one before takes one of so many of the counted iterations."""

_FEWEST = 4
"""Iterations that it takes at least."""

_SOFT, _FLOOR = 1.0, 0.05
"""What it starts from is blurred with a Gaussian of so many fine pixels, and has so much of its
mean everywhere, or what moves would stay dark where nothing was."""


@dataclass(frozen=True)
class Record:
    """What a model file keeps of a unit.

    Attributes
    ----------
    found : zsfiji.services.sim.calibration.Record
        Patterns, optics, background and noise.
    cutoff_error : float
        Standard error of the cut-off, relative to it; negative if it is not known, 0 if the cut-off
        was given.
    wave_vector_error : tuple
        (angle, wave): standard error of each component, in cycles per pixel; negative if it is not
        known.
    iterations : int
        How many the noise bears, from a flat start.
    start : zsfiji.services.blind_sim.start.Record or None
        Of the network that the fit starts from.
    """

    found: Found
    cutoff_error: float
    wave_vector_error: tuple[Numbers, ...]
    iterations: int
    start: StartRecord | None = None


class Restorer:
    """A unit.

    Parameters
    ----------
    record : Record
        What was found.
    start : Start, optional
        The network that the fit starts from.
    """

    def __init__(self, record: Record, start: Start | None = None) -> None:
        self.record, self.start = record, start
        self.calibration = Calibration(record.found)

    def tensors(self) -> dict[str, torch.Tensor]:
        """The weights of the network, if there is one; all else is in the record."""
        return {} if self.start is None else self.start.tensors()

    def with_patterns(self, found: Found) -> Restorer:
        """The unit for a stack of other patterns, background and noise through the same lens."""
        start = None if self.start is None else self.start.with_patterns(found)
        of_start = None if start is None else start.record
        # Only the fit that a stack has of its own tells the errors of its wave vectors.
        unknown = tuple(tuple(-1.0 for _ in angle) for angle in self.record.wave_vector_error)
        record = replace(self.record, found=found, wave_vector_error=unknown, start=of_start)
        return Restorer(record, start)

    @property
    def known(self) -> Known:
        """What the fit takes; patterns that are of no use have no modulation."""
        record = self.record.found
        return Known(
            self.calibration.used,
            self.calibration.transfer,
            record.gain,
            record.read_variance,
            record.background,
        )

    def restore(
        self,
        stack: np.ndarray,
        device: torch.device,
        *,
        iterations: int = 0,
        before: torch.Tensor | None = None,
    ) -> tuple[Fitted[Known], Drift]:
        """Find the specimen of a stack.

        Parameters
        ----------
        stack : numpy.ndarray
            (angle, frame, row, col), in grey levels.
        device : torch.device
            Where to compute.
        iterations : int
            How many, from a flat start; 0 for as many as were counted.
        before : torch.Tensor, optional
            The specimen of the time point before, with its surroundings. A network gives a better
            start.

        Returns
        -------
        Fitted, Drift
            The specimen, and how it moved between the angles; where that matters, it was corrected.
        """
        known, number = self.known, iterations or self.record.iterations
        above = known.above(torch.from_numpy(np.asarray(stack, np.float32)).to(device))
        above, patterns, drift = straightened(above, known.patterns, known.transfer)
        here, start = replace(known, patterns=patterns), None
        # A given number is one from a flat start: each time point is what it would be alone.
        if not iterations and self.start is not None:
            start, number = self.start.specimen(stack, here, device), self.start.record.iterations
        elif not iterations and before is not None and patterns is known.patterns:
            start, number = _softened(before), max(_FEWEST, -(-number // _WARM))
        return blind.run(here, above + known.background, number, start=start), drift


def _softened(specimen: torch.Tensor) -> torch.Tensor:
    soft = torch.from_numpy(gaussian_filter(specimen.cpu().numpy(), _SOFT)).to(specimen)
    return soft + _FLOOR * soft.mean()

"""Reconstruction of one stack of patterns whose calibration is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from zsfiji.errors import UserError
from zsfiji.physics.sim.optics_3d import StackTransfer
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction.drift import Drift
from zsfiji.reconstruction.joint_3d import JointStack
from zsfiji.reconstruction.wiener import Weights
from zsfiji.reconstruction.wiener_3d import StackWiener, captured, field_slices
from zsfiji.services.sim.calibration import Calibration, Record
from zsfiji.services.sim.capture import recorded
from zsfiji.services.sim.iterative import explained
from zsfiji.services.sim.linear import classical_ridge
from zsfiji.services.sim.reconstructor import RESULTS, SCALE, Images, widefield
from zsfiji.services.sim.settings import Settings
from zsfiji.services.sim.straight import straightened
from zsfiji.services.sim_stack.given import StackOptics

_TABLE = "otf"
"""Name of the tensor of a measured OTF."""


@dataclass(frozen=True)
class StackRecord:
    """What a model file keeps of a unit, besides a measured OTF.

    Attributes
    ----------
    calibration : Record
        Patterns, background and noise.
    optics : StackOptics
        The optics.
    """

    calibration: Record
    optics: StackOptics


class StackReconstructor:
    """A unit: a calibration and the optics of a stack.

    Parameters
    ----------
    record : StackRecord
        The numbers.
    tensors : mapping
        A measured OTF (2, order, kr, kz), real and imaginary part, under the name "otf"; empty
        without one.
    """

    def __init__(self, record: StackRecord, tensors: Mapping[str, torch.Tensor]) -> None:
        self.record, self._tensors = record, dict(tensors)
        self.calibration = Calibration(record.calibration)

    @classmethod
    def of(cls, record: StackRecord, table: np.ndarray | None) -> StackReconstructor:
        """Make a unit with a measured OTF, complex (order, kr, kz), if there is one."""
        if table is None:
            return cls(record, {})
        parts = np.stack([table.real, table.imag]).astype(np.float32)
        return cls(record, {_TABLE: torch.from_numpy(parts)})

    def tensors(self) -> dict[str, torch.Tensor]:
        """A measured OTF, if there is one."""
        return self._tensors

    @cached_property
    def used(self) -> Patterns:
        """The patterns that a stack is reconstructed with; waves of no use have modulation 0."""
        # Not limited to 1, which the first order of three equal beams exceeds.
        return self.calibration.patterns.where(torch.tensor(self.calibration.usable))

    def reconstruct(
        self,
        stack: np.ndarray,
        settings: Settings,
        device: torch.device,
        results: Sequence[str] = RESULTS,
    ) -> tuple[Images, Drift]:
        """Reconstruct a stack.

        Parameters
        ----------
        stack : numpy.ndarray
            (angle, frame, pln, row, col), in grey levels.
        settings : Settings
            The method.
        device : torch.device
            Where the iterative method computes; the linear ones use the CPU.
        results : sequence of str
            Those of :data:`.RESULTS` that are wanted.

        Returns
        -------
        dict of str to numpy.ndarray
            float32 (pln, 2 row, 2 col), in grey levels above the background.
        Drift
            How the specimen moved between the angles; where that matters, it was corrected.
        """
        above = self.calibration.above(stack)
        above, patterns, drift = straightened(above, self.used, self.calibration.transfer)
        noise = self.record.calibration.noise_variance

        def made(name: str) -> torch.Tensor:
            if name == "widefield":
                return widefield(above, patterns)
            if name == "filtered":
                plain = replace(patterns, modulation=torch.zeros_like(patterns.modulation))
                return self._wiener(plain, above).reconstruct(above, noise)
            if settings.quality == "iterative":
                return self._iterative(above.to(device), patterns, settings.seed).cpu()
            if settings.quality == "classical":
                wiener = self._wiener(patterns, above, classical=True)
                ridge = classical_ridge(wiener, settings.wiener)
                return wiener.solve(wiener.numerator(above), ridge)
            return self._wiener(patterns, above).reconstruct(above, noise)

        return {name: made(name).numpy() for name in results}, drift

    def _iterative(self, above: torch.Tensor, patterns: Patterns, seed: int) -> torch.Tensor:
        """By joint Richardson-Lucy deconvolution."""
        record = self.record.calibration
        slices, rows, cols = (int(n) for n in above.shape[-3:])
        shape = (slices, rows, cols)
        transfer = self._transfer(slices)
        joint = JointStack(patterns, transfer, shape, record.read, device=above.device)
        return explained(joint, above, record.gain, record.read_variance, seed=seed)

    def capture(self, specimen: np.ndarray, draws: torch.Generator) -> np.ndarray:
        """Simulate the raw stack of a specimen.

        Parameters
        ----------
        specimen : numpy.ndarray
            (pln, 2 row, 2 col), in grey levels above the background; below zero counts as zero.
        draws : torch.Generator
            For the noise.

        Returns
        -------
        numpy.ndarray
            (angle, frame, pln, row, col), float32, in grey levels.
        """
        slices, rows, cols = specimen.shape
        shape = (slices, rows // SCALE, cols // SCALE)
        there = torch.from_numpy(np.asarray(specimen, np.float32)).clamp_min(0)
        expected = captured(there, self.used, shape, self._transfer(slices))
        return recorded(expected, self.calibration.record, draws)

    def _transfer(self, slices: int) -> StackTransfer:
        """The OTFs of the extended field of so many slices."""
        table = None
        if self._tensors:
            real, imaginary = self._tensors[_TABLE].numpy()
            table = real + 1j * imaginary
        used = self.used
        field = field_slices(slices)
        return self.record.optics.transfer(table, field, used.finest, used.waves)

    def _wiener(
        self, patterns: Patterns, above: torch.Tensor, *, classical: bool = False
    ) -> StackWiener:
        slices, rows, cols = (int(n) for n in above.shape[-3:])
        transfer = self._transfer(slices)
        weights: Weights = "equal" if classical else "noise"
        return StackWiener(patterns, (slices, rows, cols), transfer, weights=weights)


def require_quality(settings: Settings) -> None:
    """Refuse settings that stacks do not have.

    Raises
    ------
    UserError
        If there is a notch.
    """
    if settings.quality == "classical" and settings.notch > 0:
        raise UserError(
            "A stack is reconstructed without a notch, because its OTF accounts for the light out "
            "of focus: give 'notch=0'."
        )

"""The optics of an image: kind of microscope, objective, wavelengths, refractive indices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from zsfiji.errors import UserError

Kind = Literal["wide-field", "confocal", "light-sheet", "TIRF"]

_MEDIA = (1.0, 1.8)
"""Possible refractive indices."""

_WAVELENGTHS = (200.0, 2000.0)
"""Possible wavelengths in nm."""


@dataclass(frozen=True)
class Optics:
    """The microscope.

    Attributes
    ----------
    kind : {"wide-field", "confocal", "light-sheet", "TIRF"}
        The microscope.
    numerical_aperture : float
        Of the objective.
    emission : float
        Wavelength of the fluorescence in nm.
    immersion_index : float
        Refractive index of the immersion: air 1.0, water 1.333, glycerol 1.47, oil 1.515.
    sample_index : float, optional
        Refractive index of the specimen; by default that of the immersion (no aberration), and for
        TIRF that of water.
    depth : float
        Distance of the fluorophores from the cover glass, in micrometres. It matters only if the
        two indices differ.
    excitation : float, optional
        Wavelength of the laser in nm; confocal only.
    pinhole : float
        Diameter of the confocal pinhole in Airy units (1.22 wavelengths / NA).
    sheet_thickness : float, optional
        Full width at half maximum of the light sheet in micrometres; light-sheet only.
    penetration_depth : float
        Depth in nm at which the evanescent intensity has fallen to 1/e; TIRF only.
    """

    kind: Kind
    numerical_aperture: float
    emission: float
    immersion_index: float = 1.515
    sample_index: float | None = None
    depth: float = 0.0
    excitation: float | None = None
    pinhole: float = 1.0
    sheet_thickness: float | None = None
    penetration_depth: float = 100.0

    @property
    def specimen_index(self) -> float:
        """The refractive index of the specimen, chosen where it is not given."""
        if self.sample_index is not None:
            return self.sample_index
        return 1.333 if self.kind == "TIRF" else self.immersion_index

    def check(self) -> None:
        """Raise :class:`~zsfiji.errors.UserError` if such optics are impossible."""
        if self.kind not in get_args(Kind):
            raise UserError(f'"{self.kind}" is not one of {", ".join(get_args(Kind))}.')
        for name, index in (
            ("immersion", self.immersion_index),
            ("specimen", self.specimen_index),
        ):
            if not _MEDIA[0] <= index <= _MEDIA[1]:
                raise UserError(
                    f"The refractive index of the {name} is {index:g}. "
                    f"It must lie between {_MEDIA[0]:g} (air) and {_MEDIA[1]:g}."
                )
        if not 0 < self.numerical_aperture < self.immersion_index:
            raise UserError(
                f"The numerical aperture is {self.numerical_aperture:g}. It must be above 0 and "
                f"below the refractive index of the immersion, {self.immersion_index:g}."
            )
        _check_wavelength("emission", self.emission)
        if self.depth < 0:
            raise UserError(f"The depth is {self.depth:g} micrometres. It cannot be negative.")
        if self.kind == "confocal":
            if self.excitation is None:
                raise UserError("A confocal PSF needs the wavelength of excitation, in nm.")
            _check_wavelength("excitation", self.excitation)
            if self.excitation > self.emission:
                raise UserError(
                    f"The excitation of {self.excitation:g} nm is longer than the emission of "
                    f"{self.emission:g} nm. Check whether the two are swapped."
                )
            if not self.pinhole > 0:
                raise UserError("The pinhole, in Airy units, must be larger than 0.")
        if self.kind == "light-sheet" and not (self.sheet_thickness or 0) > 0:
            raise UserError("A light-sheet PSF needs the thickness of the sheet, in micrometres.")
        if self.kind == "TIRF":
            if not self.penetration_depth > 0:
                raise UserError("The penetration depth of TIRF must be larger than 0 nm.")
            if self.numerical_aperture <= self.specimen_index:
                raise UserError(
                    f"There is no total reflection with an aperture of "
                    f"{self.numerical_aperture:g} on a specimen of refractive index "
                    f"{self.specimen_index:g}: the aperture must be the larger one."
                )


def _check_wavelength(name: str, value: float) -> None:
    if not _WAVELENGTHS[0] <= value <= _WAVELENGTHS[1]:
        raise UserError(
            f"The wavelength of {name} is {value:g} nm. "
            f"It must lie between {_WAVELENGTHS[0]:g} and {_WAVELENGTHS[1]:g} nm."
        )

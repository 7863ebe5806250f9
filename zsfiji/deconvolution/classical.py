"""Richardson-Lucy deconvolution of grey levels, for as many iterations as the noise allows."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from zsfiji.deconvolution.richardson_lucy import Deblurred, choose_iterations, deblur, replaced
from zsfiji.physics.camera.model import Camera
from zsfiji.physics.optics.degradation import Degradation

MOST_ITERATIONS = 120
"""Most iterations that are chosen; only light without noise would allow more. Not tuned."""


@dataclass(frozen=True)
class ClassicalDeconvolution:
    """A classical deconvolution of images of one camera.

    Attributes
    ----------
    camera : Camera
        The noise.
    optics : Degradation
        The optics.
    iterations : int
        Number of iterations of :func:`.richardson_lucy.deblur`.
    """

    camera: Camera
    optics: Degradation
    iterations: int

    @classmethod
    def of(cls, image: torch.Tensor, camera: Camera, optics: Degradation) -> ClassicalDeconvolution:
        """Choose the number of iterations for an image (row, col) or (pln, row, col)."""
        light, _, read = camera.photons(image)
        noise = camera.noise
        correlation = 0.0 if noise.white else float(noise.correlation(1)[1])
        with torch.no_grad():
            iterations = choose_iterations(light, optics, read, MOST_ITERATIONS, correlation)
        return cls(camera, optics, iterations)

    def __call__(self, image: torch.Tensor, label: str | None = None) -> Deblurred:
        """Deconvolve.

        Parameters
        ----------
        image : torch.Tensor
            (..., row, col), or (..., pln, row, col) for optics of three axes; grey levels.
        label : str, optional
            What to report as progress.

        Returns
        -------
        Deblurred
            In grey levels; its field is in photoelectrons.
        """
        light, unit, read = self.camera.photons(image)
        with torch.no_grad():
            found = deblur(light, self.optics, self.iterations, read, label)
        return self._in_grey(found, unit)

    def with_specimen(
        self, image: torch.Tensor, found: Deblurred, specimen: torch.Tensor
    ) -> Deblurred:
        """Replace the specimen that was found by another one.

        Parameters
        ----------
        image : torch.Tensor
            The image.
        found : Deblurred
            Its deconvolution.
        specimen : torch.Tensor
            On the fine grid, in grey levels.

        Returns
        -------
        Deblurred
            In grey levels; the light from beyond the image stays that of `found`.
        """
        light, unit, _ = self.camera.photons(image)
        specimen = (specimen - self.camera.dark_level) / unit
        with torch.no_grad():
            other = replaced(light, self.optics, found, specimen)
        return self._in_grey(other, unit)

    def _in_grey(self, found: Deblurred, unit: float) -> Deblurred:
        dark_level = self.camera.dark_level
        return Deblurred(
            found.specimen * unit + dark_level, found.reblurred * unit + dark_level, found.field
        )

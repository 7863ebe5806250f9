"""The forward model of the microscope: blur by the PSF, then binning by the camera's pixels.

The operator is linear. Its adjoint is exact, also for the mirrored border, as Richardson-Lucy and
gradient methods need it. Both work with torch's autograd.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len

from zsfiji.errors import UserError

_KEPT_OTFS = 8
"""Spectra that are kept: patches, tiles and tiles at the border have only a few sizes."""


class Degradation:
    """Convolution with a PSF and binning: from the grid of the specimen to that of the camera.

    `A x = bin(psf * x)`, where the star is a true convolution (light spreads *from* a point), with
    the specimen mirrored at its border.
    This is the forward model of the deconvolution losses, equation 6 of the ZS-DeconvNet paper.

    Parameters
    ----------
    psf : torch.Tensor
        (row, col) or (pln, row, col) on the grid of the specimen, every size odd, its centre at
        the middle pixel. It is divided by its sum.
    upsample : int
        Pixels of the specimen per pixel of the camera, along rows and along columns.
        Binning takes their mean: a flat specimen gives an image of the same value.

    Attributes
    ----------
    psf : torch.Tensor
        The PSF of sum 1.
    given : torch.Tensor
        The PSF before it was divided by its sum: what a file keeps to get the same optics again,
        to the last bit.
    upsample : int
        As given.
    margin : tuple of int
        Along each axis of the PSF, how many pixels of the *camera's* grid at each border receive
        light from outside. Without them, a patch does not depend on the mirrored border.

    Raises
    ------
    UserError
        If the PSF has an even size, has values that are not numbers, or no light.
    """

    def __init__(self, psf: torch.Tensor, upsample: int = 1) -> None:
        if psf.ndim not in (2, 3):
            raise UserError(f"A PSF has two or three axes; this one has {psf.ndim}.")
        if any(n % 2 == 0 for n in psf.shape):
            raise UserError(
                f"The PSF is {_times(psf)} pixels large. Only odd sizes have a middle pixel: "
                "crop it or resample it to odd sizes."
            )
        if upsample < 1:
            raise ValueError(f"upsample is {upsample}")
        # A tensor made in inference mode could not be used in a later training.
        with torch.inference_mode(False), torch.no_grad():
            psf = psf.detach().clone()
            psf = psf if psf.dtype in (torch.float32, torch.float64) else psf.float()
            total = psf.sum()
            if not torch.isfinite(total) or total <= 0:
                raise UserError(
                    "The PSF holds no light: its sum is not a positive number. "
                    "Choose another file or other optics."
                )
            self.given, self.psf = psf, psf / total
        self.upsample = upsample
        self._half = tuple(n // 2 for n in psf.shape)
        lateral = tuple(-(-h // upsample) for h in self._half[-2:])
        self.margin = (*self._half[:-2], *lateral)
        self._otfs: dict[tuple[tuple[int, ...], torch.device, torch.dtype], torch.Tensor] = {}

    def __call__(self, specimen: torch.Tensor) -> torch.Tensor:
        """Blur and bin.

        Parameters
        ----------
        specimen : torch.Tensor
            (..., row, col), or (..., pln, row, col) for a PSF of three axes. Axes before these
            are a batch. Rows and columns are multiples of `upsample`.

        Returns
        -------
        torch.Tensor
            (..., row / upsample, col / upsample): 32-bit floats, or 64 for those.
        """
        return bin_mean(self.blur(specimen), self.upsample)

    def within(self, specimen: torch.Tensor, margin: int) -> torch.Tensor:
        """Blur and bin a plane, without the border that light from outside would reach.

        The same as the result of the call without its border, at a fraction of the cost, because
        nothing has to be mirrored: for patches.

        Parameters
        ----------
        specimen : torch.Tensor
            As for a call.
        margin : int
            Pixels of the camera that are left out at each side: at least :attr:`margin`.

        Returns
        -------
        torch.Tensor
            (..., row / upsample - 2 margin, col / upsample - 2 margin).
        """
        if len(self._half) != 2 or margin < max(self.margin):
            raise ValueError("only for planes, and only where no light from outside comes")
        specimen = _floating(specimen)
        axes = tuple(range(-len(self._half), 0))
        shape = specimen.shape[axes[0] :]
        size = tuple(next_fast_len(n, real=True) for n in shape)
        spectrum = torch.fft.rfftn(specimen, s=size, dim=axes)
        # Light that wraps around stays in the border, which is cut off.
        blurred = torch.fft.irfftn(spectrum * self._otf(size, specimen), s=size, dim=axes)
        outside = margin * self.upsample
        for axis, half, n in zip(axes, self._half, shape, strict=True):
            blurred = blurred.narrow(axis, outside + half, n - 2 * outside)
        return bin_mean(blurred, self.upsample)

    def adjoint(self, image: torch.Tensor) -> torch.Tensor:
        """The transposed operator: `<A x, y> = <x, A' y>`.

        Parameters
        ----------
        image : torch.Tensor
            (..., row, col) or (..., pln, row, col) on the camera's grid.

        Returns
        -------
        torch.Tensor
            On the grid of the specimen.
        """
        return self.blur_adjoint(bin_mean_adjoint(image, self.upsample))

    def blur(self, specimen: torch.Tensor) -> torch.Tensor:
        """Convolve with the PSF; the shape stays."""
        specimen = _floating(specimen)
        axes = tuple(range(-len(self._half), 0))
        for axis, half in zip(axes, self._half, strict=True):
            specimen = _mirror(specimen, axis, half)
        padded = specimen.shape[axes[0] :]
        # Only the part that the wrap-around does not reach is used: no more padding is needed.
        size = tuple(next_fast_len(n, real=True) for n in padded)
        spectrum = torch.fft.rfftn(specimen, s=size, dim=axes)
        blurred = torch.fft.irfftn(spectrum * self._otf(size, specimen), s=size, dim=axes)
        for axis, half, n in zip(axes, self._half, padded, strict=True):
            blurred = blurred.narrow(axis, 2 * half, n - 2 * half)
        return blurred

    def blur_adjoint(self, image: torch.Tensor) -> torch.Tensor:
        """Correlate with the PSF and add what was mirrored; the shape stays."""
        image = _floating(image)
        axes = tuple(range(-len(self._half), 0))
        shape = image.shape[axes[0] :]
        padded = tuple(n + 2 * half for n, half in zip(shape, self._half, strict=True))
        size = tuple(next_fast_len(n, real=True) for n in padded)
        around: list[int] = []  # torch.nn.functional.pad begins with the last axis
        for half, n, whole in zip(self._half[::-1], shape[::-1], size[::-1], strict=True):
            around += [2 * half, whole - n - 2 * half]
        image = F.pad(image, around)
        spectrum = torch.fft.rfftn(image, s=size, dim=axes)
        spread = torch.fft.irfftn(spectrum * self._otf(size, image).conj(), s=size, dim=axes)
        for axis, half, n in zip(axes, self._half, shape, strict=True):
            spread = _mirror_adjoint(spread.narrow(axis, 0, n + 2 * half), axis, half)
        return spread

    def _otf(self, size: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
        key = (size, like.device, like.dtype)
        if key not in self._otfs:
            while len(self._otfs) >= _KEPT_OTFS:
                del self._otfs[next(iter(self._otfs))]
            with torch.inference_mode(False), torch.no_grad():
                # First the type: some devices have no 64-bit numbers.
                psf = self.psf.to(like.dtype).to(like.device)
                self._otfs[key] = torch.fft.rfftn(psf, s=size)
        return self._otfs[key]


def narrowed(optics: Degradation, light: float) -> Degradation:
    """Make faster optics from the middle of a PSF.

    For changes of a specimen that add light in one place and remove it nearby: at a distance the
    two cancel.

    Parameters
    ----------
    optics : Degradation
        Optics of three axes.
    light : float
        Least share of the light of the PSF in its middle.

    Returns
    -------
    Degradation
        With all slices of the PSF but fewer rows and columns; `optics` if none can be left out.
    """
    lateral = optics.psf.sum(0)
    middle = len(lateral) // 2, lateral.shape[1] // 2
    for half in range(1, max(middle)):
        rows, cols = (slice(max(0, m - half), m + half + 1) for m in middle)
        if float(lateral[rows, cols].sum()) >= light:
            return Degradation(optics.psf[:, rows, cols], optics.upsample)
    return optics


def bin_mean(image: torch.Tensor, factor: int) -> torch.Tensor:
    """Mean over blocks of `factor` x `factor` pixels of (..., row, col).

    Raises
    ------
    ValueError
        If the sides are not multiples of `factor`.
    """
    if factor == 1:
        return image
    rows, columns = image.shape[-2:]
    if rows % factor or columns % factor:
        raise ValueError(f"{rows} x {columns} pixels cannot be binned by {factor}")
    binned = F.avg_pool2d(image.reshape(-1, 1, rows, columns), factor)
    return binned.reshape(*image.shape[:-2], rows // factor, columns // factor)


def bin_mean_adjoint(image: torch.Tensor, factor: int) -> torch.Tensor:
    """The transpose of :func:`bin_mean`: every pixel is distributed over its block."""
    if factor == 1:
        return image
    wide = image.repeat_interleave(factor, dim=-2).repeat_interleave(factor, dim=-1)
    return wide / factor**2


def _floating(image: torch.Tensor) -> torch.Tensor:
    # Fourier transforms need 32 bit, also inside an autocast.
    return image if image.dtype in (torch.float32, torch.float64) else image.float()


def _mirror(image: torch.Tensor, axis: int, width: int) -> torch.Tensor:
    # Mirrored at the outer edge of the last pixel, which is also an edge of the camera's pixels;
    # then a symmetric PSF loses no light at the border.
    # The backward pass of slices and flips is deterministic on every device; that of `pad` is not.
    while width > 0:
        n = image.shape[axis]
        step = min(width, n)
        before = image.narrow(axis, 0, step).flip(axis)
        after = image.narrow(axis, n - step, step).flip(axis)
        image = torch.cat((before, image, after), dim=axis)
        width -= step
    return image


def _mirror_adjoint(image: torch.Tensor, axis: int, width: int) -> torch.Tensor:
    widths = []  # of the steps that `_mirror` took, undone from the last to the first
    size, left = image.shape[axis] - 2 * width, width
    while left > 0:
        widths.append(min(left, size))
        size, left = size + 2 * widths[-1], left - widths[-1]
    for step in reversed(widths):
        size = image.shape[axis] - 2 * step
        folded = image.narrow(axis, step, size).clone()
        folded.narrow(axis, 0, step).add_(image.narrow(axis, 0, step).flip(axis))
        folded.narrow(axis, size - step, step).add_(
            image.narrow(axis, step + size, step).flip(axis)
        )
        image = folded
    return image


def _times(array: torch.Tensor) -> str:
    return " x ".join(map(str, array.shape))

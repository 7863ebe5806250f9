"""Simulated microscope images with their truth, for the benchmarks of deconvolution.

A specimen is drawn on a grid three times as fine as that of the deconvolved image (six times as
fine as the camera's pixels, along rows and columns; a stack has no finer slices), in a field that
is larger than the image by the PSF. It is blurred by the PSF of the true optics, binned to the
camera's pixels of 62.6 nm, and recorded with a gain of 2.2, an offset of 100 and a read noise of
1.5 grey levels. The methods are told other optics: an objective of NA 1.3 at 525 nm without
aberration. What is true instead is one of :data:`CONDITIONS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import xarray as xr

from zsfiji.physics.camera.exposure import expose
from zsfiji.physics.optics.degradation import Degradation, bin_mean
from zsfiji.physics.optics.kernel import Psf
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.pupil import default_shape, from_optics
from zsfiji.physics.optics.resample import match
from zsfiji.physics.specimens import LinePair, crossings, line_pairs, specimen

PIXEL, STEP = 0.0626, 0.2
"""Pixel size (that of the authors' wide-field images) and slice spacing in micrometres."""

UPSAMPLE, FINER = 2, 3
"""Pixels of the deconvolved image in one of the camera, and of the specimen in one of those."""

GAIN, OFFSET, READ = 2.2, 100.0, 1.5
"""The camera, in grey levels: gain similar to that of the authors' lysosome images."""

ASSUMED = Optics("wide-field", 1.3, 525.0)
"""The optics that the methods are told."""

SPHERICAL = {"sample_index": 1.40, "depth": 3.0}
"""Three micrometres into a specimen of index 1.40, under oil: spherical aberration, and 0.93, 0.88
and 0.75 of the peak intensity at NA 1.235, 1.3 and 1.365."""

CONDITIONS = {
    "low": replace(ASSUMED, numerical_aperture=0.95 * 1.3, **SPHERICAL),  # type: ignore[arg-type]
    "high": replace(ASSUMED, numerical_aperture=1.05 * 1.3, **SPHERICAL),  # type: ignore[arg-type]
    "spherical": replace(ASSUMED, **SPHERICAL),  # type: ignore[arg-type]
    "exact": ASSUMED,
}
"""The true optics: NA 5 % lower or higher than assumed, spherical aberration in all but "exact"."""

CUTOFF = 2000 * ASSUMED.numerical_aperture / ASSUMED.emission
"""Highest frequency that the assumed optics pass, in cycles per micrometre."""


@dataclass(frozen=True)
class Scene:
    """A simulated image, its truth and its optics.

    Attributes
    ----------
    kind : str
        The specimen.
    photons : float
        The 99.5 % quantile of the photoelectrons per pixel.
    seed : int
        Of specimen and noise.
    condition : str
        Which of :data:`CONDITIONS` is true.
    truth : numpy.ndarray
        The specimen on the grid of the deconvolved image, in grey levels.
    expected : numpy.ndarray
        The image without noise, on its own grid.
    image : xarray.DataArray
        The noisy image.
    optics : Degradation
        The optics that are assumed, from the grid of `truth` to that of `image`.
    psf : Psf
        Their PSF.
    pairs : list of LinePair
        The lines of known distance in it.
    """

    kind: str
    photons: float
    seed: int
    condition: str
    truth: np.ndarray
    expected: np.ndarray
    image: xr.DataArray
    optics: Degradation
    psf: Psf
    pairs: list[LinePair] = field(default_factory=list)


def condition_of(seed: int) -> str:
    """The optics of a seed: three seeds have the three ways in which a PSF is usually off."""
    return ("low", "high", "spherical")[seed % 3]


def simulate(
    kind: str, photons: float, shape: Sequence[int], seed: int, condition: str | None = None
) -> Scene:
    """Make a scene; `shape` is that of the image, and the seed chooses the optics by default."""
    axes = len(shape)
    condition = condition or condition_of(seed)
    spacing = (STEP, PIXEL, PIXEL)[-axes:]
    grid = (STEP, PIXEL / UPSAMPLE, PIXEL / UPSAMPLE)[-axes:]
    psf = from_optics(ASSUMED, grid)
    finer = (*shape[:-2], UPSAMPLE * shape[-2], UPSAMPLE * shape[-1])
    kernel = match(psf, grid, finer).values.astype(np.float32)
    density, mean, pairs = _seen(kind, shape, seed, CONDITIONS[condition])
    scale = photons / np.quantile(mean, 0.995)
    camera = {"gain": GAIN, "offset": OFFSET, "read_noise": READ / GAIN}
    noisy, expected = expose(mean, photons=scale, seed=seed + 99, **camera)
    dims = ("pln", "row", "col")[-axes:]
    image = xr.DataArray(
        noisy,
        dims=dims,
        coords={d: np.arange(n) * s for d, n, s in zip(dims, shape, spacing, strict=True)},
        attrs={"units": dict.fromkeys(dims, "micron"), "title": kind},
    )
    return Scene(
        kind,
        photons,
        seed,
        condition,
        density * scale * GAIN + OFFSET,
        expected,
        image,
        Degradation(torch.from_numpy(kernel), UPSAMPLE),
        psf,
        pairs,
    )


def _seen(
    kind: str, shape: Sequence[int], seed: int, optics: Optics
) -> tuple[np.ndarray, np.ndarray, list[LinePair]]:
    """A specimen on the grid of the deconvolved image, what the camera sees of it, and its lines.

    Both are the inside of a larger field: light comes from all sides.
    """
    factor = UPSAMPLE * FINER
    grid = (STEP, PIXEL / factor, PIXEL / factor)[-len(shape) :]
    coarse = (STEP, PIXEL, PIXEL)[-len(shape) :]
    reach = [n // 2 + 1 for n in default_shape(optics, coarse)]
    size = (*(2 * n + 1 for n in reach[:-2]), *(2 * n * factor + 1 for n in reach[-2:]))
    psf = from_optics(optics, grid, size)
    wide = [n + 2 * a for n, a in zip(shape, reach, strict=True)]
    field = (*wide[:-2], *(factor * n for n in wide[-2:]))
    nm = {"pixel": 1000 * PIXEL / factor, "slice_spacing": 1000 * STEP}
    density = torch.from_numpy(specimen(kind, field, seed=seed, **nm).astype(np.float32))
    mean = bin_mean(_blurred(density, psf, shape), factor).numpy().reshape(*shape[:-2], *wide[-2:])
    inside = tuple(slice(a, a + n) for a, n in zip(reach, shape, strict=True))
    fine = (*inside[:-2], *(slice(UPSAMPLE * s.start, UPSAMPLE * s.stop) for s in inside[-2:]))
    edges = np.array(reach[-2:]) * 1000 * PIXEL
    found: list[LinePair] = []
    if kind == "pairs":
        found = line_pairs(np.array(field[-2:]) * nm["pixel"], seed)
    elif kind == "crossings":
        found = crossings(np.array(field[-2:]) * nm["pixel"], seed)[1]
    pairs = [replace(p, row=p.row - edges[0], col=p.col - edges[1]) for p in found]
    rows, cols = inside[-2:]
    fine_rows, fine_cols = fine[-2:]
    truth = bin_mean(density[inside[:-2]], FINER).numpy()[..., fine_rows, fine_cols]
    return truth, mean[..., rows, cols], pairs


def _blurred(density: torch.Tensor, psf: Psf, shape: Sequence[int]) -> torch.Tensor:
    """Blur a field; of a stack only its middle slices, as many as the image has.

    The field is periodic along rows and columns, which reaches as far as the PSF. The slices are
    blurred one by one: all at once take more than ten gigabytes.
    """
    if density.ndim == 2:
        density, shape = density[None], (1, *shape)
    values = torch.from_numpy(psf.values.astype(np.float32)).reshape(-1, *psf.values.shape[-2:])
    rows, cols = density.shape[-2:]
    middle = (-(values.shape[-2] // 2), -(values.shape[-1] // 2))
    otfs = []
    for plane in values:
        wide = torch.nn.functional.pad(plane, (0, cols - plane.shape[1], 0, rows - plane.shape[0]))
        otfs.append(torch.fft.rfft2(wide.roll(middle, (0, 1))))
    reach, first = len(otfs) // 2, (len(density) - shape[0]) // 2
    total = torch.zeros((shape[0], *otfs[0].shape), dtype=torch.complex64)
    for number, plane in enumerate(density):
        spectrum = torch.fft.rfft2(plane)
        for seen in range(shape[0]):
            # Light from the slice `number` in the slice `seen`: the PSF that far from its focus.
            which = reach + first + seen - number
            if 0 <= which < len(otfs):
                total[seen].addcmul_(spectrum, otfs[which])
    return torch.fft.irfft2(total, s=(rows, cols))

"""Scenes that tests of the deconvolution of stacks share."""

import numpy as np
import torch
import xarray as xr

from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.kernel import normalised
from zsfiji.physics.specimens import specimen

PIXEL, STEP = 0.1, 0.2
BLACK, GAIN, READ = 100.0, 2.0, 4.0


def gaussian_psf(lateral=2.5, axial=1.5, half=(4, 9, 9), step=STEP):
    grids = np.meshgrid(*(np.arange(-h, h + 1) for h in half), indexing="ij")
    widths = (axial, lateral, lateral)
    power = sum((g / w) ** 2 for g, w in zip(grids, widths, strict=True))
    return normalised(np.exp(-0.5 * power), (step, PIXEL / 2, PIXEL / 2))


def calibrated(pixels, dims=("pln", "row", "col"), step=STEP):
    spacing = {"pln": step, "row": PIXEL, "col": PIXEL}
    coords = {
        d: np.arange(n) * spacing[d]
        for d, n in zip(dims, pixels.shape, strict=True)
        if d in spacing
    }
    return xr.DataArray(
        pixels, dims=dims, coords=coords, attrs={"units": dict.fromkeys(spacing, "micron")}
    )


def tubes(slices=12, size=48, photons=40.0):
    # Light comes from above, from below and from all sides.
    field = (slices + 8, 2 * size + 20, 2 * size + 20)
    truth = specimen("reticulum", field, slice_spacing=125.0)
    optics = Degradation(torch.from_numpy(gaussian_psf().values), 2)
    mean = optics(torch.from_numpy(truth)).numpy()[4:-4, 5:-5, 5:-5]
    truth = truth[4:-4, 10:-10, 10:-10]
    scale = photons / np.quantile(mean, 0.99)
    draws = np.random.default_rng(0)
    noisy = draws.poisson(mean * scale) * GAIN + BLACK + READ**0.5 * draws.normal(size=mean.shape)
    clean, dense = (x * scale * GAIN + BLACK for x in (mean, truth))
    return dense, clean, noisy.astype(np.float32)

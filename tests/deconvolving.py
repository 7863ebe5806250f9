"""What tests of deconvolution share: scenes, and both methods with options as keywords."""

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

from zsfiji.physics.camera.model import KnownCamera
from zsfiji.physics.noise import Noise
from zsfiji.physics.optics.kernel import Psf, normalised
from zsfiji.services.deconvolve import kinds as ours
from zsfiji.services.deconvolve.service import METHOD, Deconvolve
from zsfiji.services.two_stage.fit import Given
from zsfiji.services.zs_deconvnet import kinds as published
from zsfiji.services.zs_deconvnet.service import METHOD as PUBLISHED
from zsfiji.services.zs_deconvnet.service import ZSDeconvNet

PIXEL = 0.0626
BLACK, GAIN, READ = 100.0, 2.0, 4.0


def fit(image, psf, *, camera=None, start=None, device="auto", restorers=(), **settings):
    """Train our own networks; `restorers` take the place of those of their kind."""
    return _fit(_ours(restorers), image, psf, camera, start, device, settings)


def fit_published(image, psf, *, start=None, restorers=(), **settings):
    """Train a published network; `restorers` as for :func:`fit`."""
    return _fit(_published(restorers), image, psf, None, start, "auto", settings)


def apply(model, image, *, restorers=(), **options):
    """Restore; `restorers` take the place of those of their kind."""
    method = (_ours if model.method == METHOD.name else _published)(restorers)
    if restorers:
        units = (method.unit(unit.record, unit.tensors()) for unit in model.units)
        model = type(model)(model.method, model.settings, model.fitted_to, tuple(units))
    return method.apply(model, image, **options)


def _fit(method, image, psf, camera, start, device, settings):
    psfs = [psf] if isinstance(psf, Psf) else psf
    given = Given(psfs, camera or KnownCamera(), start)
    return method.fit(image, method.settings_type(**settings), given, device=device)


def _ours(restorers):
    return Deconvolve({**ours.RESTORERS, **_by_kind(restorers)}) if restorers else METHOD


def _published(restorers):
    return ZSDeconvNet({**published.RESTORERS, **_by_kind(restorers)}) if restorers else PUBLISHED


def _by_kind(restorers):
    return {(r.kind, r.axes): r for r in restorers}


def gaussian_psf(deviation=3.0, half=12, spacing=PIXEL / 2):
    """A Gaussian on the fine grid."""
    r = np.arange(-half, half + 1)
    line = np.exp(-0.5 * (r / deviation) ** 2)
    return normalised(np.outer(line, line), (spacing, spacing))


def lines(size=96, photons=30.0, seed=0, deviation=3.0):
    """Straight lines: truth on the fine grid and the noisy image, in grey levels."""
    draws = np.random.default_rng(seed)
    rows, cols = np.mgrid[: 2 * size, : 2 * size]
    truth = np.zeros((2 * size, 2 * size))
    for _ in range(8):
        angle, shift = draws.uniform(0, np.pi), draws.uniform(-0.6, 0.6) * size
        away = (rows - size) * np.sin(angle) + (cols - size) * np.cos(angle) - shift
        truth += np.exp(-0.5 * away**2)
    truth += 0.02
    blurred = gaussian_filter(truth, deviation, mode="mirror")
    mean = blurred.reshape(size, 2, size, 2).mean((1, 3))
    scale = photons / np.quantile(mean, 0.99)
    noisy = draws.poisson(mean * scale) * GAIN + BLACK + READ**0.5 * draws.normal(size=mean.shape)
    return truth * scale * GAIN + BLACK, noisy.astype(np.float32)


def calibrated(pixels, dims=("row", "col"), **attrs):
    """An image with pixels of 62.6 nm."""
    units = dict.fromkeys(("row", "col"), "micron")
    coords = {d: np.arange(pixels.shape[dims.index(d)]) * PIXEL for d in ("row", "col")}
    return xr.DataArray(pixels, dims=dims, coords=coords, attrs={"units": units, **attrs})


def white_noise(gain=GAIN, read=READ, dark_level=BLACK):
    """The noise of such an image."""
    return Noise(gain, read - gain * dark_level, read, np.ones((16, 16)), True)

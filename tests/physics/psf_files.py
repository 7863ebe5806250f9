"""Files of PSFs and OTFs, written as the programs and cameras of laboratories write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from zsfiji.physics.optics.kernel import Psf
from zsfiji.physics.optics.measure import otf
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.pupil import from_optics


def write_mrc(path, values, steps, order="<", mark=-16224):
    """An MRC file of the DeltaVision dialect; `steps` along x, y and z."""
    modes = {"c": 4, "f": 2, "u": 6}
    stack = values.reshape((1,) * (3 - values.ndim) + values.shape)
    header = np.zeros(256, order + "i4")
    header[:3] = stack.shape[::-1]
    header[3] = modes[values.dtype.kind]
    header[7:10] = 1
    header.view(order + "f4")[10:13] = steps
    raw = bytearray(header.tobytes())
    raw[96:98] = np.array(mark, order + "i2").tobytes()
    path.write_bytes(bytes(raw) + stack.astype(stack.dtype.newbyteorder(order)).tobytes())
    return path


def radial(psf, count, step):
    """The radial OTF of a PSF at `count` frequencies, by direct summation."""
    n = psf.values.shape[-1]
    x = (np.arange(n) - n // 2) * psf.spacing[-1]
    waves = np.exp(-2j * np.pi * np.outer(np.arange(count) * step, x))
    return (waves @ psf.values.sum(axis=0)).astype(np.complex64)


def stand_ins(folder: Path) -> Path:
    """Simulate the files that laboratories measured, under the same names, in `folder`.

    Optics, pixel sizes, byte order, pixel types, background and noise are like those of the real
    ones; fields are smaller where no test depends on them.
    """
    draws = np.random.default_rng(0)
    for name in ("wf_lysosome", "wf_microtubule", "otf3d", "psf_lls", "decon_bars", "decon_bead"):
        (folder / name).mkdir()

    # A measured one lies between those of the surface alone and of the depth of focus.
    both = [
        from_optics(Optics(kind, 1.49, 610.0), (0.0626, 0.0626), (161, 161))
        for kind in ("TIRF", "wide-field")
    ]
    noise = draws.normal(0, 5e-5, 257) + 1j * draws.normal(0, 5e-5, 257)
    values = 1e4 * (sum(radial(psf, 257, 0.0312) for psf in both) / 2 + noise)
    write_mrc(
        folder / "wf_lysosome" / "TIRF560_cam2_0_z21_OTF2d.mrc",
        values.astype(np.complex64),
        (0.0312, 0.0312, 0.05),
    )

    _write_gaussian(folder / "wf_microtubule" / "psf_emLambda525_dxy0.0313_NA1.3.tif")

    _write_orders(
        folder / "otf3d" / "3D-488-OTF-1.17NA-ang2-0.160step-20-25-3.mrc",
        from_optics(Optics("wide-field", 1.25, 515.0, 1.333), (0.2, 0.08, 0.08), (21, 161, 161)),
    )
    _write_orders(
        folder
        / "otf3d"
        / "C2-0.175cc-SLM6.1-0.16step-560_cam2_step1_001_otf3d-ang0-12-12-1-1.45.mrc",
        from_optics(Optics("wide-field", 1.4, 600.0, 1.515), (0.2, 0.08, 0.08), (21, 161, 161)),
    )

    bead = 8000 * _gaussian((61, 128, 128), (30.2, 70.8, 64.1), (2.91, 1.31, 1.28))
    stack = draws.poisson(bead) + draws.normal(142, 10, bead.shape)
    tifffile.imwrite(folder / "psf_lls" / "psf.tif", np.rint(stack).astype(np.uint16))

    for name, shape in (("decon_bars", (16, 32, 32)), ("decon_bead", (32, 32, 32))):
        kernel = 5000 * _gaussian(shape, [n // 2 for n in shape], (0.8, 0.65, 0.65))
        tifffile.imwrite(folder / name / "kernel.tif", kernel.astype(np.float32))
    return folder


def _gaussian(shape, centre, sigma):
    axes = [
        np.exp(-0.5 * ((np.arange(n) - c) / s) ** 2)
        for n, c, s in zip(shape, centre, sigma, strict=True)
    ]
    result = axes[0]
    for axis in axes[1:]:
        result = result[..., None] * axis
    return result


def _write_gaussian(path: Path) -> None:
    """A PSF model that ImageJ has saved, FWHM 202 nm on pixels of 31.3 nm."""
    sigma = 202 / 31.3 / 2.3548
    tifffile.imwrite(
        path,
        (65535 * _gaussian((257, 257), (128, 128), (sigma, sigma))).astype(np.uint16),
        imagej=True,
        resolution=(1 / 31.3, 1 / 31.3),
        metadata={"unit": "nm"},
    )


def _write_orders(path: Path, psf: Psf) -> None:
    """An OTF of three orders as 3D-SIM programs keep it, the wide-field one first."""
    slices, _, size = psf.values.shape
    light = otf(psf)[:, 0, : size // 2].T
    orders = np.stack([light, 0.5 * light, 0.3 * light]).astype(np.complex64)
    steps = (1 / (slices * psf.spacing[0]), 1 / (size * psf.spacing[-1]), 0)
    write_mrc(path, 3e4 * orders, steps, ">")

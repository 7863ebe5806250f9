"""Hashes of the results of every command for fixed images, to check that a change keeps the pixels.

Run ``python benchmarks/pixels.py > before.txt``, and the same after the change: on one computer the
two tables have to be equal, line by line. Other computers and other versions of torch give other
hashes. It uses only the public Python calls, so that it also runs at earlier commits.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from scipy.ndimage import gaussian_filter

import zsfiji

PIXEL = 0.1
"""Pixel size in micrometres."""


def structure(shape: tuple[int, ...], sigma: float, seed: int = 0) -> np.ndarray:
    """Spots and blurred threads, 0 to 1, made without any module of zsfiji."""
    draws = np.random.default_rng(seed)
    light = np.zeros(shape)
    for _ in range(30):
        place = draws.uniform(0, 1, len(shape)) * shape
        direction = draws.normal(size=len(shape))
        for _ in range(60):
            index = tuple(np.clip(place, 0, np.array(shape) - 1).astype(int))
            light[index] += 1
            direction += 0.3 * draws.normal(size=len(shape))
            place = place + direction / np.linalg.norm(direction)
    light = gaussian_filter(light, sigma)
    return light / light.max()


def captured(
    shape: tuple[int, ...], photons: float, seed: int = 0, blur: float = 0.0
) -> np.ndarray:
    """A 16-bit capture: gain 2, offset 100, read noise 1.5 electrons, noise blurred by `blur`."""
    draws = np.random.default_rng(seed + 100)
    clean = structure(shape, 1.3, seed) * photons + 0.1 * photons
    noisy = draws.poisson(clean) + draws.normal(0, 1.5, shape) - clean
    if blur:
        noisy = gaussian_filter(noisy, blur)
    return np.clip(np.rint(100 + 2 * (clean + noisy)), 0, 65535).astype(np.uint16)


def image(values: np.ndarray, *dims: str) -> xr.DataArray:
    """An image of that pixel size, with a slice spacing of three pixels."""
    steps = {"pln": 3 * PIXEL, "row": PIXEL, "col": PIXEL}
    coords = {d: np.arange(values.shape[n]) * steps[d] for n, d in enumerate(dims) if d in steps}
    units = dict.fromkeys(coords, "micron")
    attrs = {"title": "image", "units": units}
    return xr.DataArray(values, dims=dims, coords=coords, attrs=attrs)


def results(folder: Path) -> Iterator[tuple[str, Any]]:
    """Name and result of each run."""
    plane = image(captured((96, 112), 40), "row", "col")
    yield "denoise quick", zsfiji.denoise(plane, quality="quick", seed=3)
    yield "denoise float", zsfiji.denoise(plane.astype(np.float32) / 7, quality="quick")
    correlated = image(captured((128, 128), 60, 1, blur=0.8), "row", "col")
    yield "denoise correlated", zsfiji.denoise(correlated, quality="quick")
    hyper = image(
        np.stack([captured((3, 64, 64), 30, n) for n in range(2)], 1), "pln", "ch", "row", "col"
    ).transpose("pln", "row", "col", "ch")
    yield "denoise hyperstack", zsfiji.denoise(hyper, quality="quick")
    yield "denoise by plane", zsfiji.denoise(hyper, quality="quick", fit_per="plane")
    model = folder / "denoise.zsfiji"
    yield "denoise, model saved", zsfiji.denoise(plane, quality="quick", save_model=model)
    yield "denoise, model applied", zsfiji.denoise(plane, apply_model=model, bit_depth="input")
    yield "fm2s auto", zsfiji.fm2s(plane, quality="quick", seed=1, modality="auto")
    published = zsfiji.fm2s(plane, quality="quick", modality="confocal", average=1)
    yield "fm2s confocal", published
    yield "noise calibration", zsfiji.noise_calibration(plane)

    flat = zsfiji.psf_generator(pixel_size=100.0, na=1.2, emission=520.0, width=33)
    deep = zsfiji.psf_generator(
        pixel_size=100.0,
        na=1.2,
        emission=520.0,
        width=25,
        slices=11,
        slice_spacing=300.0,
        dimensions="3d",
    )
    yield "psf 2D", flat
    yield "psf 3D", deep
    beads = np.zeros((192, 192))
    beads[tuple(np.random.default_rng(5).integers(16, 176, (2, 14)))] = 1
    beads = 100 + np.random.default_rng(6).poisson(60000 * gaussian_filter(beads, 1.6))
    yield "psf from beads", zsfiji.psf_from_beads(image(beads.astype(np.uint16), "row", "col"))
    yield "deconvolve 2D", zsfiji.deconvolve(plane, psf=flat, steps=60)
    yield (
        "deconvnet published 2D",
        zsfiji.zs_deconvnet_restore(plane, psf=flat, steps=2, network="published"),
    )
    stack = image(captured((14, 64, 72), 40, 2), "pln", "row", "col")
    yield (
        "deconvolve 3D",
        zsfiji.deconvolve(stack, psf=deep, steps=30, dimensions="3d"),
    )
    yield (
        "deconvnet published 3D",
        zsfiji.zs_deconvnet_restore(
            stack, psf=deep, steps=2, dimensions="3d", network="published", pairs="slices"
        ),
    )
    model = folder / "deconvolve.zsfiji"
    zsfiji.deconvolve(hyper, psf=flat, steps=30, save_model=model, upsample=1)
    yield "deconvolve, model applied", zsfiji.deconvolve(hyper, apply_model=model)
    longer = zsfiji.deconvolve(
        hyper, psf=flat, steps=20, start_model=model, upsample=1, dimensions="2d"
    )
    yield "deconvolve, continued", longer


def digest(result: Any) -> str:
    """Hash of the pixels, or of the numbers, of a result."""
    content = hashlib.sha256()
    for one in result if isinstance(result, tuple) else (result,):
        if isinstance(one, dict):
            content.update(repr(sorted(one.values())).encode())
        else:
            values = np.ascontiguousarray(one)
            content.update(f"{values.dtype} {values.shape}".encode())
            content.update(values.tobytes())
    return content.hexdigest()[:16]


def main() -> None:
    torch.set_num_threads(1)
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        for name, result in results(Path(folder)):
            print(f"{name:26} {digest(result)}", flush=True)


if __name__ == "__main__":
    main()

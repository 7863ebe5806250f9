"""Deconvolution of real images, by the metrics that need no truth, as a table.

Run ``python benchmarks/deconvolution_real.py FOLDER [--steps 600] [--threads 2]`` for the images in
the folders wf_lysosome, wf_microtubule and celegans2d of FOLDER. FRC is that of two images of
independent noise, each with twice the variance, made from the one image and each restored by a
training of its own. Resolution is that of decorrelation analysis, on each image's own grid. RSP and
RSE compare the result, blurred again, with the noisy image, whose noise limits them; RSE is in
standard deviations of the noise. Lines are looked for in the deconvolved image.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from deconvolvers import METHOD, Given, Settings
from scenes import PIXEL

from zsfiji.images.tiff import read
from zsfiji.physics.camera.calibration.calibrate import calibrate
from zsfiji.physics.camera.model import measure
from zsfiji.physics.optics.files import read_psf
from zsfiji.physics.optics.kernel import Psf
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.pupil import from_optics
from zsfiji.quality.error_map import consistency
from zsfiji.quality.resolution import decorrelation_resolution, frc_resolution, ridge_width
from zsfiji.quality.sharpening import enlarged


def real_images(folder: Path) -> Iterator[tuple[str, xr.DataArray, Psf]]:
    """Calibrated real images with the PSFs that belong to them."""
    half = (PIXEL / 2, PIXEL / 2)
    lysosome, microtubule = folder / "wf_lysosome", folder / "wf_microtubule"
    psf = read_psf(lysosome / "TIRF560_cam2_0_z21_OTF2d.mrc", grid=half)
    yield "lysosomes", _calibrated(lysosome / "cell01.tif", PIXEL), psf
    psf = read_psf(microtubule / "psf_emLambda525_dxy0.0313_NA1.3.tif", spacing=(0.0313, 0.0313))
    yield "microtubules", _calibrated(microtubule / "01.tif", PIXEL), psf
    # Its optics are not told: these are usual ones for such pixels.
    psf = from_optics(Optics("wide-field", 1.4, 461.0), (0.05, 0.05))
    yield "C. elegans", _calibrated(folder / "celegans2d" / "celegans.tif", 0.1), psf


def _calibrated(path: Path, pixel: float) -> xr.DataArray:
    plane = read(str(path)).data.squeeze()
    return xr.DataArray(
        plane,
        dims=("row", "col"),
        coords={d: np.arange(n) * pixel for d, n in zip(("row", "col"), plane.shape, strict=True)},
        attrs={"units": dict.fromkeys(("row", "col"), "micron"), "title": path.stem},
    )


def halves(image: xr.DataArray) -> list[xr.DataArray]:
    """Two images of independent noise out of one, each with twice its variance (equation 2)."""
    plane = image.data.astype(np.float32)
    draws = torch.Generator().manual_seed(0)
    pair = measure([plane]).recorrupt(torch.from_numpy(plane)[None, None], 1.0, draws)
    return [image.copy(data=half[0, 0].numpy()) for half in pair[:2]]


def show_real(folder: Path, steps: int) -> None:
    """What needs no truth, of the real images; lines are looked for in the deconvolved image."""
    print(
        "| image | result | FRC (nm) | resolution (nm) | RSP | RSE | line width (nm) | sharpening "
        "| s |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, image, psf in real_images(folder):
        began = time.perf_counter()
        model = METHOD.fit(image, Settings(steps=steps), Given([psf]))
        both = METHOD.apply(model, image)
        seconds = time.perf_counter() - began
        nm = 1000 * float(image.coords["row"][1] - image.coords["row"][0]) / 2
        smooth, sharp = (both.images[name].data for name in ("denoised", "deconvolved"))
        optics = model.units[0].optics
        noise = float(np.sqrt(calibrate([image.data]).variance(image.data).mean()))
        grown = both.report.metrics["sharpening"]
        pair = halves(image)
        # With the noise of the image itself, that of the halves would be taken for structure.
        models = [METHOD.fit(half, Settings(steps=steps), Given([psf])) for half in pair]
        restored = [METHOD.apply(m, half).images for m, half in zip(models, pair, strict=True)]
        for result, plane, repeated in (
            ("raw", image.data.astype(np.float32), pair),
            ("denoised", smooth, [r["denoised"] for r in restored]),
            ("deconvolved", sharp, [r["deconvolved"] for r in restored]),
        ):
            pixel = nm if plane is sharp else 2 * nm
            ring = frc_resolution(repeated[0].data, repeated[1].data, pixel)
            fine = plane if plane is sharp else enlarged(plane, 2)
            seen = optics(torch.from_numpy(np.ascontiguousarray(sharp))).numpy()
            found = consistency(image.data, seen if plane is sharp else plane)
            print(
                f"| {name} | {result} | {ring:.0f} | {decorrelation_resolution(plane, pixel):.0f} "
                f"| {found.rsp:.3f} | {found.rse / noise:.2f} | {ridge_width(fine, sharp, nm):.0f} "
                f"| {grown if plane is sharp else 1:.1f} | {seconds:.0f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="folder of the real images")
    parser.add_argument("--steps", type=int, default=0, help="0: those of quick")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    show_real(given.folder, given.steps)


if __name__ == "__main__":
    main()

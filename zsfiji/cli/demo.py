"""``zsfiji demo``: one real image denoised in ImageJ, one simulated image measured."""

from __future__ import annotations

import os
import sys
import time
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zsfiji.errors import UserError
from zsfiji.images.files import replacing, require_writable

if TYPE_CHECKING:
    from zsfiji.bridge.start.host import Host

SAMPLE = "nuclei.tif"
"""The bundled image; its origin and licence stand in samples/LICENSES.md."""

RESULT = "zsfiji-demo-denoised.tif"
PICTURE = "zsfiji-demo.png"

_PHOTONS = 12
"""Photons a pixel of the simulated image at its brightest: a dim live-cell image."""

_ZOOM = 2
"""Pixels of the picture for one of the image, so that noise can be seen on any screen."""


def demo(
    *,
    headless: bool | None = None,
    fiji: str | None = None,
    quality: str = "standard",
    folder: str | os.PathLike[str] = ".",
) -> None:
    """Denoise the bundled image with a macro in ImageJ, then a simulated one, and print how well.

    Parameters
    ----------
    headless : bool, optional
        Without windows; None means windows if there is a display. With windows this returns when
        the user has closed ImageJ.
    fiji : str, optional
        See :func:`zsfiji.bridge.start.host.start`.
    quality : {"quick", "standard", "best"}
        Of the restoration.
    folder : path_like
        Where the denoised image (ImageJ TIFF) and the picture (PNG: noisy | denoised) go.

    Raises
    ------
    UserError
        If the folder cannot be written, or ImageJ cannot be started.
    """
    folder = Path(folder).absolute()
    for name in (RESULT, PICTURE):
        require_writable(folder / name)
    from zsfiji.bridge.start import host

    def body(running: Host) -> None:
        show_real(running, folder, quality)
        show_simulated(quality)
        if not running.headless:
            print("\nThe windows stay until you close ImageJ.", flush=True)

    host.serve(body, headless=headless, fiji=fiji)


def show_real(running: Host, folder: Path, quality: str) -> None:
    """Denoise the bundled image in ImageJ, by macro; save the result and a picture of both.

    Parameters
    ----------
    running : Host
        The running ImageJ.
    folder : Path
        Where to save.
    quality : str
        See :func:`demo`.
    """
    from zsfiji import progress
    from zsfiji.bridge import macro, menu
    from zsfiji.images import tiff
    from zsfiji.terminal import Terminal

    menu.install(running)
    print(f"{running.version}\nImageJ runs this macro:\n", flush=True)
    with resources.as_file(resources.files("zsfiji.samples") / SAMPLE) as sample:
        lines = [
            f"open({_quoted(sample)});",
            f'run("Zero-Shot Denoise...", "quality={quality} seed=0");',
            f'saveAs("Tiff", {_quoted(folder / RESULT)});',
        ]
        print("\n".join(f"  {line}" for line in lines), flush=True)
        started = time.monotonic()
        with Terminal() as terminal, progress.using(terminal):
            terminal.begin(SAMPLE)
            macro.run_macro(running, "\n".join(lines))
        seconds = time.monotonic() - started
        if not running.headless:
            _lay_side_by_side(running)
        noisy = tiff.read(sample)
    restored = tiff.read(folder / RESULT)
    save_picture([noisy.data, restored.data], folder / PICTURE)
    rows, cols = noisy.sizes["row"], noisy.sizes["col"]
    device = restored.attrs["properties"]["zsfiji.device"]
    print(f"\n{rows} x {cols} pixels opened, denoised ({device}) and saved in {seconds:.1f} s:")
    print(f"  {folder / RESULT}\n  {folder / PICTURE}   (noisy | denoised)", flush=True)


def _lay_side_by_side(running: Host) -> None:
    """The two images next to each other below ImageJ's window, the Log below them."""
    screen = running.ij1.IJ.getScreenSize()
    side = min((int(screen.width) - 60) // 2, int(screen.height) - 330)
    for place, title in enumerate((SAMPLE, RESULT)):
        imp = running.ij1.WindowManager.getImage(title)
        if imp is not None and imp.getWindow() is not None:
            imp.getWindow().setLocationAndSize(20 + place * (side + 20), 120, side, side + 40)
    log = running.ij1.WindowManager.getWindow("Log")
    if log is not None:
        log.setBounds(20, 180 + side, 2 * side + 20, 120)


def show_simulated(quality: str) -> None:
    """Denoise a simulated image and print PSNR and SSIM next to those of two classics.

    Parameters
    ----------
    quality : str
        See :func:`demo`.
    """
    from rich.console import Console
    from rich.table import Table

    rows = Table("simulated image", "PSNR (dB)", "SSIM", header_style="bold")
    for name, psnr, ssim in measure_simulated(quality):
        rows.add_row(name, f"{psnr:.2f}", f"{ssim:.3f}")
    print(f"\nFilaments and vesicles at {_PHOTONS} photons a pixel at most, the truth known:")
    Console(file=sys.stdout, highlight=False).print(rows)


def measure_simulated(quality: str) -> list[tuple[str, float, float]]:
    """Compare denoisers on a simulated image.

    Parameters
    ----------
    quality : str
        See :func:`demo`.

    Returns
    -------
    list of (name, PSNR in dB, SSIM)
        For the noisy image, a Gaussian of the width that is best for this very image, ND-SAFIR,
        and Zero-Shot Denoise. The data range is that of the truth.
    """
    from zsfiji import progress
    from zsfiji.commands import find
    from zsfiji.commands.run import run_on_array
    from zsfiji.physics.camera.exposure import expose
    from zsfiji.physics.specimens import cell
    from zsfiji.quality import baselines, metrics
    from zsfiji.terminal import Terminal

    noisy, truth = expose(cell(), photons=_PHOTONS)
    span = float(np.ptp(truth))
    sigma = baselines.best_sigma([(noisy, truth)], data_range=span)
    with Terminal() as terminal, progress.using(terminal):
        terminal.begin("simulated image")
        ours = run_on_array(find("denoise"), noisy, {"quality": quality})
    results = {
        "noisy": noisy,
        f"Gaussian, sigma {sigma:g} (the best here)": baselines.gaussian(noisy, sigma),
        "ND-SAFIR": baselines.ndsafir(noisy),
        f"Zero-Shot Denoise ({quality})": ours,
    }
    return [
        (
            name,
            metrics.psnr(truth, image, data_range=span),
            metrics.ssim(truth, image, data_range=span),
        )
        for name, image in results.items()
    ]


def save_picture(planes: list[np.ndarray], path: Path) -> None:
    """Save planes side by side as a PNG, all with the brightness range of the first.

    Parameters
    ----------
    planes : list of numpy.ndarray
        Shape (row, col) each, the same unit.
    path : Path
        The file.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    from PIL import Image

    low, high = np.percentile(planes[0], (0.5, 99.0))
    grey = [np.clip((p.astype(np.float32) - low) / (high - low), 0, 1) for p in planes]
    gap = np.ones((planes[0].shape[0], 3))
    row = np.hstack([part for plane in grey for part in (plane, gap)][:-1])
    pixels = np.kron(np.rint(255 * row).astype(np.uint8), np.ones((_ZOOM, _ZOOM), np.uint8))
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary)


def _quoted(path: Path) -> str:
    text = path.as_posix()
    if '"' in text:
        raise UserError(
            f"The name of the folder {path.parent} has a quotation mark, which "
            "ImageJ's macros do not take. Change into another folder."
        )
    return f'"{text}"'

"""``Noise Calibration...``: gain, background and read noise of a camera, from the image itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsfiji import progress
from zsfiji.commands.declare import command
from zsfiji.parameters.camera import Dark

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from zsfiji.commands.outcome import Curve, Outcome
    from zsfiji.physics.camera.model import Camera

_MOST_PLANES = 16


@command(label="Noise Calibration...", memory=0, result_bytes=0)
def noise_calibration(image: xr.DataArray, *, dark: Dark = None) -> Outcome:
    """Measure the noise of an image by photon transfer: how its variance grows with brightness.

    The gain (grey levels per photoelectron), the background (the grey level without light) and
    the read variance go to the log, with a plot of what was measured and the line through it.
    Nothing is changed. The other commands measure the noise themselves; use the numbers to
    check them, or take better ones from a darker or brighter image of the same camera.
    """
    from zsfiji.commands.inputs import dark_frame
    from zsfiji.commands.outcome import Outcome, Plot
    from zsfiji.images import parts
    from zsfiji.images.axes import size

    parts.require_pixels(image)
    parts.require_contrast(image)
    frame = dark_frame(dark)
    notes: list[str] = []
    metrics: dict[str, float] = {}
    curves: list[Curve] = []
    channels = size(image, "ch")
    for channel, positions in enumerate(parts.groups(image, "channel")):
        progress.report(channel / channels, "Measuring the noise")
        some = positions[:: -(-len(positions) // _MOST_PLANES)]
        planes = [parts.pixels_of(image, p) for p in some]
        camera, found = _measured(planes, frame)
        name = f"Channel {channel + 1}: " if channels > 1 else ""
        notes.append(name + _said(camera, planes))
        metrics |= {f"{k}_ch{channel + 1}" if channel else k: v for k, v in found.items()}
        curves += _curves(camera, planes, name)
    title = f"{image.attrs.get('title') or 'image'} noise"
    plot = Plot(title, "Mean (grey levels)", "Variance (grey levels squared)", tuple(curves))
    return Outcome((), tuple(notes), metrics, (plot,) if curves else ())


def _measured(planes: list[np.ndarray], dark: np.ndarray | None) -> tuple[Camera, dict[str, float]]:
    from zsfiji.physics.camera.model import KnownCamera, measure

    camera = measure(planes, KnownCamera(dark=dark))
    noise = camera.noise
    found = {
        "gain": noise.gain,
        "intercept": noise.intercept,
        "white": float(noise.white),
        "saturated": noise.saturated,
        "confidence": noise.confidence,
    }
    if noise.floor == 0:
        return camera, found
    if camera.dark_level_known:
        read = {
            "background": camera.dark_level,
            "read_variance": float(noise.variance(camera.dark_level)),
        }
    else:
        # An image does not tell the two apart: only the line that both lie on.
        read = {
            "background_least": camera.dark_level,
            "background_most": camera.darkest,
            "read_variance_most": float(noise.variance(camera.darkest)),
        }
    return camera, found | read


def _said(camera: Camera, planes: list[np.ndarray]) -> str:
    from zsfiji.physics.noise import SURE
    from zsfiji.quality.residual import noise_found

    noise, dark_level = camera.noise, camera.dark_level
    if noise.floor == 0:
        return "No noise was found. The image may have been filtered, compressed or simulated."
    if noise.gain > 0:
        text = f"gain {noise.gain:.4g} grey levels per photoelectron"
    else:
        text = "the noise does not grow with the brightness, so the gain is unknown"
    if camera.dark_level_known:
        read = float(noise.variance(dark_level))
        text += (
            f", background {dark_level:.4g}, read variance {read:.4g} (deviation {read**0.5:.3g})"
        )
    elif noise.gain > 0:
        lowest = f"{dark_level:.4g} to" if dark_level < camera.darkest else "at most"
        text += (
            f". Background {lowest} {camera.darkest:.4g}, read variance at most "
            f"{float(noise.variance(camera.darkest)):.4g}: only a dark frame tells the two apart"
        )
    text += f". {noise_found(noise, planes[0])}"
    if noise.confidence < SURE:
        text += (
            " The image does not tell its noise from fine structure, or it is too small: do not "
            "trust the numbers. Use an image with smooth parts, or a dark frame."
        )
    if noise.saturated > 0:
        text += (
            f" {100 * noise.saturated:.2g} % of the pixels are saturated and were left out; where "
            "they are many, do not trust the numbers."
        )
    if noise.gain > 0:
        top = (max(float(p.max()) for p in planes) - dark_level) / noise.gain
        text += f" The brightest pixel has about {top:.3g} photoelectrons."
    return text


def _curves(camera: Camera, planes: list[np.ndarray], name: str) -> list[Curve]:
    """What was measured, and the line through it."""
    from zsfiji.commands.outcome import Curve
    from zsfiji.physics.camera.calibration.smoothest import photon_transfer

    if camera.noise.floor == 0:
        return []
    mean, variance = photon_transfer(planes, camera.noise)
    order = mean.argsort()
    x = mean[order]
    line = camera.noise.variance(x)
    return [
        Curve(f"{name}measured", tuple(map(float, x)), tuple(map(float, variance[order])), True),
        Curve(f"{name}fitted", tuple(map(float, x)), tuple(map(float, line))),
    ]

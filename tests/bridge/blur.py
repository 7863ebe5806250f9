"""Small commands declared like the real ones: quick, with parameters and results of each kind."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from zsfiji.commands.declare import command
from zsfiji.parameters.declare import Shown
from zsfiji.parameters.source import Source

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands.outcome import Outcome


@command(label="Test Blur...", suffixes=("blurred",))
def blur(
    image: xr.DataArray,
    *,
    sigma: Annotated[
        float, Field(ge=0, le=50, description="Width of the Gaussian."), Shown("Sigma", unit="px")
    ] = 2.0,
    border: Annotated[
        Literal["nearest", "wrap"],
        Field(description="What lies beyond the border of the image."),
        Shown("Border"),
    ] = "nearest",
    negate: Annotated[
        bool, Field(description="Turn bright into dark."), Shown("Negate the result")
    ] = False,
    seconds: Annotated[
        float,
        Field(ge=0, le=60, description="How long to work, in steps that can be stopped."),
        Shown("Working time", unit="s", advanced=True),
    ] = 0.0,
    weights: Annotated[
        Path | None,
        Field(description="A file that is only looked at."),
        Shown("Weights", advanced=True),
    ] = None,
    notes_to: Annotated[
        Path | None,
        Field(description="A file that is never written."),
        Shown("Save notes as", advanced=True, path="save"),
    ] = None,
    fail: Annotated[
        bool, Field(description="Fail as a programming error does."), Shown("Fail", advanced=True)
    ] = False,
) -> Outcome:
    """Blur an image with a Gaussian.

    It stands for the slow commands wherever a test needs one that is quick.
    """
    import numpy as np
    from scipy.ndimage import gaussian_filter

    from zsfiji import progress
    from zsfiji.commands.device_lock import device_lock
    from zsfiji.commands.outcome import Outcome, result_title
    from zsfiji.errors import UserError
    from zsfiji.images.metadata import carry

    if float(image.max()) == float(image.min()):
        raise UserError("The image is constant: there is nothing to blur.")
    if fail:
        raise ZeroDivisionError("division by zero")
    axes = [image.dims.index(d) for d in ("row", "col")]
    widths = [sigma if axis in axes else 0 for axis in range(image.ndim)]
    pixels = gaussian_filter(image.data.astype(np.float32), widths, mode=border)
    # One at a time, as the real ones.
    with device_lock("cpu"):
        started = time.monotonic()
        step = 0
        while time.monotonic() - started < seconds and not progress.finish_requested():
            done = (time.monotonic() - started) / seconds
            step += 1
            loss = 1 / (0.1 + done)
            progress.report(done, "Blurring", loss=loss, preview=lambda: pixels, step=step)
            time.sleep(0.01)
    result = carry(
        image,
        -pixels if negate else pixels,
        title=result_title(str(image.attrs.get("title", "image")), "blurred"),
    )
    return Outcome((result,), (f"Blurred by {sigma:g} px.",), {"sigma": sigma})


@command(label="Test Compare...", suffixes=("sum", "difference"))
def compare(
    image: xr.DataArray,
    *,
    other: Annotated[
        Source, Field(description="Another image of the same size."), Shown("Other image")
    ],
    third: Annotated[
        Source | None, Field(description="It is only looked at."), Shown("Third image")
    ] = None,
    offset: Annotated[
        float | None, Field(ge=0, description="Added to the sum."), Shown("Offset")
    ] = None,
) -> Outcome:
    """Give the sum and the difference of two images, and a plot of their first rows."""
    import numpy as np

    from zsfiji.commands.outcome import Curve, Outcome, Plot, result_title
    from zsfiji.images import tiff
    from zsfiji.images.metadata import carry

    second = tiff.read(other.path) if other.image is None else other.image
    a, b = (part.data.astype(np.float32) for part in (image, second))
    title = str(image.attrs["title"])
    row = np.atleast_2d(a)[0].ravel()
    places = tuple(float(n) for n in range(row.size))
    curves = [Curve("line", places, tuple(map(float, row)))]
    curves.append(Curve("points", places, tuple(float(v) / 2 for v in row), points=True))
    return Outcome(
        (
            carry(image, a + b + (offset or 0), title=result_title(title, "sum")),
            carry(image, a - b, title=result_title(title, "difference")),
        ),
        (f"Compared with {other.text}.",),
        {"mean": float((a - b).mean())},
        (Plot(f"{title} rows", "Place", "Value", tuple(curves)),),
    )


@command(label="Test Paint...")
def paint(
    *,
    size: Annotated[
        int,
        Field(ge=4, le=512, description="Edge of the image."),
        Shown("Size", unit="px", suggest="pixel_size"),
    ] = 16,
) -> Outcome:
    """Make an image out of nothing."""
    import numpy as np

    from zsfiji.commands.outcome import Outcome
    from zsfiji.images.axes import as_image

    pixels = np.add.outer(np.arange(size), np.arange(size)).astype(np.float32)
    return Outcome((as_image(pixels, attrs={"title": "painted"}),))

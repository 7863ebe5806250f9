"""Speed of the conversion of images from ImageJ to numpy and back.

Run ``python benchmarks/conversion.py [megabytes]``. It prints MB of pixels per second: for the
first run, which also has to get the memory from the system, and the median of five.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import psutil
import xarray as xr
from rich.console import Console
from rich.table import Table

from zsfiji.bridge.convert.images import from_imageplus, to_imageplus, to_imglib2
from zsfiji.bridge.start.host import start

SIDE = 1024
"""Edge of the planes in pixels."""


def image(dtype: type, megabytes: int, channels: int, rgb: bool) -> xr.DataArray:
    """A stack of planes of 1024 x 1024 pixels with so many megabytes."""
    planes = max(1, megabytes * 2**20 // (SIDE * SIDE * channels * np.dtype(dtype).itemsize))
    pixels = np.random.default_rng(0).integers(0, 200, (planes, channels, SIDE, SIDE), np.uint8)
    made = xr.DataArray(np.moveaxis(pixels.astype(dtype), 1, -1), dims=("pln", "row", "col", "ch"))
    made.attrs["rgb"] = rgb
    made.attrs["display_ranges"] = [(0, 255)] * channels
    return made if channels > 1 else made.isel(ch=0)


def speeds(work: Callable[[], object], bytes_moved: int, runs: int = 5) -> str:
    rates = []
    for _ in range(runs):
        began = time.perf_counter()
        result = work()
        rates.append(bytes_moved / 1e6 / (time.perf_counter() - began))
        del result
    return f"{rates[0]:,.0f} / {statistics.median(rates):,.0f}"


def memory_of(work: Callable[[], object], bytes_moved: int) -> str:
    """Memory that a conversion keeps, relative to the size of the image."""
    process = psutil.Process()
    before = process.memory_info().rss
    result = work()
    share = (process.memory_info().rss - before) / bytes_moved
    del result
    return f"{share:.2f}"


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    host = start(headless=True, fiji="none")
    table = Table(title=f"{host.version}, {megabytes} MB an image")
    table.add_column("image")
    for heading in ("ImageJ to numpy", "numpy to ImageJ", "ImageJ to ImgLib2"):
        table.add_column(f"{heading}\nMB/s, first / median", justify="right")
    table.add_column("memory taken\nin numpy / image", justify="right")
    for name, dtype, channels, rgb in (
        ("8 bit", np.uint8, 1, False),
        ("16 bit", np.uint16, 1, False),
        ("32 bit", np.float32, 1, False),
        ("16 bit, 4 channels", np.uint16, 4, False),
        ("RGB", np.uint8, 3, True),
    ):
        pixels = image(dtype, megabytes, channels, rgb)
        into = speeds(partial(to_imageplus, pixels), pixels.nbytes)
        imp = to_imageplus(pixels)
        out = speeds(partial(from_imageplus, imp), pixels.nbytes)
        kept = memory_of(partial(from_imageplus, imp), pixels.nbytes)
        views = speeds(partial(to_imglib2, imp), pixels.nbytes)
        table.add_row(name, out, into, views, kept)
        del imp
        host.ij1.System.gc()
    Console().print(table)


if __name__ == "__main__":
    main()

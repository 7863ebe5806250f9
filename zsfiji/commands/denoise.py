"""``Zero-Shot Denoise...``: our own denoiser, the one to start with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from zsfiji.commands._declare import Shown, command
from zsfiji.commands._parameters import (
    AdvancedDark,
    ApplyModel,
    Background,
    BitDepth,
    Device,
    FitPer,
    Gain,
    Quality,
    ReadVariance,
    SaveModel,
    Seed,
)

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands._outcome import Outcome

NoiseCorrelation = Annotated[
    int,
    Field(
        ge=0,
        le=4,
        description="Pixels that the noise spreads over, which a camera's processing or "
        "interpolation causes. 0 measures it in the image; 1 means that every pixel has noise of "
        "its own.",
    ),
    Shown("Noise correlation (0 = auto)", unit="px", advanced=True),
]


def _duration(sizes: Mapping[str, int], values: Mapping[str, Any]) -> float:
    from zsfiji.services.denoise.duration import seconds

    return seconds(
        sizes,
        quality=values["quality"],
        fit_per=values["fit_per"],
        train=values["apply_model"] is None,
    )


@command(label="Zero-Shot Denoise...", suffixes=("denoised",), duration=_duration)
def denoise(
    image: xr.DataArray,
    *,
    quality: Quality = "standard",
    fit_per: FitPer = "channel",
    seed: Seed = 0,
    noise_correlation: NoiseCorrelation = 0,
    gain: Gain = None,
    background: Background = None,
    read_variance: ReadVariance = None,
    dark: AdvancedDark = None,
    apply_model: ApplyModel = None,
    save_model: SaveModel = None,
    bit_depth: BitDepth = "auto",
    device: Device = "auto",
) -> Outcome:
    """Remove the noise of a fluorescence image, learning from nothing but the image itself.

    The noise is measured in the image (its growth with brightness, its read-out part, its
    correlation between neighbours) and stabilised; a small network is trained on pairs of
    neighbouring pixels, and its result is blended with those of two filters that know the noise.
    Works on 8, 16 and 32 bit, RGB and hyperstacks; intensities keep their unit.
    """
    from zsfiji.commands._restore import restore
    from zsfiji.commands._sources import dark_frame
    from zsfiji.services.denoise import service

    return restore(
        service,
        image,
        suffix=denoise.command.suffixes[-1],
        settings={
            "quality": quality,
            "fit_per": fit_per,
            "noise_correlation": noise_correlation,
            "gain": gain,
            "background": background,
            "read_variance": read_variance,
            "dark": dark_frame(dark),
        },
        seed=seed,
        device=device,
        bit_depth=bit_depth,
        apply_model=apply_model,
        save_model=save_model,
    )

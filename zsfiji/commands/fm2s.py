"""``FM2S Denoise...``: the published single-image method, with its presets and without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from zsfiji.commands._declare import Shown, command
from zsfiji.commands._parameters import (
    ApplyModel,
    BitDepth,
    Device,
    FitPer,
    Quality,
    SaveModel,
    Seed,
)

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands._outcome import Outcome

Modality = Annotated[
    Literal["auto", "confocal", "twophoton", "widefield", "base"],
    Field(
        description="auto: the noise is measured in the image, which is nearly always best. The "
        "others are the constants that the authors tuned for their microscopes; base is their "
        "setting for simulated calcium imaging."
    ),
    Shown("Modality"),
]

Average = Annotated[
    Literal[1, 2, 4, 8, 16],
    Field(
        description="How many captures were averaged to make the image. It chooses the authors' "
        "constants; auto measures the noise instead, and base is for single captures only."
    ),
    Shown("Averaged captures"),
]


def _duration(sizes: Mapping[str, int], values: Mapping[str, Any]) -> float:
    from zsfiji.services.fm2s.duration import seconds

    return seconds(
        sizes,
        modality=values["modality"],
        quality=values["quality"],
        fit_per=values["fit_per"],
        train=values["apply_model"] is None,
    )


@command(label="FM2S Denoise...", suffixes=("fm2s",), duration=_duration)
def fm2s(
    image: xr.DataArray,
    *,
    modality: Modality = "auto",
    average: Average = 1,
    quality: Quality = "standard",
    fit_per: FitPer = "channel",
    seed: Seed = 0,
    apply_model: ApplyModel = None,
    save_model: SaveModel = None,
    bit_depth: BitDepth = "auto",
    device: Device = "auto",
) -> Outcome:
    """Denoise a fluorescence image with FM2S, a network of 3,529 to 8,034 parameters.

    The network learns to undo synthetic noise put on a pre-denoised copy of the image (Liu et
    al., arXiv:2412.10031). Zero-Shot Denoise... usually gives a better image; FM2S is here for
    comparison with the published method and for its very small models.
    """
    from zsfiji.commands._restore import restore
    from zsfiji.services.fm2s import service

    return restore(
        service,
        image,
        suffix=fm2s.command.suffixes[-1],
        settings={
            "modality": modality,
            "average": average,
            "quality": quality,
            "fit_per": fit_per,
        },
        seed=seed,
        device=device,
        bit_depth=bit_depth,
        apply_model=apply_model,
        save_model=save_model,
    )

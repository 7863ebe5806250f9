"""What the commands that fit a model to an image and apply it have in common."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import xarray as xr

from zsfiji import progress
from zsfiji.commands._outcome import Outcome, result_title
from zsfiji.commands._queue import turn
from zsfiji.images import metadata
from zsfiji.images.files import require_writable

_ENDING = ".zsfiji"
_GREY_RGB = (
    "The RGB image is grey (its three colours are equal): it was restored as one channel. "
    "Image > Type > 8-bit makes such an image smaller."
)
_COLOUR_RGB = "The colours of the RGB image were restored one by one, each as a channel of its own."


def restore(
    service: ModuleType,
    image: xr.DataArray,
    *,
    suffix: str,
    settings: dict[str, Any],
    seed: int,
    device: str,
    bit_depth: str,
    apply_model: Path | None,
    save_model: Path | None,
) -> Outcome:
    """Fit a model, or load one, and apply it.

    Parameters
    ----------
    service : module
        A service, with ``METHOD``, ``fit`` and ``apply``.
    image : xarray.DataArray
        The image; a rectangular selection has been cut out already.
    suffix : str
        Put behind the title.
    settings : dict
        Further arguments of the service's ``fit``.
    seed, device, bit_depth, apply_model, save_model
        See :mod:`zsfiji.commands._parameters`.

    Returns
    -------
    Outcome
        One image.

    Raises
    ------
    UserError
        If the image or a model file does not serve.
    """
    from zsfiji.learning import checkpoints
    from zsfiji.learning.device import choose

    target = model_path(save_model)
    chosen = choose(device)
    work, colour_note = _channels_of(image)
    with turn(str(chosen)):
        if apply_model is None:
            with progress.part(0, 0.85):
                model = service.fit(work, seed=seed, device=device, **settings)
            if target is not None:
                checkpoints.save(model, target)
        else:
            model = checkpoints.load(apply_model, service.METHOD)
        with progress.part(0 if apply_model else 0.85, 1):
            restored = service.apply(model, work, device=device)
    pixels = restored.image
    if colour_note == _GREY_RGB:
        pixels = pixels.expand_dims(ch=3, axis=-1)
    properties = {
        "zsfiji.model": checkpoints.digest(model),
        "zsfiji.device": str(chosen),
        "zsfiji.seed": str(model.settings.get("seed", seed)),
    }
    result = metadata.carry(
        image,
        with_depth(pixels, image, bit_depth),
        title=result_title(str(image.attrs.get("title") or "image"), suffix),
        properties=properties,
    )
    if bit_depth == "32-bit":
        result.attrs.pop("rgb", None)
    notes = restored.notes + ((colour_note,) if colour_note else ())
    return Outcome((result,), notes, dict(restored.figures))


def model_path(path: Path | None) -> Path | None:
    """Where a model goes: with our ending unless `path` has one; a UserError if it cannot."""
    if path is None:
        return None
    path = path.expanduser()
    target = path if path.suffix else path.with_suffix(_ENDING)
    require_writable(target)
    return target


def _channels_of(image: xr.DataArray) -> tuple[xr.DataArray, str]:
    """The channels to restore; a grey image that was saved as RGB has only one."""
    if not image.attrs.get("rgb"):
        return image, ""
    first = image.isel(ch=slice(0, 1))
    if bool((image == first.data).all()):
        return image.isel(ch=0), _GREY_RGB
    return image, _COLOUR_RGB


def with_depth(pixels: xr.DataArray, source: xr.DataArray, depth: str) -> np.ndarray:
    """The pixels in the type that the option `depth` asks for; see :data:`BitDepth`."""
    keep = depth == "input" or (depth == "auto" and bool(source.attrs.get("rgb")))
    if not keep or source.dtype.kind == "f":
        return np.asarray(pixels.data, np.float32)
    limits = np.iinfo(source.dtype)
    # Rounded, not truncated: truncation darkens an image by half a grey level.
    return np.clip(np.rint(pixels.data), limits.min, limits.max).astype(source.dtype)

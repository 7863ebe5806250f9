"""What the commands that fit a model to an image and apply it have in common."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import xarray as xr

from zsfiji import progress
from zsfiji.commands._colours import colours
from zsfiji.commands._device_lock import device_lock
from zsfiji.commands._outcome import Outcome, result_title
from zsfiji.images import metadata
from zsfiji.images.files import require_writable

_ENDING = ".zsfiji"


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
        See :mod:`zsfiji.parameters`.

    Returns
    -------
    Outcome
        One image.

    Raises
    ------
    UserError
        If the image or a model file does not serve.
    """
    from zsfiji.compute.device import choose
    from zsfiji.learning import models

    target = model_path(save_model)
    chosen = choose(device)
    with device_lock(str(chosen)):
        if apply_model is None:
            parts = colours(image)
            with progress.part(0, 0.85):
                model = service.fit(parts.work, seed=seed, device=device, **settings)
            if target is not None:
                models.save(model, target)
        else:
            model = models.load(apply_model, service.METHOD)
            parts = colours(image, model)
        with progress.part(0 if apply_model else 0.85, 1):
            restored = service.apply(model, parts.work, device=device)
    pixels = parts.put_back(restored.image, image)
    properties = {
        "zsfiji.model": models.digest(model),
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
    return Outcome((result,), restored.notes + parts.notes, dict(restored.metrics))


def model_path(path: Path | None) -> Path | None:
    """Where a model goes: with our ending unless `path` has one; a UserError if it cannot."""
    if path is None:
        return None
    path = path.expanduser()
    target = path if path.suffix else path.with_suffix(_ENDING)
    require_writable(target)
    return target


def with_depth(pixels: xr.DataArray, source: xr.DataArray, depth: str) -> np.ndarray:
    """The pixels in the type that `depth` asks for; see :mod:`zsfiji.parameters.output`."""
    keep = depth == "input" or (depth == "auto" and bool(source.attrs.get("rgb")))
    if not keep or source.dtype.kind == "f":
        return np.asarray(pixels.data, np.float32)
    limits = np.iinfo(source.dtype)
    # Rounded, not truncated: truncation darkens an image by half a grey level.
    return np.clip(np.rint(pixels.data), limits.min, limits.max).astype(source.dtype)

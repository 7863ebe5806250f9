"""What the commands that fit a model to an image and apply it have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import xarray as xr

from zsfiji import progress
from zsfiji.commands.colours import Colours, colours
from zsfiji.commands.device_lock import device_lock
from zsfiji.commands.outcome import Outcome, Table, result_title
from zsfiji.images import metadata
from zsfiji.images.files import require_writable, user_path
from zsfiji.images.grid import finer, without_axes
from zsfiji.parameters.model_files import ModelFiles

if TYPE_CHECKING:
    from zsfiji.learning.models import Model
    from zsfiji.services.method import Method

S = TypeVar("S")
Given = TypeVar("Given")
U = TypeVar("U", bound=Any)

_ENDING = ".zsfiji"

_TRAINING = 0.85
"""Part of the progress that the training is. Chosen by eye."""


def restore(
    method: Method[S, Given, U],
    image: xr.DataArray,
    settings: S,
    given: Given,
    *,
    files: ModelFiles,
    results: Sequence[str] | None = None,
    bit_depth: str,
    uncertainty: bool = False,
    adapt: Callable[[Model[S, U], xr.DataArray], Model[S, U]] | None = None,
    device: str,
) -> Outcome:
    """Fit a model, or load one, and apply it.

    Parameters
    ----------
    method : Method
        The method.
    image : xarray.DataArray
        The image; a rectangular selection has been cut out already.
    settings : S
        Its settings.
    given : Given
        What is known beside the image.
    files : ModelFiles
        A model to apply, and where the trained one goes.
    results : sequence of str, optional
        Names of the results to give; all of them without it.
    bit_depth, device : str
        See :mod:`zsfiji.parameters`.
    uncertainty : bool
        Whether the uncertainty of the main result is wanted as well.
    adapt : callable, optional
        Makes a model that was loaded serve the image; see :func:`apply`.

    Returns
    -------
    Outcome
        The results of the method.

    Raises
    ------
    UserError
        If the image or a model file does not serve.
    """
    model, start = loaded_or_fitted(
        method,
        image,
        settings,
        given,
        files=files,
        share=trained_share(_TRAINING, uncertainty),
        device=device,
    )
    return apply(
        method,
        model,
        image,
        results=results,
        bit_depth=bit_depth,
        uncertainty=uncertainty,
        adapt=adapt if files.apply_model is not None else None,
        device=device,
        start=start,
    )


def loaded_or_fitted(
    method: Method[S, Given, U],
    image: xr.DataArray,
    settings: S,
    given: Given,
    *,
    files: ModelFiles,
    share: float,
    device: str,
) -> tuple[Model[S, U], float]:
    """The model that is given, or one that is fitted.

    Parameters
    ----------
    method, image, settings, given, files, device
        See :func:`restore`.
    share : float
        Part of the progress that fitting is.

    Returns
    -------
    Model, float
        The model, and the part of the progress that has been.
    """
    if files.apply_model is not None:
        return load(method, files.apply_model), 0.0
    save = files.save_model
    model = fit(method, image, settings, lambda _: given, save=save, device=device, share=share)
    return model, share


def trained_share(share: float, uncertainty: bool) -> float:
    """Part of the progress that a training is, whose part is `share` without an uncertainty."""
    from zsfiji.services.duration import times_applied

    applied = (1 - share) * times_applied(uncertainty)
    return share / (share + applied)


def fit(
    method: Method[S, Given, U],
    image: xr.DataArray,
    settings: S,
    given: Callable[[Colours], Given],
    *,
    save: Path | None,
    device: str,
    share: float = 1.0,
) -> Model[S, U]:
    """Fit a model, and save it where that is wanted.

    Parameters
    ----------
    method, image, settings, device
        See :func:`restore`.
    given : callable
        Gives what is known beside the image, for those of its channels that are restored.
    save : Path, optional
        Where the model goes.
    share : float
        Part of the progress that this is.

    Raises
    ------
    UserError
        If the image does not serve, or the model could not be saved: that is asked first.
    """
    from zsfiji.compute.device import choose
    from zsfiji.learning import models

    target = model_path(save)
    chosen = colours(image)
    known = given(chosen)
    with device_lock(str(choose(device))), progress.part(0, share):
        model = method.fit(chosen.work, settings, known, device=device)
    if target is not None:
        models.save(model, target)
    return model


def load(method: Method[S, Given, U], path: Path) -> Model[S, U]:
    """Read a model of a method; a UserError if it is none."""
    from zsfiji.learning import models

    return models.load(user_path(path), method)


def apply(
    method: Method[S, Given, U],
    model: Model[S, U],
    image: xr.DataArray,
    *,
    results: Sequence[str] | None = None,
    bit_depth: str,
    uncertainty: bool = False,
    adapt: Callable[[Model[S, U], xr.DataArray], Model[S, U]] | None = None,
    tables: Callable[[Model[S, U]], tuple[Table, ...]] | None = None,
    again: Method[S, Given, U] | None = None,
    as_long: float = 1.0,
    device: str,
    start: float = 0.0,
) -> Outcome:
    """Apply a model.

    Parameters
    ----------
    method, model, image, bit_depth, uncertainty, device
        See :func:`restore`.
    results : sequence of str, optional
        Names of the results to give; all of them without it.
    adapt : callable, optional
        Takes the model and those channels of the image that are restored, and gives the model with
        what is found anew in each image, such as the phases of patterns.
    tables : callable, optional
        Makes tables of the model that was applied, after `adapt`.
    again : Method, optional
        What restores the captures of :func:`.with_uncertainty`; `method` without it.
    as_long : float
        How many times as long the image takes as such a capture.
    start : float
        Part of the progress that has been before.

    Returns
    -------
    Outcome
        The results, the main one last, titled by their names; before them the uncertainty.
    """
    from zsfiji.compute.device import choose
    from zsfiji.learning import models
    from zsfiji.services import uncertainty as uncertain
    from zsfiji.services.duration import times_applied

    device_used = choose(device)
    chosen = colours(image, model)
    captures = times_applied(uncertainty) - 1
    applied = start + (1 - start) * as_long / (as_long + captures)
    with device_lock(str(device_used)):
        with progress.part(start, applied):
            serving = model if adapt is None else adapt(model, chosen.work)
            restored = method.apply(serving, chosen.work, device=device)
        given = [name for name in restored.images if results is None or name in results]
        if uncertainty:
            with progress.part(applied, 1):
                restored = uncertain.with_uncertainty(
                    method, serving, restored, of=given[-1], again=again, device=device
                )
            given = [uncertain.NAME, *given]
    properties = {
        "zsfiji.model": models.digest(model),
        "zsfiji.device": str(device_used),
        "zsfiji.seed": str(getattr(model.settings, "seed", 0)),
    }
    title = str(image.attrs.get("title") or "image")
    images = []
    for name in given:
        a_map = name == uncertain.NAME
        depth = "32-bit" if a_map else bit_depth
        # A colour that is not restored is certain.
        pixels = chosen.put_back(restored.images[name], image, left_out=0 if a_map else None)
        gone = [str(dim) for dim in image.dims if dim not in pixels.dims]
        result = metadata.carry(
            finer(without_axes(image, gone), pixels.sizes["row"] // image.sizes["row"]),
            with_depth(pixels, image, depth),
            title=result_title(title, name),
            properties=properties,
        )
        if depth == "32-bit":
            result.attrs.pop("rgb", None)
        if a_map:
            metadata.show_as_map(result)
        elif gone:
            # One image of several: its grey levels are not those of the source.
            result.attrs["display_ranges"] = metadata.bulk_ranges(result)
        images.append(result)
    report = restored.report
    return Outcome(
        tuple(images),
        report.notes + chosen.notes,
        dict(report.metrics),
        tables=() if tables is None else tables(serving),
    )


def model_path(path: Path | None) -> Path | None:
    """Where a model goes: with our ending unless `path` has one; a UserError if it cannot."""
    if path is None:
        return None
    path = user_path(path)
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

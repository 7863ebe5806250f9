"""``SIM Reconstruct...`` and ``SIM Parameters...``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from zsfiji.commands.declare import command
from zsfiji.commands.raw_planes import require_patterns
from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.device import Device
from zsfiji.parameters.sim import (
    FEWEST_FRAMES,
    RawOrder,
    SavedParameters,
    SaveParameters,
    SimOptics,
    StackOptions,
)
from zsfiji.services.sim.settings import FindPer, Settings

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands.outcome import Outcome

WideField = Annotated[
    bool,
    Field(description="Also the wide-field image, the mean of all frames, on the same pixels."),
    Shown("Wide-field image"),
]

Filtered = Annotated[
    bool,
    Field(
        description="Also the wide-field image sharpened by the same filter: what the patterns "
        "add shows beside it."
    ),
    Shown("Filtered wide-field image"),
]

Spectrum = Annotated[
    bool,
    Field(
        description="Also the spectrum of the result, with the cut-off of the lens and the "
        "patterns marked: green where they are used, red where not."
    ),
    Shown("Spectrum"),
]


@dataclass(frozen=True, kw_only=True)
class Windows(ParameterGroup):
    """Images beside the reconstruction.

    Attributes
    ----------
    widefield, filtered, spectrum : bool
        Which of them.
    """

    widefield: WideField = True
    filtered: Filtered = True
    spectrum: Spectrum = True


@dataclass(frozen=True, kw_only=True)
class ParameterFiles(ParameterGroup):
    """Files with parameters.

    Attributes
    ----------
    use_parameters : Path, optional
        Parameters to use instead of a search.
    save_parameters : Path, optional
        Where those of this image go.
    """

    use_parameters: SavedParameters = None
    save_parameters: SaveParameters = None


@command(
    label="SIM Reconstruct...",
    fits=require_patterns,
    suffixes=("sim",),
    on_request=("widefield", "filtered", "spectrum"),
    memory=16,
    plane_memory=800,
    together=FEWEST_FRAMES,
    result_bytes=2,
    request_bytes=2,
)
def sim_reconstruct(
    image: xr.DataArray,
    *,
    optics: SimOptics,
    order: RawOrder,
    stack: StackOptions,
    settings: Settings,
    windows: Windows,
    files: ParameterFiles,
    device: Device = "auto",
) -> Outcome:
    """Reconstruct a raw image of structured illumination microscopy (SIM).

    The patterns are found in the image itself. The result has half the pixel size and up to twice
    the resolution of the wide-field image. A table gives the spacing, direction and modulation of
    each pattern with a verdict; a pattern that cannot be found is said, and not used.
    """
    from functools import partial

    from zsfiji.commands import sim as body
    from zsfiji.commands.outcome import Outcome, result_title
    from zsfiji.services.sim import stored
    from zsfiji.services.sim.reconstructor import RESULTS
    from zsfiji.services.sim.service import Sim
    from zsfiji.services.sim.spectrum import spectrum
    from zsfiji.services.sim_stack.service import SimStack

    target = stored.target(files.save_parameters)
    asked = {"widefield": windows.widefield, "filtered": windows.filtered, "sim": True}
    results = [name for name in RESULTS if asked[name]]
    reconstruct = partial(body.reconstructed, settings=settings, target=target, device=device)
    known = files.use_parameters
    if stack.dimensions == "3d":
        outcome, units = reconstruct(
            SimStack(results), *body.opened_stack(image, order, optics, stack, known)
        )
    else:
        outcome, units = reconstruct(Sim(results), *body.opened(image, order, optics, known))
    title = str(image.attrs.get("title") or "image")
    images = list(outcome.images)
    if windows.spectrum:
        main = images[-1]
        middle = {d: n // 2 for d, n in main.sizes.items() if d == "pln"}
        others = {d: 0 for d in main.dims if d not in ("pln", "row", "col")}
        plane = main.isel(middle | others)
        seen = spectrum(plane.data, units[0])
        seen.attrs["title"] = result_title(title, "spectrum")
        images.insert(-1, seen)
    patterns = body.table(f"{title} patterns", units, settings.fit_per)
    return Outcome(tuple(images), outcome.notes, outcome.metrics, tables=(patterns,))


@command(label="SIM Parameters...", fits=require_patterns, memory=8, result_bytes=0)
def sim_parameters(
    image: xr.DataArray,
    *,
    optics: SimOptics,
    order: RawOrder,
    fit_per: FindPer = "channel",
    save_parameters: SaveParameters = None,
    device: Device = "auto",
) -> Outcome:
    """Find the patterns of a raw SIM image, without reconstructing it.

    The spacing, direction, phase and modulation of each pattern go to a table, with a verdict. A
    file of them serves SIM Reconstruct... for further images of the same microscope, such as those
    too dim to show their patterns.
    """
    from zsfiji.commands import restore as common
    from zsfiji.commands import sim as body
    from zsfiji.commands.outcome import Outcome
    from zsfiji.services.sim import stored
    from zsfiji.services.sim.report import calibration_report
    from zsfiji.services.sim.service import METHOD

    target = stored.target(save_parameters)
    settings = Settings(fit_per=fit_per)
    raw, given = body.opened(image, order, optics)
    model = common.fit(METHOD, raw, settings, lambda _: given, save=None, device=device)
    units = [unit.calibration for unit in model.units]
    if target is not None:
        stored.save(units, target)
    report = calibration_report(units, raw, fit_per)
    title = str(image.attrs.get("title") or "image")
    patterns = body.table(f"{title} patterns", units, fit_per)
    return Outcome((), report.notes, dict(report.metrics), tables=(patterns,))

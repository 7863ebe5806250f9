"""What the active image suggests for a dialog: values that a user would copy from it."""

from __future__ import annotations

from typing import Any

from zsfiji.commands import Command

_NM = 1000
_FEWEST_SLICES = 5


def suggested(command: Command, image: Any) -> dict[str, Any]:
    """Values of a command's parameters, as far as an image tells them.

    Parameters
    ----------
    command : Command
        The command.
    image : ij.ImagePlus or None
        The active image.

    Returns
    -------
    dict
        Key -> value, in the units of the parameters.
    """
    wanted = {p.suggest: p.key for p in command.parameters if p.suggest}
    if image is None or not wanted:
        return {}
    from zsfiji.physics.optics.spacing import micrometres

    slices = int(image.getNSlices())
    calibration = image.getCalibration()
    # Five slices are the fewest that can be deconvolved in 3D.
    told: dict[str, Any] = {"dimensions": "3d" if slices >= _FEWEST_SLICES else "2d"}
    width = micrometres(str(calibration.getXUnit()).strip())
    if width is not None:
        told["pixel_size"] = round(float(calibration.pixelWidth) * width * _NM, 3)
    depth = micrometres(str(calibration.getZUnit()).strip())
    if depth is not None and slices > 1:
        told["slice_spacing"] = round(float(calibration.pixelDepth) * depth * _NM, 3)
    return {wanted[name]: value for name, value in told.items() if name in wanted}

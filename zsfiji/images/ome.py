"""The calibration in the XML of an OME-TIFF."""

from __future__ import annotations

from xml.etree import ElementTree

from zsfiji.images.units import micrometres

_ATTRIBUTES = {
    "col": ("PhysicalSizeX", "PhysicalSizeXUnit", "µm"),
    "row": ("PhysicalSizeY", "PhysicalSizeYUnit", "µm"),
    "pln": ("PhysicalSizeZ", "PhysicalSizeZUnit", "µm"),
    "t": ("TimeIncrement", "TimeIncrementUnit", "s"),
}


def calibration(xml: str) -> tuple[dict[str, float], dict[str, str]]:
    """Pixel spacings of the first image of an OME document, and their units.

    Parameters
    ----------
    xml : str
        The document.

    Returns
    -------
    steps, units : dict
        Axis -> spacing and axis -> unit, for the axes that the document calibrates; lengths are in
        micrometres. Both are empty if the XML cannot be read: the pixels can still be used.
    """
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return {}, {}
    pixels = next((node for node in root.iter() if node.tag.endswith("}Pixels")), None)
    steps: dict[str, float] = {}
    units: dict[str, str] = {}
    if pixels is None:
        return steps, units
    for dim, (key, unit_key, default) in _ATTRIBUTES.items():
        try:
            step = float(pixels.get(key, ""))
        except ValueError:
            continue
        if step > 0:
            unit = pixels.get(unit_key, default)
            factor = micrometres(unit) if dim != "t" else None
            steps[dim] = step * (factor or 1.0)
            units[dim] = "micron" if factor else "sec" if unit == "s" else unit
    return steps, units

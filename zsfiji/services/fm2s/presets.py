"""The constants that the authors of FM2S tuned for their microscopes."""

from __future__ import annotations

from dataclasses import dataclass

from zsfiji.errors import UserError
from zsfiji.words import counted


@dataclass(frozen=True)
class Preset:
    """Constants for one kind of image.

    Attributes
    ----------
    channels : int
        Copies of the image in the network's input ("amplification", lambda in the paper).
    stride : int
        Edge of the regions that share a noise strength, in pixels.
    median : int
        Edge of the median filter that makes the target, in pixels.
    gaussian : float
        k_g: standard deviation of the Gaussian noise, in grey levels for a region of mean 1.
    poisson : float
        k_p: photons in a full-scale pixel, times the region's mean.
    overall : float
        lambda_p: photons in a full-scale pixel for the noise over the whole image.
    """

    channels: int
    stride: int
    median: int
    gaussian: float
    poisson: float
    overall: float


AVERAGES = (1, 2, 4, 8, 16)
"""Numbers of captures averaged into the image for which there are constants."""

_FMD = {
    # modality: (channels, stride, median), then k_g, k_p, lambda_p, one for each of AVERAGES
    "confocal": (
        (2, 75, 3),
        (200, 125, 70, 10, 5),
        (30, 95, 195, 240, 650),
        (70, 285, 485, 650, 1400),
    ),
    "twophoton": (
        (2, 75, 3),
        (175, 150, 90, 20, 15),
        (30, 85, 300, 185, 850),
        (60, 300, 480, 600, 3800),
    ),
    "widefield": (
        (1, 75, 11),
        (220, 220, 60, 20, 1),
        (45, 100, 650, 600, 1500),
        (2000, 2500, 3500, 4000, 4800),
    ),
}

"""The authors' constants for the FMD images (docs/methods/fm2s.md, section 4)."""

PRESETS: dict[str, dict[int, Preset]] = {
    modality: {
        average: Preset(*shared, *constants)
        for average, *constants in zip(AVERAGES, *columns, strict=True)
    }
    for modality, (shared, *columns) in _FMD.items()
}
"""Modality, then number of averaged captures."""

# For simulated calcium imaging (SRDTrans), as in the authors' program since 2025-09-04; their text
# still has 30 and 150.
PRESETS["base"] = {1: Preset(6, 5, 3, 60, 40, 125)}

MODALITIES = ("base", "confocal", "twophoton", "widefield", "auto")
"""The choices of `modality`: those of :data:`PRESETS`, and "auto", which measures the noise."""


def preset(modality: str, average: int) -> Preset:
    """Look up the constants.

    Parameters
    ----------
    modality : str
        A key of :data:`PRESETS`.
    average : int
        How many captures were averaged into the image.

    Returns
    -------
    Preset
        The constants.

    Raises
    ------
    UserError
        If there are none for these.
    """
    if modality not in PRESETS:
        raise UserError(
            f"There is no modality '{modality}'. Choose one of {', '.join(MODALITIES)}."
        )
    known = PRESETS[modality]
    if average not in known:
        choices = ", ".join(map(str, known))
        raise UserError(
            f"For the modality '{modality}' there are no constants for "
            f"{counted(average, 'averaged capture')}, only for {choices}. Choose "
            "one of these, or the modality auto."
        )
    return known[average]

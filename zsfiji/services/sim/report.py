"""What a user should know about the patterns of a raw SIM image."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import xarray as xr

from zsfiji.images.parts import PATTERN, Position, middle_part, named, positions
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.quality.report import Report
from zsfiji.reconstruction.drift import Drift
from zsfiji.reconstruction.frames import blocks_said, saturation_said
from zsfiji.reconstruction.optics_check import optics_said
from zsfiji.services.sim.calibration import Calibration, Wave
from zsfiji.words import counted

GOOD, WEAKER = 0.5, 0.3
"""Modulation from which a pattern is good, and below which it is weak: how fairSIM reads it
(Mueller et al., Nat. Commun. 7, 10980, 2016)."""

_FINER = 1.05
"""Pattern frequency over the cut-off of the lens from which bands hardly overlap. Not tuned."""

_HAZE = 0.25
"""Share of the light left out as haze from which it is said. Not tuned."""

_NAMED = 5
"""Stacks without light that are named; the others are counted."""

_BLEACHED = 0.2
"""Loss of brightness from the first angle to the last one from which it is said."""


WHOLE = "pattern of angle"
"""What an angle lacks of which no wave is used."""

_LOSS = {
    WHOLE: "in its direction the resolution is that of the wide-field image.",
    "wave in the direction of": "there the resolution is that of the wide-field image.",
    "fine wave of angle": "in its direction only the coarse wave adds resolution.",
    "coarse wave of angle": "in its direction detail that this wave shows best has more noise.",
}
"""What the result lacks without a part of the patterns."""


class Unused(NamedTuple):
    """A pattern, or a wave of it, that is not used.

    Attributes
    ----------
    angle, wave : int
        The first wave that is meant, counted from 0.
    what, which : str
        In words, such as "fine wave of angle" and "2".
    """

    angle: int
    wave: int
    what: str
    which: str


def unused(patterns: Patterns, usable: Sequence[Sequence[bool]]) -> list[Unused]:
    """The patterns, or waves of them, that are not used.

    Parameters
    ----------
    patterns : Patterns
        All that were looked for.
    usable : sequence
        (angle, wave): which ones are used.
    """
    lost = []
    for angle, waves in enumerate(usable):
        if not any(waves):
            lost.append(Unused(angle, 0, WHOLE, f"{angle + 1}"))
            continue
        vectors = patterns.wave_vectors[angle]
        finest = int(vectors.norm(dim=-1).argmax())
        for wave in (n for n, used in enumerate(waves) if not used):
            if patterns.waves == 2:
                what = f"{'fine' if wave == finest else 'coarse'} wave of angle"
                lost.append(Unused(angle, wave, what, f"{angle + 1}"))
            else:
                turn = math.degrees(math.atan2(*vectors[wave].tolist())) % 180
                name = f"{turn:.0f} degrees"
                lost.append(Unused(angle, wave, "wave in the direction of", name))
    return lost


def verdict(wave: Wave) -> str:
    """Say how good a pattern is, in a few words."""
    if not wave.found:
        return "not found"
    if not wave.sure:
        return "uncertain, not used"
    if not wave.usable:
        return "too weak, not used"
    if wave.modulation < WEAKER:
        return "weak"
    return "usable" if wave.modulation < GOOD else "good"


def calibration_report(
    units: Sequence[Calibration], image: xr.DataArray, per: str, *, told: bool = True
) -> Report:
    """Report on the patterns that were found.

    Parameters
    ----------
    units : sequence of Calibration
        One for each channel, or for each stack of patterns.
    image : xarray.DataArray
        The raw image.
    per : {"channel", "plane"}
        Which of both.
    told : bool
        Whether the optics were told, and not found in the image.

    Returns
    -------
    Report
        Sentences, the most important first, and metrics of the first unit.
    """
    notes: dict[str, None] = {}
    stack = middle_part(image, positions(image, PATTERN), PATTERN)
    for sentence in (*saturation_said(stack), *blocks_said(stack)):
        notes[sentence] = None
    channels = len(units) if per == "channel" else 1
    for number, unit in enumerate(units if per == "channel" else units[:1]):
        name = f"Channel {number + 1}: " if channels > 1 else ""
        for sentence in _said(unit, told):
            notes[name + sentence] = None
    if channels > 1 and told:
        notes[
            "All channels were reconstructed with the OTF of one wavelength. Split the channels to "
            "give each its own (Image > Color > Split Channels)."
        ] = None
    first = units[0]
    metrics = {
        "noise_variance": first.record.noise_variance,
        "background": first.record.background,
    }
    for angle, contrast in enumerate(first.record.contrast):
        metrics[f"mcnr_{angle + 1}"] = contrast
    for angle, waves in enumerate(first.waves, 1):
        for number, wave in enumerate(waves, 1):
            at = f"{angle}" if len(waves) == 1 else f"{angle}_{number}"
            metrics |= {
                f"spacing_{at}": wave.spacing,
                f"direction_{at}": wave.direction,
                f"modulation_{at}": wave.modulation,
                f"modulation_error_{at}": wave.error,
                f"significance_{at}": wave.significance,
            }
    return Report(tuple(notes), metrics)


def drift_said(
    drifts: Sequence[Drift], image: xr.DataArray, part: Sequence[str] = PATTERN
) -> list[str]:
    """Say how far the specimen drifted between the angles, and which stacks have no light.

    Parameters
    ----------
    drifts : sequence of Drift
        Of each part of the image, in the order of :func:`.positions`; see :func:`moved_said`.
    image : xarray.DataArray
        The raw image.
    part : sequence of str
        Axes of a part.
    """
    return [*moved_said(drifts), *_dark_said(drifts, positions(image, part))]


def _dark_said(drifts: Sequence[Drift], where: Sequence[Position]) -> list[str]:
    pairs = zip(drifts, where, strict=True)
    dark = [named(position) for drift, position in pairs if not drift.lit]
    if not dark:
        return []
    more = len(dark) - _NAMED
    names = "; ".join(dark[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    # The only stack of an image has no name.
    places = f": {names}" if names else ""
    return [
        f"There is no light above the background, in one frame at least{places}. The result there "
        "is noise, or wrong if other frames have light. If all should have, check the background."
    ]


def moved_said(drifts: Sequence[Drift]) -> list[str]:
    """Say how far the specimen drifted between the angles of the worst stack, if it matters."""
    worst = max((d for d in drifts if d.matters), key=lambda d: d.range, default=None)
    if worst is None:
        return []
    return [
        f"The specimen moved by {worst.range:.2g} pixels between the angles: they were aligned. "
        "What moves faster than that is blurred; acquire faster or hold the specimen still."
    ]


def haze_said(shares: Sequence[float]) -> list[str]:
    """Say what share of the light iterative reconstructions left out, if it is much (median)."""
    share = statistics.median(shares) if shares else 0.0
    if share < _HAZE:
        return []
    return [
        f"{100 * share:.0f} % of the light varies slowly over the image and was left out as haze. "
        "If it belongs to the specimen, use 'quality=automatic', which keeps it."
    ]


def _said(unit: Calibration, told: bool) -> list[str]:
    record = unit.record
    sentences = []
    lost = [n + 1 for n, waves in enumerate(unit.usable) if not any(waves)]
    if len(lost) == len(unit.usable):
        sentences.append(
            "No pattern was found in any angle: the result is a wide-field image. Check that this "
            "is a raw SIM image, its order of the frames, the pixel size, the numerical aperture "
            "and the emission."
        )
    else:
        sentences += _unused_said(unit)
    weak = [
        n + 1
        for n, waves in enumerate(unit.waves)
        if any(w.usable for w in waves) and max(w.modulation for w in waves) < WEAKER
    ]
    if weak:
        sentences.append(
            f"The pattern of angle {', '.join(map(str, weak))} is weak (modulation below "
            f"{WEAKER:g}): the fine detail has much noise."
        )
    if told:
        sentences += optics_said(record.light_beyond, record.cutoff)
    finest = unit.patterns.finest / record.cutoff
    if told and finest > _FINER and not lost:
        sentences.append(
            f"The pattern is {finest:.2f} times as fine as the numerical aperture resolves, as in "
            "TIRF, or the numerical aperture or the emission is not the true one."
        )
    means = [sum(frames) / len(frames) for frames in record.brightness]
    if means[-1] < (1 - _BLEACHED) * means[0]:
        sentences.append(
            f"The last angle is {100 * (1 - means[-1] / means[0]):.0f} % darker than the first one "
            "(bleaching); this was corrected."
        )
    if len(lost) < len(unit.usable):
        sentences.append(_reached(unit))
    if not record.background_given:
        sentences.append(
            f"The background is {record.background:.4g}, the darkest place of the image. Give "
            "'background' if you know it."
        )
    return sentences


def _unused_said(unit: Calibration) -> list[str]:
    """Say which patterns and waves are not used, and why the first of each kind is not."""
    kinds: dict[str, list[Unused]] = {}
    for one in unused(unit.patterns, unit.usable):
        kinds.setdefault(one.what, []).append(one)
    sentences = []
    for what, all_ in kinds.items():
        waves = unit.waves[all_[0].angle]
        best = max(waves, key=lambda w: w.significance)
        wave = best if what == WHOLE else waves[all_[0].wave]
        which = ", ".join(one.which for one in all_)
        sentences.append(f"The {what} {which} cannot be used ({_why(wave)}): {_LOSS[what]}")
    return sentences


def _reached(unit: Calibration) -> str:
    """Say which patterns are used, and the resolution that they give."""
    used = [[wave for wave in waves if wave.usable] for waves in unit.waves]
    waves = [wave for each in used for wave in each]
    pixel = unit.record.pixel
    # Of an image whose pixel size nobody knows.
    unknown = math.isnan(pixel)
    wide, name, digits = (1.0, "pixels", ".2f") if unknown else (1000 * pixel, "nm", ".0f")
    spacings = _span([wide / w.frequency for w in waves], digits)
    fine, coarse = (f"{wide / f:{digits}} {name}" for f in (unit.reach, unit.record.cutoff))
    return (
        f"Patterns of {counted(sum(map(bool, used)), 'angle')}: spacing {spacings} {name}, "
        f"modulation {_span([min(w.modulation, 1) for w in waves], '.2f')}. The finest period that "
        f"passes is {fine}; it is {coarse} in the wide-field image."
    )


def _span(values: Sequence[float], digits: str) -> str:
    """The least and the largest number, as one if they look the same."""
    low, high = (f"{v:{digits}}" for v in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _why(wave: Wave) -> str:
    if not wave.found:
        return "it was not found"
    if wave.error < 0:
        return f"modulation {wave.modulation:.2g}, error unknown"
    return f"modulation {wave.modulation:.2g} +- {wave.error:.2g}"

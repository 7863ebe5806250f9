"""A raw SIM image of which nothing is told: its patterns, its OTF and its noise, and the specimen.

First the patterns and the OTF are found from the spectra: no image is restored for it. Then a
specimen on the three times finer grid explains all frames (:mod:`zsfiji.reconstruction.joint`),
and corrects the patterns in turn (:mod:`zsfiji.reconstruction.refining`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
import torch

from zsfiji import progress
from zsfiji.compute.device import generator
from zsfiji.images.middle import middle
from zsfiji.physics.sim.grid import SCALE
from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction import richardson_lucy
from zsfiji.reconstruction.bands import SIDE
from zsfiji.reconstruction.cutoff import found_transfer
from zsfiji.reconstruction.joint import Joint
from zsfiji.reconstruction.layouts import Layout
from zsfiji.reconstruction.noise import noise_line
from zsfiji.reconstruction.peaks import NEAREST
from zsfiji.reconstruction.refining import Refined, refined
from zsfiji.reconstruction.richardson_lucy import Estimate
from zsfiji.reconstruction.search import Estimate as Seen
from zsfiji.reconstruction.search import Search, estimate
from zsfiji.reconstruction.thinning import Look, best_look, count_iterations, thinned
from zsfiji.reconstruction.window import with_structure

K = TypeVar("K", bound="Known")
S = TypeVar("S")

MOST = 240
"""Most iterations that are counted."""

_CUTOFFS = tuple(float(v) for v in np.geomspace(0.13, 0.48, 8))
"""Cut-offs that the search for patterns is tried with, in cycles per pixel. Each finds patterns
from half of it to 1.25 times, so that all are reached several times."""

_ROUNDS = 2
"""How often patterns and OTF are found in turn. A third round changed nothing."""

_FIRST, _TURNS = 24, 2
"""Iterations before the patterns are refined, and how often they are."""

_SIDE = 256
"""Side in pixels of the square, of whose area the middle is in which patterns are refined and
iterations are counted: bounds the time. A narrow image is taken whole."""


@dataclass(frozen=True, eq=False)
class Known:
    """What has to be known of a raw image to find its specimen.

    Attributes
    ----------
    patterns : Patterns
        The illumination, in pixels of the raw image.
    transfer : RadialTransfer
        The OTF.
    gain, read_variance : float
        Variance of the noise for a unit of light above the background, and without light.
    background : float
        Grey level without light.
    """

    patterns: Patterns
    transfer: RadialTransfer
    gain: float
    read_variance: float
    background: float

    def above(self, stack: torch.Tensor) -> torch.Tensor:
        """A raw stack without the background."""
        return stack - self.background

    @property
    def read(self) -> float:
        """Light whose noise is as large as that without light; see :class:`.Joint`."""
        return self.read_variance / max(self.gain, 1e-12)

    def joint(self, shape: tuple[int, int], device: torch.device | None = None) -> Joint:
        """The image formation of frames of this shape, on the finer grid."""
        return Joint(
            self.patterns, self.transfer, shape, self.read, scale=SCALE, haze=None, device=device
        )

    def joint_of(self, stack: torch.Tensor) -> Joint:
        """The image formation of a stack (angle, frame, row, col), where it is."""
        return self.joint((int(stack.shape[-2]), int(stack.shape[-1])), stack.device)

    def predict(self, specimen: torch.Tensor) -> torch.Tensor:
        """The light in the frames of a specimen (3 row, 3 col): (angle, frame, row, col)."""
        rows, cols = (int(n) // SCALE for n in specimen.shape)
        joint = self.joint((rows, cols), specimen.device)
        return joint.predict(Estimate(joint.whole(specimen)))

    def residual(self, above: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
        """Mean squared difference of frames, in variances of the noise: (row, col).

        Parameters
        ----------
        above, expected : torch.Tensor
            (angle, frame, row, col): the measured light, and the explained one.
        """
        noise = (self.gain * expected.clamp_min(0) + self.read_variance).clamp_min(1e-20)
        return ((above - expected).square() / noise).mean((0, 1))


@dataclass(frozen=True, eq=False)
class Found(Known):
    """The same, found in a raw image before any specimen.

    Attributes
    ----------
    cutoff_error : float
        Standard error of the cut-off, relative to it; infinite if the image does not tell, 0 if it
        was given.
    search : zsfiji.reconstruction.search.Estimate
        How sure the patterns are.
    """

    cutoff_error: float
    search: Seen


@dataclass(frozen=True, eq=False)
class Fitted(Generic[K]):
    """What explains a raw image.

    Attributes
    ----------
    specimen : torch.Tensor
        float32 (3 row, 3 col), not negative, in grey levels above the background: its mean over
        the pixels of the camera is that of the frames.
    linear : torch.Tensor
        float32 (3 row, 3 col): the specimen as an ideal lens would show it that resolves what
        linear SIM does, see :meth:`.Joint.shown`.
    surroundings : torch.Tensor
        The specimen with what lies beyond the border, to start another fit from.
    found : Known
        Patterns, OTF, noise and background, as refined.
    iterations : int
        How many there were.
    residual : torch.Tensor
        float32 (row, col): mean over the frames of the squared difference between measured and
        explained light, in variances of the noise: about 1 where the specimen explains the image.
    """

    specimen: torch.Tensor
    linear: torch.Tensor
    surroundings: torch.Tensor
    found: K
    iterations: int
    residual: torch.Tensor

    @property
    def patterns(self) -> Patterns:
        """The illumination."""
        return self.found.patterns

    @property
    def transfer(self) -> RadialTransfer:
        """The OTF."""
        return self.found.transfer

    @property
    def background(self) -> float:
        """Grey level without light."""
        return self.found.background


def find(
    stack: torch.Tensor,
    background: float,
    layout: Layout | Sequence[Layout] = Layout.TWO_BEAM,
    *,
    cutoff: float | None = None,
    damping: float | None = None,
) -> Found:
    """Find patterns, OTF and noise of a raw image, told nothing.

    Parameters
    ----------
    stack : torch.Tensor
        float32 (angle, frame, row, col), in grey levels.
    background : float
        Grey level without light.
    layout : Layout or sequence of Layout
        The beams that make the pattern, or several that may.
    cutoff : float, optional
        That of the OTF in cycles per pixel, if it is known.
    damping : float, optional
        That of the OTF, if it is known.

    Returns
    -------
    Found
        The best guess also where no pattern was found; `search.found` says so.

    Raises
    ------
    UserError
        If a frame has no light above the background.
    """
    above = stack - background
    # Every search looks at the part with most structure: it is chosen once.
    rows, cols = with_structure(above, SIDE)
    part = above[..., rows, cols]
    best: tuple[float, RadialTransfer, Search] | None = None
    for guess in (cutoff,) if cutoff is not None else _CUTOFFS:
        progress.stop_if_cancelled()
        lens = RadialTransfer(guess, damping or 1.0)
        search = Search(part, lens, layout)
        evidence = search.evidence + _BEYOND * all(peak.found for peak in search.peaks)
        if best is None or evidence > best[0]:
            best = (evidence, lens, search)
    assert best is not None
    # Phases and exact places are measured with the best one only.
    transfer, seen, error = best[1], best[2].estimate(), math.inf
    for _ in range(_ROUNDS):
        if not bool(seen.found.any()):
            break
        progress.stop_if_cancelled()
        one = found_transfer(
            part,
            seen.patterns.where(seen.found),
            transfer,
            seen.noise_variance,
            cutoff=cutoff is None,
            damping=damping is None,
        )
        transfer, error = one.transfer, one.error
        # Coarse patterns, which only lower cut-offs have found, are looked for again.
        nearest = min(NEAREST, _COARSER * seen.patterns.finest / transfer.cutoff)
        again = estimate(part, transfer, layout, nearest=nearest)
        if int(again.found.sum()) < int(seen.found.sum()):
            # They are lost beside the centre of the bands: what the lower cut-off gave is kept.
            break
        seen = again
    light = max(float(above.mean()), 1e-12)
    gain, read = noise_line(above, transfer) or (seen.noise_variance / light, 0.0)
    seen = replace(seen, patterns=seen.patterns.moved(-float(rows.start), -float(cols.start)))
    patterns = replace(seen.patterns, modulation=seen.patterns.modulation.clamp(max=1.0))
    return Found(patterns, transfer, gain, read, background, error, seen)


_BEYOND = 100.0
"""What it counts for a cut-off, in squared significance, that all patterns are found with it."""

_COARSER = 0.8
"""Lowest frequency that is looked at again, over that of the patterns that were found."""


def fit(found: K, stack: torch.Tensor, *, seed: int = 0) -> Fitted[K]:
    """Refine the patterns of a raw image, and find its specimen from a flat start.

    Parameters
    ----------
    found : Known
        From :func:`find`, for this image or another one of the same microscope.
    stack : torch.Tensor
        float32 (angle, frame, row, col), in grey levels.
    seed : int
        Seed of the draws by which iterations are counted.

    Returns
    -------
    Fitted
        After as many iterations as the noise bears, see :mod:`.thinning`; after Finish now with
        fewer.

    Raises
    ------
    Cancelled
        If the user asked to stop.
    """
    with progress.part(0, 0.25):
        found, _ = with_refined(found, stack)
    with progress.part(0.25, 0.6):
        iterations = counted(found, stack, seed=seed)
    with progress.part(0.6, 1):
        return run(found, stack, iterations)


def with_refined(
    found: K, stack: torch.Tensor, start: torch.Tensor | None = None
) -> tuple[K, Refined]:
    """Refine the patterns with the specimen of few iterations, from a start if there is one."""
    part = _Middle.of(found, stack)
    joint, frames = part.joint, part.cut(found.above(stack))
    begin = None if start is None else part.start(start)
    last: Refined | None = None
    for turn in range(_TURNS):
        with progress.part(turn / _TURNS, (turn + 1) / _TURNS):
            now = richardson_lucy.run(
                joint, frames, _FIRST, start=begin, swift=True, label="Refining the patterns"
            )
        last = refined(joint, frames, now, found.gain)
        joint, begin = joint.with_patterns(last.patterns), now.specimen
        if progress.finish_requested():
            break
    assert last is not None
    last = replace(last, patterns=last.patterns.moved(-part.rows.start, -part.cols.start))
    return replace(found, patterns=last.patterns), last


def counted(found: Known, stack: torch.Tensor, *, seed: int = 0) -> int:
    """How many iterations the noise bears; see :func:`fit`."""
    part = _Middle.of(found, stack)
    frames = part.cut(found.above(stack))
    return count_iterations(
        part.joint, frames, found.gain, most=MOST, seed=seed, label="Counting iterations"
    )


@dataclass(frozen=True)
class Choice(Generic[S]):
    """What a fit starts from, and how many iterations follow.

    Attributes
    ----------
    start : hashable or None
        Which start explains held counts best; None if a flat one explains them better.
    iterations : int
        How many there are from that start; 0 where the start itself is best.
    alone : int
        How many there would be from a flat start.
    """

    start: S | None
    iterations: int
    alone: int


def chosen_start(
    found: Known,
    stack: torch.Tensor,
    starts: Callable[[torch.Tensor], Mapping[S, torch.Tensor]],
    *,
    seed: int = 0,
) -> Choice[S]:
    """Choose what a fit starts from by counts that neither the starts nor the fit have seen.

    Parameters
    ----------
    found : Known
        Patterns, OTF and noise.
    stack : torch.Tensor
        float32 (angle, frame, row, col), in grey levels.
    starts : callable
        Gives starts for a stack that has part of the counts: it has the light of the whole one,
        and its noise has 1 / :data:`.SHARE` of the variance.
    seed : int
        Seed of the draws by which counts are dealt.
    """
    part, above = _Middle.of(found, stack), found.above(stack)
    given, held = thinned(above, found.gain, found.read, generator(seed, above.device))
    seen, rest = part.cut(given), part.cut(held)

    def look_from(start: torch.Tensor | None, label: str) -> Look:
        begin = None if start is None else part.start(start)
        return best_look(part.joint, seen, rest, most=MOST, start=begin, at_once=True, label=label)

    with progress.part(0, 0.2):
        alone = look_from(None, "Counting iterations")
    best: tuple[Look, S] | None = None
    with progress.part(0.2, 0.8):
        made = starts(given + found.background)
    for number, (key, start) in enumerate(made.items()):
        with progress.part(0.8 + 0.2 * number / len(made), 0.8 + 0.2 * (number + 1) / len(made)):
            look = look_from(start, "Comparing starts")
        if best is None or look.score > best[0].score:
            best = (look, key)
    flat: Choice[S] = Choice(None, alone.iterations, alone.iterations)
    if best is None:
        return flat
    look, chosen = best
    # Where held counts cannot tell, a start that needs fewer iterations knows more about detail
    # that they hardly show. A wrong one needs more.
    near = look.iterations < alone.iterations and not alone.surely_above(look, found.gain)
    if look.score > alone.score or near:
        return Choice(chosen, look.iterations, alone.iterations)
    return flat


def balanced(found: Known, stack: torch.Tensor, specimen: torch.Tensor) -> torch.Tensor:
    """Give a specimen the brightness, and the even light besides, that explain the frames best.

    What a network makes of frames lacks light that is the same everywhere, such as haze. To explain
    that, a fit would take many steps, and noise with it.

    Parameters
    ----------
    found : Known
        Patterns, OTF and noise.
    stack : torch.Tensor
        float32 (angle, frame, row, col), in grey levels.
    specimen : torch.Tensor
        (3 row, 3 col), in any unit.
    """
    above = found.above(stack)
    light, even = (found.predict(x) for x in (specimen, torch.ones_like(specimen)))
    least = _EVEN * float(above.mean().clamp_min(0))
    weight = 1 / (found.gain * (light.clamp_min(0) + least) + found.read_variance).clamp_min(1e-20)
    both = torch.stack([light.flatten(), even.flatten()]).double()
    weighted = both * weight.flatten().double()
    normal, wanted = weighted @ both.T, weighted @ above.flatten().double()
    gain, offset = (torch.linalg.pinv(normal) @ wanted).tolist()
    return (max(gain, 0.0) * specimen + offset).clamp_min(0)


_EVEN = 0.05
"""Least light that the noise is taken of there, relative to the mean of the frames. Not tuned."""


def run(
    found: K, stack: torch.Tensor, iterations: int, *, start: torch.Tensor | None = None
) -> Fitted[K]:
    """Find the specimen in so many iterations.

    Parameters
    ----------
    found : Known
        Patterns, OTF and noise.
    stack : torch.Tensor
        float32 (angle, frame, row, col), in grey levels.
    iterations : int
        How many; 0 gives the start.
    start : torch.Tensor, optional
        (3 row, 3 col), or with the surroundings of an earlier fit: a specimen in grey levels above
        the background to start from; a flat one by default.
    """
    above = found.above(stack)
    joint = found.joint_of(above)
    taken = 0

    def watch(step: int, now: Estimate) -> bool:
        nonlocal taken
        taken = step
        return progress.finish_requested()

    end = richardson_lucy.run(
        joint,
        above,
        iterations,
        start=None if start is None else _wide(joint, start),
        swift=True,
        watch=watch,
        label="Reconstructing",
    )
    residual = found.residual(above, joint.predict(end))
    inside = joint.inside(end.specimen).contiguous()
    linear = joint.shown(end.specimen)
    return Fitted(inside, linear, end.specimen, found, taken, residual)


def middle_of(shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the middle of an image, where patterns are refined."""
    rows, cols = (
        slice(*middle((n,), max(_SIDE, _SIDE**2 // min(other, _SIDE)))[0].indices(n)[:2])
        for n, other in zip(shape, reversed(shape), strict=True)
    )
    return rows, cols


@dataclass(frozen=True, eq=False)
class _Middle:
    """The middle of an image, and its image formation."""

    joint: Joint
    rows: slice
    cols: slice
    shape: tuple[int, int]

    @classmethod
    def of(cls, found: Known, stack: torch.Tensor) -> _Middle:
        shape = (int(stack.shape[-2]), int(stack.shape[-1]))
        rows, cols = middle_of(shape)
        moved = replace(found, patterns=found.patterns.moved(rows.start, cols.start))
        inside = (rows.stop - rows.start, cols.stop - cols.start)
        return cls(moved.joint(inside, stack.device), rows, cols, shape)

    def cut(self, stack: torch.Tensor) -> torch.Tensor:
        """The middle of frames."""
        return stack[..., self.rows, self.cols].contiguous()

    def start(self, specimen: torch.Tensor) -> torch.Tensor:
        """What belongs to the middle of a specimen, with or without surroundings."""
        before = [
            (have - SCALE * n) // 2 for have, n in zip(specimen.shape, self.shape, strict=True)
        ]
        rows, cols = (
            slice(first + SCALE * part.start, first + SCALE * part.stop)
            for first, part in zip(before, (self.rows, self.cols), strict=True)
        )
        return self.joint.whole(specimen[rows, cols])


def _wide(joint: Joint, start: torch.Tensor) -> torch.Tensor:
    """A specimen with surroundings."""
    return start if start.shape == joint.blur.fine else joint.whole(start)

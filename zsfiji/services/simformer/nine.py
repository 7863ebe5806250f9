r"""Nine frames of any raw image whose patterns are known: by angle and phase, never by number.

The frames of an angle are :math:`D_n = C_0 + \sum_w m_w \mathrm{Re}(e^{i\varphi_{wn}} C_w)`. The
components are found by least squares, and evaluated at three equally spaced phases of the finest
wave. Of more than three directions the three that are most evenly spaced are taken, all directions
give the light :math:`C_0` that is not modulated. A hexagonal pattern has three directions in its
seven frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch

from zsfiji.errors import UserError
from zsfiji.physics.sim.patterns import TURN, Patterns
from zsfiji.services.blind_sim.stacks import require_enough

ANGLES = PHASES = 3
"""What nine frames are."""

_EVEN = math.radians(35)
"""How far directions may be from 60 degrees between them: of four equally spaced ones the best
three are 30 degrees off, of five 24. Not tuned."""


@dataclass(frozen=True)
class _Wave:
    """A wave of a pattern, and where it is."""

    angle: int
    wave: int
    direction: float


def is_nine(angles: int, phases: int) -> bool:
    """Whether frames are what the network was trained on."""
    return (angles, phases) == (ANGLES, PHASES)


def nine_frames(stack: torch.Tensor, patterns: Patterns) -> tuple[torch.Tensor, Patterns]:
    """Make nine frames.

    Parameters
    ----------
    stack : torch.Tensor
        (angle, phase, row, col): light.
    patterns : Patterns
        Of its frames, their origin at the first pixel.

    Returns
    -------
    torch.Tensor
        (3, 3, row, col); the stack itself if it has three angles and three phases.
    Patterns
        Of these frames.

    Raises
    ------
    UserError
        If there are too few frames, or no three directions.
    """
    angles, phases = int(stack.shape[0]), int(stack.shape[1])
    require_enough(angles, phases)
    if is_nine(angles, phases) and patterns.waves == 1:
        return stack, patterns
    chosen = _three(patterns)
    plain, waves = _components(stack, patterns)
    steps = TURN / PHASES * torch.arange(PHASES, dtype=torch.float64)
    first = torch.stack([patterns.phases[w.angle, w.wave, 0] for w in chosen])
    modulation = torch.stack([patterns.modulation[w.angle, w.wave] for w in chosen])
    made = []
    for one in chosen:
        cosine, sine = waves[one.angle][one.wave]
        made.append(
            torch.stack([plain + math.cos(s) * cosine - math.sin(s) * sine for s in steps.tolist()])
        )
    vectors = torch.stack([patterns.wave_vectors[w.angle, w.wave] for w in chosen])
    nine = Patterns(
        vectors[:, None],
        (first[:, None] + steps)[:, None],
        modulation[:, None],
        torch.ones(ANGLES, PHASES, dtype=torch.float64),
    )
    return torch.stack(made), nine


def shares(patterns: Patterns) -> torch.Tensor:
    """How much of each frame is in each of the nine that :func:`nine_frames` makes.

    Returns
    -------
    torch.Tensor
        64-bit (9, angle * phase).
    """
    number = patterns.angles * patterns.frames
    each = torch.eye(number, dtype=torch.float64)
    alone = each.reshape(patterns.angles, patterns.frames, number, 1)
    return nine_frames(alone, patterns)[0].reshape(ANGLES * PHASES, number)


def _components(
    stack: torch.Tensor, patterns: Patterns
) -> tuple[torch.Tensor, list[list[tuple[torch.Tensor, torch.Tensor]]]]:
    """Light that is not modulated, and of each wave the light at its first phase and a quarter on.

    Waves without modulation are left out of the fit.
    """
    plain, waves = [], []
    for angle in range(patterns.angles):
        phases = patterns.phases[angle]
        relative = phases - phases[:, :1]
        used = [w for w in range(patterns.waves) if float(patterns.modulation[angle, w]) > 0]
        columns = [torch.ones(patterns.frames, dtype=torch.float64)]
        for wave in used:
            columns += [relative[wave].cos(), -relative[wave].sin()]
        design = torch.stack(columns, 1) * patterns.brightness[angle][:, None]
        if int(torch.linalg.matrix_rank(design, rtol=1e-3)) < design.shape[1]:
            raise UserError(
                f"The phases of angle {angle + 1} are too near each other to separate the light "
                "that is modulated from that which is not. Check the order of the frames."
            )
        found = torch.einsum("cn,nyx->cyx", torch.linalg.pinv(design).to(stack), stack[angle])
        plain.append(found[0])
        nothing = torch.zeros_like(found[0])
        of_angle = [(nothing, nothing)] * patterns.waves
        for number, wave in enumerate(used):
            of_angle[wave] = (found[1 + 2 * number], found[2 + 2 * number])
        waves.append(of_angle)
    return torch.stack(plain).mean(0), waves


def _three(patterns: Patterns) -> tuple[_Wave, ...]:
    """The three waves whose directions are spaced most evenly; of an angle the finest one."""
    waves = []
    for angle in range(patterns.angles):
        there = [w for w in range(patterns.waves) if float(patterns.modulation[angle, w]) > 0]
        if patterns.angles > 1 and there:
            there = [max(there, key=lambda w: float(patterns.wave_vectors[angle, w].norm()))]
        for wave in there:
            row, col = patterns.wave_vectors[angle, wave].tolist()
            waves.append(_Wave(angle, wave, math.atan2(row, col) % math.pi))
    # In the order of their numbers, as the frames are.
    best = min(combinations(waves, ANGLES), key=_uneven, default=None)
    if best is None:
        raise UserError(
            "The network of SIMFormer needs patterns in three directions, and in this image "
            f"{_said(waves)} found. Check the number of angles and the order of the frames, or use "
            "Blind SIM..., which does with fewer directions."
        )
    if _uneven(best) > _EVEN:
        raise UserError(
            "The network of SIMFormer needs patterns in three directions about 60 degrees apart, "
            f"and in this image {_said(waves)} found, which are too near each other. Check the "
            "order of the frames, or use Blind SIM..., which takes any directions."
        )
    return best


def _uneven(waves: tuple[_Wave, ...]) -> float:
    """Largest distance of the angles between neighbouring directions from 60 degrees."""
    sorted_ = np.sort([w.direction for w in waves])
    gaps = np.diff(np.append(sorted_, sorted_[0] + math.pi))
    return float(np.abs(gaps - math.pi / len(waves)).max())


def _said(waves: list[_Wave]) -> str:
    if not waves:
        return "none was"
    degrees = ", ".join(f"{math.degrees(w.direction):.0f}°" for w in waves)
    return f"{degrees} {'was' if len(waves) == 1 else 'were'}"

r"""Patterns refined through the image formation, once there is a specimen to compare with.

With the specimen of :mod:`zsfiji.reconstruction.joint` each frame is known but for its noise. How
it changes with the wave vector, the phase, the modulation of each wave and with the brightness of
the frame has a closed form; weighted least squares over all pixels of an angle give their
corrections (a Gauss-Newton step). The specimen was found with the patterns as they were and has
taken up part of their error, so steps and iterations take turns. The modulation stays: noise that
the specimen has taken up would make it too high (0.9 instead of 0.8 at 1 photon), and the bands
themselves tell it without that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from zsfiji.physics.sim.patterns import TURN, Patterns
from zsfiji.reconstruction.joint import Joint
from zsfiji.reconstruction.richardson_lucy import Estimate

_TURN, _MOVE = 0.5, 0.5
"""Largest step of a phase in radians, and of a wave vector, in cycles over the side of the image.
Larger ones are where the comparison is lost."""


@dataclass(frozen=True)
class Refined:
    """Patterns after a step.

    Attributes
    ----------
    patterns : Patterns
        The patterns.
    wave_vector_error : torch.Tensor
        float64 (angle, wave): standard errors from the noise, of each component in cycles per
        pixel.
    """

    patterns: Patterns
    wave_vector_error: torch.Tensor


def refined(joint: Joint, stack: torch.Tensor, estimate: Estimate, gain: float) -> Refined:
    """Correct patterns such that the frames of a specimen agree better with a stack.

    Parameters
    ----------
    joint : Joint
        The image formation, with the patterns as they are.
    stack : torch.Tensor
        (angle, frame, row, col), without background.
    estimate : Estimate
        The specimen.
    gain : float
        Variance of the noise for a unit of light.

    Returns
    -------
    Refined
        Phases keep their steps from frame to frame.
    """
    old = joint.patterns
    rows, cols = joint.shape
    middle = torch.tensor([(rows - 1) / 2, (cols - 1) / 2], dtype=torch.float64)
    down = (torch.arange(rows, device=stack.device) - middle[0])[:, None].float()
    across = (torch.arange(cols, device=stack.device) - middle[1])[None, :].float()
    bands = joint.band_images(estimate)
    vectors, phases = old.wave_vectors.clone(), old.phases.clone()
    brightness = old.brightness.clone()
    errors = torch.zeros(old.angles, old.waves, dtype=torch.float64)
    for angle in range(old.angles):
        bright = old.brightness[angle].to(stack)[:, None, None]
        even = bands[0].expand(old.frames, rows, cols)
        designs = []
        for wave in range(old.waves):
            first = 1 + 2 * (angle * old.waves + wave)
            turn = joint.turns[angle, wave].to(stack)[:, None, None]
            depth = float(old.modulation[angle, wave])
            along = turn.cos() * bands[first] - turn.sin() * bands[first + 1]
            beside = -depth * (turn.sin() * bands[first] + turn.cos() * bands[first + 1])
            even = even + depth * along
            designs += [along, beside, TURN * down * beside, TURN * across * beside]
        expected = bright * even
        design = [bright * one for one in designs]
        # The brightness of each frame, relative to what it was.
        design += list(torch.eye(old.frames).to(stack)[..., None, None] * expected)
        light = expected.clamp_min(0) + joint.read
        weight = 1 / (gain * light.clamp_min(1e-3 * float(light.mean())))
        flat = torch.stack([d.expand_as(expected).flatten() for d in design]).double()
        weighted = flat * weight.flatten().double()
        gram = weighted @ flat.T
        left = (stack[angle] - joint.haze(estimate) * bright - expected).flatten().double()
        scale = gram.diagonal().clamp_min(1e-300).rsqrt()
        inverse = torch.linalg.pinv(gram * scale * scale[:, None]) * scale * scale[:, None]
        step = (inverse @ (weighted @ left)).cpu()
        error = inverse.diagonal().clamp_min(0).sqrt().cpu()
        for wave in range(old.waves):
            turn, *move = step[4 * wave + 1 : 4 * wave + 4].tolist()
            shift = torch.tensor(move, dtype=torch.float64)
            most = torch.tensor([_MOVE / rows, _MOVE / cols], dtype=torch.float64)
            shift = torch.maximum(torch.minimum(shift, most), -most)
            vectors[angle, wave] += shift
            turn = min(max(turn, -_TURN), _TURN)
            # The phase is that of the first pixel, the step that in the middle.
            phases[angle, wave] += turn - TURN * float(shift @ middle)
            errors[angle, wave] = float(error[4 * wave + 2 : 4 * wave + 4].max())
        brightness[angle] *= 1 + step[-old.frames :].clamp(-0.5, 0.5)
    found = replace(
        old,
        wave_vectors=vectors,
        phases=phases,
        brightness=brightness / brightness.mean(),
    )
    return Refined(found, errors)

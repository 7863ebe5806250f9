"""The image formation of raw 3D-SIM stacks, and what Richardson-Lucy makes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_wiener_3d import SHAPE, error, noise, simulated, stack, transfer, wiener

from zsfiji.reconstruction import richardson_lucy
from zsfiji.reconstruction.joint_3d import JointStack
from zsfiji.reconstruction.richardson_lucy import Estimate
from zsfiji.reconstruction.wiener_3d import captured, field_slices


def formation(**options) -> JointStack:
    return JointStack(simulated().patterns, transfer(field_slices(SHAPE[0])), SHAPE, **options)


def placed(made: JointStack, specimen: torch.Tensor) -> torch.Tensor:
    """A specimen with nothing around it."""
    whole = torch.zeros(made.fine)
    inside = tuple(
        slice(scale * before, scale * before + n)
        for scale, before, n in zip((1, 2, 2), made._before, specimen.shape, strict=True)
    )
    whole[inside] = specimen
    return whole


def test_back_is_the_adjoint_of_the_frames() -> None:
    made = formation()
    draws = torch.Generator().manual_seed(0)
    specimen = torch.rand(made.fine, generator=draws)
    frames = torch.rand(15, *SHAPE, generator=draws)
    seen = made.frames(Estimate(specimen))
    one, other = (
        float((a.double() * b).sum()) for a, b in ((seen, frames), (specimen, made.back(frames)))
    )
    assert one == pytest.approx(other, rel=1e-6)


def test_frames_are_those_of_the_linear_reconstruction() -> None:
    made = formation()
    draws = torch.Generator().manual_seed(0)
    specimen = torch.zeros(SHAPE[0], 2 * SHAPE[1], 2 * SHAPE[2])
    # Far from the ends, beyond which the two continue a specimen in different ways.
    specimen[6:10, 40:88, 40:88] = torch.rand(4, 48, 48, generator=draws)
    frames = made.predict(Estimate(placed(made, specimen)))
    same = captured(specimen, simulated().patterns, SHAPE, transfer(field_slices(SHAPE[0])))
    # Their fields repeat at different distances, which faint light far away shows.
    np.testing.assert_allclose(frames, same, atol=0.05 * float(same.max()))
    together = np.corrcoef(frames.flatten(), same.flatten())[0, 1]
    assert together > 0.999


def test_a_wave_without_modulation_is_left_out() -> None:
    given = simulated().patterns
    modulation = given.modulation.clone()
    modulation[1] = 0
    some = replace(given, modulation=modulation)
    made = JointStack(some, transfer(field_slices(SHAPE[0])), SHAPE)
    frames = made.predict(Estimate(torch.rand(made.fine)))
    assert torch.allclose(frames[1], frames[1, :1].expand_as(frames[1]))
    assert not torch.allclose(frames[0], frames[0, :1].expand_as(frames[0]))
    assert len(made._bands) == 9


def test_a_part_has_the_patterns_of_its_place() -> None:
    rows, cols = slice(8, 56), slice(16, 60)
    made = formation()
    part = made.part(rows, cols)
    specimen = torch.zeros(SHAPE[0], 2 * SHAPE[1], 2 * SHAPE[2])
    specimen[5:9, 50:80, 60:90] = 1
    whole = made.predict(Estimate(placed(made, specimen)))[..., rows, cols]
    cut = specimen[:, 16:112, 32:120]
    same = part.predict(Estimate(placed(part, cut)))
    np.testing.assert_allclose(same, whole, atol=0.05 * float(whole.max()))
    assert np.corrcoef(same.flatten(), whole.flatten())[0, 1] > 0.999


def test_it_is_nearer_to_the_truth_than_the_linear_reconstruction() -> None:
    gain, read = 2.2, (1.5 * 2.2) ** 2
    made = formation(read_variance=read / gain)
    found = richardson_lucy.run(made, stack(), 50, swift=True)
    linear = wiener()
    truth = linear.seen(torch.from_numpy(simulated().truth) - 100)
    automatic = error(linear.reconstruct(stack(), noise()), truth)
    assert error(made.shown(found.specimen), truth) < 0.85 * automatic


def test_an_otf_of_another_field_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="slices"):
        JointStack(simulated().patterns, transfer(SHAPE[0]), SHAPE)

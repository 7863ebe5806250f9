"""Finding the patterns of a raw SIM image."""

import math
from dataclasses import replace

import pytest
import torch
from structured import TRANSFER, Stack, hexagonal, patterns, simulate

from zsfiji.errors import UserError
from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.physics.sim.patterns import TURN, Patterns
from zsfiji.reconstruction.layouts import Layout
from zsfiji.reconstruction.search import Estimate, estimate
from zsfiji.reconstruction.window import with_structure


def _compared(found: Estimate, raw: Stack) -> tuple[torch.Tensor, torch.Tensor]:
    """Errors of wave vectors, in steps of the spectrum, and of phases in degrees at the middle."""
    there, true = found.patterns, raw.patterns
    same = (there.wave_vectors * true.wave_vectors).sum(-1).sign()
    shape = torch.tensor(raw.noisy.shape[-2:])
    off = there.wave_vectors * same[..., None] - true.wave_vectors
    middle = TURN * (off * (shape - 1) / 2).sum(-1)
    turn = there.phases * same[..., None] - true.phases + middle[..., None]
    turn = (turn + math.pi) % TURN - math.pi
    return (off * shape).norm(dim=-1), torch.rad2deg(turn.abs().amax(-1))


@pytest.mark.parametrize("shape", [(128, 128), (97, 150)])
def test_two_beams(shape):
    raw = simulate(given=patterns(), shape=shape)
    found = estimate(raw.noisy, TRANSFER)
    vectors, phases = _compared(found, raw)
    assert bool(found.found.all())
    assert float(vectors.max()) < 0.2
    assert float(phases.max()) < 6
    assert float((found.patterns.modulation - 0.7).abs().max()) < 0.08
    assert 0.7 < found.noise_variance / float(raw.noisy.mean() + 1.5**2) < 1.3
    assert torch.allclose(
        found.spacing, torch.full((3, 1), 1 / 0.9 / TRANSFER.cutoff).double(), 1e-2
    )


def test_middle_of_a_large_image_gives_the_phases_of_the_whole():
    raw = simulate(given=patterns(direction=0.8), shape=(530, 160))
    found = estimate(raw.noisy, TRANSFER)
    vectors, phases = _compared(found, raw)
    assert float(vectors.max()) < 0.2
    assert float(phases.max()) < 8


def test_weak_pattern_in_haze_is_found_by_all_angles_together():
    raw = simulate(given=patterns(modulation=0.3), shape=(192, 192), peak=15, haze=1.0)
    found = estimate(raw.noisy, TRANSFER)
    assert bool(found.found.all())
    assert float(_compared(found, raw)[0].max()) < 0.5


@pytest.mark.parametrize(("waves", "layout"), [(2, Layout.THREE_BEAM), (3, Layout.HEXAGONAL)])
def test_more_waves(waves, layout):
    frames = 2 * waves + 1
    given = patterns(3, frames, waves, spacing=0.8, modulation=0.5)
    if layout is Layout.HEXAGONAL:
        given = hexagonal(modulation=0.5)
    raw = simulate(given=given, shape=(128, 128), peak=200)
    found = estimate(raw.noisy, TRANSFER, layout)
    vectors, phases = _compared(found, raw)
    assert bool(found.found.all())
    assert float(vectors.max()) < 0.1
    assert float(phases.max()) < 8
    assert float((found.patterns.modulation - 0.5).abs().max()) < 0.1
    if layout is Layout.THREE_BEAM:
        long, short = found.patterns.wave_vectors[:, 1], found.patterns.wave_vectors[:, 0]
        assert torch.allclose(long, 2 * short)


@pytest.mark.parametrize("waves", [1, 2])
def test_number_of_beams_can_be_found(waves):
    raw = simulate(given=patterns(3, 5, waves=waves, modulation=0.5), shape=(128, 128), peak=100)
    found = estimate(raw.noisy, TRANSFER, [Layout.TWO_BEAM, Layout.THREE_BEAM])
    assert found.patterns.waves == waves
    assert bool(found.found.all())
    assert float(_compared(found, raw)[0].max()) < 0.2


def test_five_angles_and_phases():
    raw = simulate(given=patterns(5, 5), shape=(128, 128))
    found = estimate(raw.noisy, TRANSFER)
    assert bool(found.found.all())
    assert float(_compared(found, raw)[0].max()) < 0.1


def test_wide_field_image_has_no_pattern():
    raw = simulate(given=patterns(modulation=0.0), shape=(128, 128))
    assert not bool(estimate(raw.noisy, TRANSFER).found.any())


def test_dark_frame():
    raw = simulate(given=patterns(), shape=(64, 64))
    raw.noisy[1, 2] = 0
    with pytest.raises(UserError, match="Frame 3 of angle 2 has no light"):
        estimate(raw.noisy, TRANSFER)


def test_brightness_of_frames():
    true = patterns()
    faded = Patterns(
        true.wave_vectors,
        true.phases,
        true.modulation,
        (1 - torch.arange(9, dtype=torch.float64).reshape(3, 3) / 30) / (1 - 4 / 30),
    )
    found = estimate(simulate(given=faded, shape=(128, 128)).noisy, TRANSFER)
    assert torch.allclose(found.patterns.brightness, faded.brightness, atol=0.02)


def test_drift_between_angles_is_measured_and_does_not_hide_the_pattern():
    true = patterns()
    steps = torch.tensor([[0.0, 0.0], [1.2, -0.4], [2.1, -1.5]], dtype=torch.float64)
    parts = [
        simulate(given=true.only(i), shape=(128, 128), moved=tuple(step)).noisy
        for i, step in enumerate(steps)
    ]
    raw = replace(simulate(given=true, shape=(128, 128)), noisy=torch.cat(parts))
    found = estimate(raw.noisy, TRANSFER)
    assert torch.allclose(found.drift.shifts, steps - steps.mean(0), atol=0.1)
    assert found.drift.matters
    assert bool(found.found.all())
    assert float(_compared(found, raw)[1].max()) < 8
    still = estimate(simulate(given=true, shape=(128, 128)).noisy, TRANSFER)
    assert not still.drift.matters
    assert still.drift.range < 0.05


def test_noise_that_all_frames_share_does_not_lower_the_modulation():
    raw = simulate(given=patterns(), shape=(128, 128), peak=60)
    draws = torch.Generator().manual_seed(8)
    shared = 4 * torch.randn(raw.noisy.shape[-2:], generator=draws)
    found = estimate(raw.noisy + shared, TRANSFER)
    assert float((found.patterns.modulation - 0.7).abs().max()) < 0.12


def test_resampled_image_has_the_noise_of_its_light():
    raw = simulate(given=patterns(spacing=0.8), shape=(96, 96), peak=100)
    wide = torch.nn.functional.interpolate(raw.noisy, scale_factor=2, mode="bicubic")
    found = estimate(wide, RadialTransfer(TRANSFER.cutoff / 2))
    assert bool(found.found.all())
    assert float((found.patterns.modulation - 0.7).abs().max()) < 0.12


def test_unequal_phases_are_found_where_there_is_light_for_it():
    true = patterns()
    deviation = torch.tensor([[0.3, -0.2, -0.1], [-0.25, 0.05, 0.2], [0.1, 0.15, -0.25]])
    uneven = Patterns(
        true.wave_vectors,
        true.phases + deviation[:, None].double(),
        true.modulation,
        true.brightness,
    )
    raw = simulate(given=uneven, shape=(128, 128), peak=500)
    assert float(_compared(estimate(raw.noisy, TRANSFER), raw)[1].max()) < 6
    even = simulate(given=true, shape=(128, 128), peak=20)
    steps = estimate(even.noisy, TRANSFER).patterns.phases.diff(dim=-1)
    assert torch.allclose(steps, torch.full_like(steps, TURN / 3))


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (32, 200)])
@pytest.mark.parametrize("cutoff", [0.02, 0.37, 0.9])
def test_noise_has_no_pattern_whatever_the_shape_and_the_optics(shape, cutoff):
    draws = torch.Generator().manual_seed(1)
    noise = torch.poisson(torch.full((3, 3, *shape), 20.0), generator=draws)
    found = estimate(noise, RadialTransfer(cutoff))
    assert not bool(found.found.any())
    assert bool(found.patterns.phases.isfinite().all())


@pytest.mark.parametrize("grain", [0.0, 3.0])
def test_frames_that_are_the_same_have_no_pattern(grain):
    draws = torch.Generator().manual_seed(1)
    frame = 20 + grain * torch.randn(48, 48, generator=draws)
    found = estimate(frame.expand(3, 3, 48, 48).clone(), TRANSFER)
    assert not bool(found.found.any())
    assert bool(found.significance.isfinite().all())


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_unit_of_the_grey_levels_does_not_matter(unit):
    stack = simulate(given=patterns(), shape=(96, 96)).noisy
    one, other = estimate(stack, TRANSFER), estimate(unit * stack, TRANSFER)
    assert torch.allclose(one.patterns.modulation, other.patterns.modulation, atol=1e-3)
    assert other.noise_variance == pytest.approx(unit**2 * one.noise_variance, rel=1e-3)


def test_patterns_are_found_where_a_large_image_has_structure():
    part = simulate(given=patterns(direction=0.8), shape=(160, 160), peak=60)
    draws = torch.Generator().manual_seed(1)
    whole = 1.5 * torch.randn(3, 3, 900, 720, generator=draws) + 2
    place = (slice(700, 860), slice(20, 180))
    whole[..., place[0], place[1]] += part.noisy
    whole[:, :, 450, 360] = 5000  # a hot pixel in the middle
    assert with_structure(whole, 512)[0].stop > 860
    found = estimate(whole, TRANSFER)
    assert bool(found.found.all())
    there = Stack(part.noisy, part.expected, part.truth, found.patterns.moved(700, 20))
    true = Stack(part.noisy, part.expected, part.truth, part.patterns)
    vectors, phases = _compared(replace(found, patterns=there.patterns), true)
    assert float(vectors.max()) < 0.2
    assert float(phases.max()) < 8


def test_the_middle_serves_unless_there_is_much_more_structure_elsewhere():
    draws = torch.Generator().manual_seed(1)
    whole = torch.poisson(torch.full((1, 3, 600, 640), 20.0), generator=draws)
    assert with_structure(whole, 256) == (slice(172, 428), slice(192, 448))
    assert with_structure(whole, 512) == (slice(44, 556), slice(64, 576))
    assert with_structure(whole[..., :300, :500], 512) == (slice(0, 300), slice(0, 500))


def test_wave_vectors_are_as_exact_as_the_light_at_the_borders_allows():
    errors = []
    for seed in range(12):
        given = patterns(modulation=0.4, direction=0.3 + 0.1 * seed)
        raw = simulate("tubules", peak=100, given=given, seed=seed)
        errors.append(_compared(estimate(raw.noisy, TRANSFER), raw)[0])
    # In steps of the spectrum. With one climb in the bands of the search it was 0.129.
    assert float(torch.stack(errors).square().mean().sqrt()) < 0.115


@pytest.mark.parametrize(
    ("waves", "spacing", "modulation", "side", "seed"),
    [(1, 0.9, 0.7, 48, 4), (2, 0.9, 0.6, 48, 5), (2, 0.8, 0.5, 64, 1)],
)
def test_a_climb_does_not_leave_the_wave_that_was_found(waves, spacing, modulation, side, seed):
    given = patterns(3, 2 * waves + 1, waves, spacing=spacing, modulation=modulation)
    raw = simulate(given=given, shape=(side, side), peak=300, seed=seed)
    layout = Layout.TWO_BEAM if waves == 1 else Layout.THREE_BEAM
    found = estimate(raw.noisy, TRANSFER, layout)
    assert bool(found.found.all())
    # In steps of the spectrum. Without a limit it was 1.8, 2.4 and 9.5.
    assert float(_compared(found, raw)[0].max()) < 0.8


def test_coarse_patterns_are_looked_for_only_on_request():
    raw = simulate(given=patterns(spacing=0.35), shape=(128, 128), peak=200)
    assert not bool(estimate(raw.noisy, TRANSFER).found.any())
    found = estimate(raw.noisy, TRANSFER, nearest=0.2)
    assert bool(found.found.all())
    assert float(_compared(found, raw)[0].max()) < 0.2

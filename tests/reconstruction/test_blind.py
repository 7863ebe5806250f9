"""Patterns, optics and specimen of a raw image of which nothing is told."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from zsfiji.physics.sim.optics import illumination
from zsfiji.physics.sim.published import PublishedStack, published_stack
from zsfiji.reconstruction import blind, richardson_lucy
from zsfiji.reconstruction.blind import Found
from zsfiji.reconstruction.joint import Joint
from zsfiji.reconstruction.refining import refined
from zsfiji.reconstruction.search import Search
from zsfiji.reconstruction.thinning import count_iterations, thinned


@cache
def stack(photons: float = 100.0, period: float = 5.0) -> tuple[PublishedStack, torch.Tensor]:
    one = published_stack("curve", 96, photons=photons, seed=2100, period=period)
    return one, torch.as_tensor(one.raw, dtype=torch.float32)


@cache
def found(photons: float = 100.0, period: float = 5.0) -> Found:
    return blind.find(stack(photons, period)[1], 0.0)


def quality(specimen: torch.Tensor, truth: torch.Tensor, border: int = 18) -> float:
    inside = (slice(border, -border),) * 2
    x, y = (np.asarray(v, np.float64)[inside].ravel() for v in (specimen, truth))
    gain, offset = np.polyfit(x, y, 1)
    error = np.mean((gain * x + offset - y) ** 2)
    return float(10 * math.log10(np.percentile(y, 99.9) ** 2 / error))


@pytest.mark.parametrize("period", [3.2, 5.0, 8.0])
def test_patterns_and_cutoff_are_found(period: float) -> None:
    one, _ = stack(period=period)
    here = found(period=period)
    assert here.search.found.all()
    assert here.transfer.cutoff == pytest.approx(one.transfer.cutoff, rel=0.03)
    for angle in range(3):
        vector, true = here.patterns.wave_vectors[angle, 0], one.patterns.wave_vectors[angle, 0]
        assert min((vector - true).norm(), (vector + true).norm()) < 0.005 * true.norm()
    if period < 8:
        # That of a coarse pattern is measured with the cut-off that found it.
        assert here.patterns.modulation.flatten() == pytest.approx([0.8] * 3, abs=0.08)


def test_a_known_cutoff_is_kept() -> None:
    _, raw = stack()
    here = blind.find(raw, 0.0, cutoff=0.33, damping=1.0)
    assert here.transfer.cutoff == 0.33
    assert here.cutoff_error == 0


def test_patterns_found_in_a_part_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    one, raw = stack(500.0)
    monkeypatch.setattr(blind, "SIDE", 66)
    part: list[torch.Tensor] = []

    def search(frames: torch.Tensor, *told: Any) -> Search:
        part.append(frames)
        return Search(frames, *told)

    monkeypatch.setattr(blind, "Search", search)
    here = blind.find(raw, 0.0, cutoff=one.transfer.cutoff, damping=1.0)
    assert [frames.shape[-2:] for frames in part] == [(66, 66)]
    for patterns in (here.patterns, here.search.patterns):
        light, true = (illumination(p, (96, 96)) for p in (patterns, one.patterns))
        assert float((light - true).abs().mean()) < 0.1 * float((true - 1).abs().mean())


def test_refined_patterns_are_nearer() -> None:
    one, raw = stack()
    here = found()
    shift = torch.tensor([0.0008, -0.0008], dtype=torch.float64)
    wrong = replace(here.patterns, wave_vectors=here.patterns.wave_vectors + shift)
    better, errors = blind.with_refined(replace(here, patterns=wrong), raw)

    def missed(vectors: torch.Tensor) -> float:
        true = one.patterns.wave_vectors
        both = torch.minimum((vectors - true).norm(dim=-1), (vectors + true).norm(dim=-1))
        return float(both.max())

    assert missed(better.patterns.wave_vectors) < 0.35 * missed(wrong.wave_vectors)
    assert (errors.wave_vector_error > 0).all()
    assert better.patterns.modulation.equal(wrong.modulation)


def test_swift_steps_need_fewer_iterations() -> None:
    _, raw = stack()
    joint = found().joint((96, 96))

    def likelihood(swift: bool) -> float:
        mean = joint.predict(richardson_lucy.run(joint, raw, 30, swift=swift)) + joint.read
        seen = (raw + joint.read).clamp_min(0)
        return float((seen * mean.log() - mean).double().sum())

    assert likelihood(True) > likelihood(False)


def test_without_read_noise_both_steps_are_the_same() -> None:
    _, raw = stack()
    here = found()
    joint = Joint(here.patterns, here.transfer, (96, 96), 0.0, scale=3, haze=None)
    one, other = (
        richardson_lucy.run(joint, raw.clamp_min(0), 1, swift=s).specimen for s in (False, True)
    )
    inside = (slice(48, -48),) * 2
    assert torch.allclose(one[inside], other[inside], rtol=0.05, atol=0.01 * float(one.mean()))


def test_a_good_start_is_half_the_way() -> None:
    one, raw = stack()
    truth = torch.as_tensor(one.truth, dtype=torch.float32)
    flat = blind.run(found(), raw, 8)
    led = blind.run(found(), raw, 8, start=truth)
    assert quality(led.specimen, truth) > quality(flat.specimen, truth) + 2
    again = blind.run(found(), raw, 8, start=flat.surroundings)
    assert quality(again.specimen, truth) > quality(flat.specimen, truth)


def test_the_specimen_explains_the_frames() -> None:
    one, raw = stack()
    fitted = blind.fit(found(), raw)
    assert fitted.specimen.shape == (288, 288)
    assert float(fitted.specimen.min()) >= 0
    assert float(fitted.residual.mean()) == pytest.approx(1, abs=0.15)
    assert float(fitted.specimen.mean()) == pytest.approx(float(raw.mean()), rel=0.06)
    wide = torch.nn.functional.interpolate(
        raw.mean((0, 1))[None, None], scale_factor=3, mode="bicubic"
    )[0, 0]
    truth = torch.as_tensor(one.truth, dtype=torch.float32)
    assert quality(fitted.specimen, truth) > quality(wide, truth) + 4


def test_more_light_bears_more_iterations() -> None:
    few, many = (blind.counted(found(photons), stack(photons)[1]) for photons in (1.0, 100.0))
    assert 1 <= few < many <= blind.MOST


def test_iterations_are_those_of_the_seed() -> None:
    _, raw = stack(1.0)
    joint = found(1.0).joint((96, 96))
    numbers = [count_iterations(joint, raw, 1.0, most=40, seed=seed) for seed in (3, 3)]
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize("light", [0.6, 30.0, 9000.0])
def test_thinned_counts_are_independent(light: float) -> None:
    draws = torch.Generator().manual_seed(1)
    gain, read = 2.0, 3.0
    # Counts of the light and of the read noise, which is light with a known mean.
    raw = gain * torch.poisson(torch.full((1, 1, 200, 200), (light + read) / gain), generator=draws)
    given, held = thinned(raw - read, gain, read, draws, 0.8)
    for one, share in ((given, 0.8), (held, 0.2)):
        assert float(one.mean()) == pytest.approx(light, abs=0.03 * (light + read))
        assert float(one.var()) == pytest.approx(gain * (light + read) / share, rel=0.05)
    both = torch.stack([given.flatten(), held.flatten()])
    assert abs(float(torch.corrcoef(both)[0, 1])) < 0.02


def test_brightness_is_refined() -> None:
    _, raw = stack()
    here = found()
    joint = here.joint((96, 96))
    bright = torch.tensor([1.2, 1, 1, 1, 0.9, 1, 1, 1, 0.9]).reshape(3, 3, 1, 1)
    now = richardson_lucy.run(joint, raw, 20, swift=True)
    step = refined(joint, raw * bright, now, here.gain)
    ratio = step.patterns.brightness / here.patterns.brightness
    assert ratio.flatten() == pytest.approx(bright.flatten().double(), abs=0.03)


def test_held_counts_tell_a_better_start_from_a_worse_one() -> None:
    one, raw = stack(1.0)
    known = found(1.0)
    truth = torch.as_tensor(one.truth, dtype=torch.float32)
    truth = truth * float(raw.mean() - known.background) / float(truth.mean())
    near = blind.chosen_start(known, raw, lambda given: {3: truth.flip(0), 7: truth})
    assert near.start == 7
    assert near.iterations < near.alone
    far = blind.chosen_start(known, raw, lambda given: {3: truth.flip(0)})
    assert far.start is None
    assert far.iterations == far.alone == near.alone


def test_a_narrow_image_is_taken_whole() -> None:
    assert blind.middle_of((112, 512)) == (slice(0, 112), slice(0, 512))
    assert blind.middle_of((2000, 64)) == (slice(488, 1512), slice(0, 64))
    assert blind.middle_of((600, 512)) == (slice(172, 428), slice(128, 384))


def test_a_specimen_gets_the_light_that_it_lacks() -> None:
    one, raw = stack()
    known = found()
    truth = torch.as_tensor(one.truth, dtype=torch.float32)
    hazy = raw + float(raw.mean())
    wanted = blind.balanced(known, hazy, 0.3 * truth)
    light = float(wanted.mean()) / float(hazy.mean() - known.background)
    assert light == pytest.approx(1, abs=0.05)
    assert float(wanted.min()) == pytest.approx(float(raw.mean()), rel=0.15)

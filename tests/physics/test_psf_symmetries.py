"""Patches are turned only as far as the optics look the same in that position."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zsfiji.compute.symmetries import dihedral
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.pupil import from_optics
from zsfiji.physics.optics.symmetries import psf_is_round, psf_symmetries

OPTICS = Optics("wide-field", 1.2, 600)


def tensor(spacing):
    return torch.from_numpy(from_optics(OPTICS, spacing).values)


@pytest.mark.parametrize("spacing", [(0.06, 0.06), (0.2, 0.06, 0.06)])
def test_a_round_psf_allows_all_eight(spacing):
    assert psf_symmetries(tensor(spacing)) == tuple(range(8))
    assert psf_is_round(tensor(spacing))


def test_a_cross_and_an_ellipse_are_not_round():
    psf = tensor((0.06, 0.06))
    cross = sum(torch.roll(psf, shift, axis) for axis in (0, 1) for shift in (-6, 0, 6))
    assert psf_symmetries(cross) == tuple(range(8))
    assert not psf_is_round(cross)
    assert not psf_is_round(torch.from_numpy(from_optics(OPTICS, (0.06, 0.03)).values))


def test_noise_of_a_measured_psf_does_not_matter():
    psf = tensor((0.06, 0.06))
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=tuple(psf.shape)))
    assert psf_symmetries(psf + 0.04 * psf.norm() * noise / noise.norm()) == tuple(range(8))


def test_astigmatism_allows_half_turns_and_the_flips_along_its_axes():
    wide = from_optics(OPTICS, (0.06, 0.03)).values
    kept = psf_symmetries(torch.from_numpy(wide))
    square = torch.nn.functional.pad(torch.from_numpy(wide), (0, 0, 16, 16))
    assert kept == (0, 2, 4, 6)
    for which in kept:
        assert torch.allclose(dihedral(square, which), square, atol=1e-9)


def test_coma_allows_one_flip_only():
    psf = tensor((0.06, 0.06))
    comatic = psf + 0.5 * torch.roll(psf, 4, 0) + 0.2 * torch.roll(psf, 8, 0)
    kept = psf_symmetries(comatic)
    assert len(kept) == 2
    assert kept[0] == 0
    assert torch.allclose(dihedral(comatic, kept[1]), comatic, atol=1e-9)

"""The OTFs of 3D-SIM, and simulated stacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from zsfiji.errors import UserError
from zsfiji.images.axes import pixel_size
from zsfiji.images.mrc import read_mrc
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.pupil import from_optics
from zsfiji.physics.sim.light import Light
from zsfiji.physics.sim.optics_3d import axial_frequency, calculated, measured
from zsfiji.physics.sim.simulator_3d import field_slices, simulate_stack

OPTICS = Optics("wide-field", 1.4, 525.0, excitation=488.0)
MEASURED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "otf3d"
LINE = 0.9 * 2 * 1.4 / 525 * 80


def transfer(slices=32, **options):
    return calculated(
        OPTICS, pixel=80.0, spacing=125.0, slices=slices, line=LINE, **{"waves": 2, **options}
    )


def test_the_lens_is_the_spectrum_of_its_psf():
    found = transfer(33)
    psf = from_optics(OPTICS, (0.125, 0.04, 0.04), (33, 191, 191)).values
    spectrum = np.fft.fftn(np.fft.ifftshift(psf))[:, 0, :96]
    frequency = torch.from_numpy(np.fft.fftfreq(191)[:96] * 2)[None]
    lens = found.lens(0, frequency)[:, 0].real.numpy()
    # The PSF is cut off at its sides, which disturbs the lowest frequencies.
    assert np.abs(lens - spectrum)[:, 6:].max() < 0.01
    assert float(found.orders[0, 0, 0].abs()) == pytest.approx(1, abs=1e-5)
    # No light beyond the cut-offs; the one along the axis holds but for the depth of the field.
    assert found.cutoff == pytest.approx(2 * 1.4 / 525 * 80)
    assert float(lens[:, 90:].max()) < 1e-3


def test_the_first_order_is_the_lens_moved_up_and_down():
    found = transfer(64)
    axial = axial_frequency(1000 * LINE / 80, 488.0, 1.515) * 0.080
    frequency = torch.tensor([[0.1 * found.cutoff]])
    lens, first = (found.lens(order, frequency)[:, 0, 0].numpy() for order in (0, 1))
    depth = np.fft.fftfreq(64) * 64 * 125 / 80
    expected = np.fft.fft(np.fft.ifft(lens) * np.cos(2 * np.pi * axial * depth))
    np.testing.assert_allclose(first, expected, atol=1e-5)
    torch.testing.assert_close(found.orders[2], found.orders[0])
    top = np.abs(first)[:32].argmax() / 64 * 80 / 125
    assert top == pytest.approx(axial, abs=0.015)


def test_lines_finer_than_light_are_refused():
    with pytest.raises(UserError, match="488 nm cannot make lines 150 nm apart"):
        axial_frequency(1000 / 150, 488.0, 1.515)
    with pytest.raises(UserError, match="wavelength of excitation"):
        calculated(replace(OPTICS, excitation=None), pixel=80, spacing=125, slices=9, line=0.3)


def test_a_table_of_a_calculated_otf_gives_it_again():
    """Written and read as a measured one, with contrasts of its own."""
    wanted = transfer(32)
    fine = transfer(64)
    contrasts = np.array([1.0, 0.3, 0.2])[:, None, None]
    table = fine.orders.numpy().transpose(0, 2, 1) * contrasts
    table = np.concatenate([table, np.zeros((3, 80, 64))], axis=1)
    steps = (fine.step / 0.080, 1 / (64 * 0.125))
    found = measured(table, steps, pixel=80.0, spacing=125.0, slices=32)
    # At low lateral frequencies a field of half the depth has other axial frequencies.
    row = torch.linspace(0.25, 0.9, 14)[None] * wanted.cutoff
    for order in range(3):
        there, again = wanted.lens(order, row), found.lens(order, row)
        assert float((there - again).abs().max()) < 0.1 * float(there.abs().max())
    assert found.cutoff == pytest.approx(wanted.cutoff, rel=0.1)
    with pytest.raises(UserError, match="two or three orders"):
        measured(table[:1], steps, pixel=80.0, spacing=125.0, slices=32)


@pytest.mark.skipif(not MEASURED.is_dir(), reason="the measured OTFs are not here")
@pytest.mark.parametrize("path", sorted(MEASURED.glob("*.mrc")), ids=lambda p: p.name[:6])
def test_measured_otfs_are_alike_in_all_orders(path):
    mrc = read_mrc(path)
    found = measured(mrc.values, mrc.cell[1:], pixel=92.0, spacing=160.0, slices=48)
    middle = found.orders[:, :, found.orders.shape[2] // 8].abs().sum(1)
    assert float(middle[2] / middle[0]) == pytest.approx(1, abs=0.25)
    # Two lenses, one above and one below, each of half the contrast.
    assert float(middle[1] / middle[0]) == pytest.approx(1, abs=0.4)
    assert 4 < found.cutoff / 0.092 < 6


def test_a_simulated_stack_has_its_light_its_pattern_and_its_truth():
    found = simulate_stack(
        "tubules", (6, 40, 48), optics=OPTICS, peak=50.0, light=Light(beams="three", phases=5)
    )
    assert found.raw.sizes == {"ang": 3, "pha": 5, "pln": 6, "row": 40, "col": 48}
    assert pixel_size(found.raw, "pln") == pytest.approx(0.125)
    assert found.truth.shape == (6, 80, 96)
    light = found.expected - 100
    # All phases together are the wide-field stack, the same for all angles.
    wide = light.mean(1)
    assert np.abs(wide - wide[0]).max() < 1e-3 * wide.max()
    assert np.quantile(wide[0], 0.995) == pytest.approx(110, rel=0.02)
    assert np.abs(light[:, 0] - wide).max() > 0.3 * wide.max()
    # Light comes from slices above and below: their sum differs less than what is in focus.
    planes = wide[0].mean((1, 2))
    assert np.ptp(planes) / planes.mean() < 0.5


def test_two_beams_and_a_given_transfer():
    """The pattern of two beams is the same at all depths: that of three without its first order."""
    light = Light(angles=1)
    slices = field_slices(2)
    found = simulate_stack("tubules", (2, 32, 32), optics=OPTICS, light=light)
    assert found.patterns.waves == 1
    given = transfer(slices)
    again = simulate_stack("tubules", (2, 32, 32), optics=OPTICS, light=light, true_optics=given)
    np.testing.assert_allclose(found.expected, again.expected, rtol=1e-3)

import pytest
import torch

from zsfiji.compute.spectra import frequencies_kept, independent_share, regridded


@pytest.mark.parametrize(("coarse", "fine"), [(4, 8), (5, 10), (6, 9), (7, 7)])
def test_kept_frequencies_are_the_same_in_both_grids(coarse, fine):
    there = torch.fft.fftfreq(fine) * fine
    assert (
        there[frequencies_kept(coarse, fine)].tolist()
        == (torch.fft.fftfreq(coarse) * coarse).tolist()
    )


@pytest.mark.parametrize("points", [(16, 20), (7, 9), (9, 12), (5, 24)])
def test_an_image_on_another_grid_is_the_same_function(points):
    def wave(rows, cols):
        y, x = torch.arange(rows)[:, None] / rows, torch.arange(cols)[None] / cols
        return torch.exp(2j * torch.pi * (2 * y - x)) + torch.exp(-2j * torch.pi * (y + 3 * x))

    spectrum = regridded(torch.fft.fft2(wave(8, 10)), points)
    scale = points[0] * points[1] / 80
    torch.testing.assert_close(torch.fft.ifft2(spectrum) * scale, wave(*points))


def test_the_spread_of_a_mean_over_a_tapered_spectrum_is_that_of_fewer_frequencies():
    draws = torch.Generator().manual_seed(0)
    window = torch.outer(*(torch.hann_window(48, periodic=False),) * 2)
    images = torch.randn(400, 48, 48, generator=draws) * window
    power = torch.fft.rfft2(images).abs().square()[:, 8:16, 8:16]
    power = power / power.mean()
    spread = float(power.mean((1, 2)).var()) * 64
    assert spread == pytest.approx(1 / independent_share(window), rel=0.25)

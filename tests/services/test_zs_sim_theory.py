"""What ZS-SIM stands on: views that lie where the image lies, and a linear reconstruction."""

from __future__ import annotations

import math

import numpy as np
import pytest
import structured
import torch

from zsfiji.services.sim.finding import calibrate
from zsfiji.services.sim.given import Given
from zsfiji.services.zs_sim import scan, views
from zsfiji.services.zs_sim.network import ZsSimNetwork
from zsfiji.services.zs_sim.objective import loss, ssim
from zsfiji.services.zs_sim.reconstruct import Filtering, OfPatterns


@pytest.fixture(scope="module")
def reconstruction() -> OfPatterns:
    """That of a simulated image of 64 x 64 pixels."""
    raw = structured.simulate(shape=(64, 64), peak=500.0)
    found = calibrate(raw.noisy.numpy(), Given(structured.TRANSFER, 0.065, 0.0))
    return OfPatterns(found, raw.noisy, Filtering("classical", 0.1))


def centre(image: torch.Tensor) -> torch.Tensor:
    """Centre of mass of images (..., row, col)."""
    rows, cols = (torch.arange(n, dtype=torch.float32) for n in image.shape[-2:])
    total = image.sum((-2, -1))
    row = (image.sum(-1) * rows).sum(-1) / total
    return torch.stack([row, (image.sum(-2) * cols).sum(-1) / total], -1)


def bead(size: int = 64) -> torch.Tensor:
    """A bead between the pixels."""
    place = torch.arange(size, dtype=torch.float32)
    return torch.exp(-(((place - 30.3)[:, None] ** 2 + (place - 33.8) ** 2) / (2 * 2.0**2)))


def test_a_bead_is_at_the_same_place_in_all_views() -> None:
    image = bead()
    found = centre(views.views(image))
    assert (found - centre(image)).abs().max() < 0.05
    # Pixels that are only doubled lie up to half a pixel beside it.
    doubled = image[1::2, 1::2].repeat_interleave(2, 0).repeat_interleave(2, 1)
    assert (centre(doubled) - centre(image)).abs().max() > 0.4


def test_a_bead_is_at_the_same_place_in_all_reconstructions(reconstruction: OfPatterns) -> None:
    stack = bead().expand(3, 3, 64, 64)
    each = centre(reconstruction.views(stack).clamp_min(0) ** 2)
    whole = centre(reconstruction.whole(stack).clamp_min(0) ** 2)
    assert (each - whole).abs().max() / 2 < 0.05  # in raw pixels


def test_no_pixel_is_in_two_views_and_the_mean_of_the_views_is_the_blurred_image() -> None:
    drawn = torch.Generator().manual_seed(0)
    image = torch.randn(32, 32, generator=drawn)
    for number, offset in enumerate(views.OFFSETS):
        own = torch.zeros(32, 32)
        own[offset.row :: 2, offset.col :: 2] = image[offset.row :: 2, offset.col :: 2]
        seen = [bool((views.view(own, other) != 0).any()) for other in views.OFFSETS]
        assert seen == [other == number for other in range(4)]
    place = torch.arange(256.0)
    for frequency in (0.05, 0.2, 0.33):
        wave = torch.cos(2 * torch.pi * frequency * place).expand(8, 256)
        mean = views.views(wave).mean(0)[4, 32:-32]
        left = float((mean * wave[4, 32:-32]).sum() / wave[4, 32:-32].square().sum())
        assert left == pytest.approx(math.cos(math.pi * frequency), abs=0.05)


def test_sides_may_be_odd_and_a_flat_image_stays_flat() -> None:
    assert views.views(torch.ones(7, 10)).allclose(torch.ones(4, 7, 10), atol=1e-6)


def test_the_reconstruction_is_linear(reconstruction: OfPatterns) -> None:
    drawn = torch.Generator().manual_seed(1)
    one, other = (torch.randn(3, 3, 64, 64, generator=drawn) for _ in range(2))
    for take in (reconstruction.whole, reconstruction.views):
        both = take(2 * one - 3 * other)
        parts = 2 * take(one) - 3 * take(other)
        assert (both - parts).abs().max() < 1e-5 * both.abs().max()


def test_noise_of_mean_zero_stays_so_and_views_have_noise_of_their_own(
    reconstruction: OfPatterns,
) -> None:
    drawn = torch.Generator().manual_seed(2)
    found = torch.stack(
        [reconstruction.views(torch.randn(3, 3, 64, 64, generator=drawn)) for _ in range(24)]
    )
    inside = found[..., 16:-16, 16:-16]
    means = inside.mean((-2, -1))  # (draws, views): of draws that are independent
    assert (means.mean(0).abs() < 4 * means.std(0) / 24**0.5).all()
    flat = inside.transpose(0, 1).reshape(4, -1)
    correlation = torch.corrcoef(flat)
    # Noise is correlated over some pixels: so many values are independent, of 24 x 96 x 96.
    independent = flat.shape[1] / 60
    assert (correlation - torch.eye(4)).abs().max() < 5 / independent**0.5


def test_the_order_of_the_views_does_not_matter() -> None:
    counts = np.bincount(np.array(views.PAIRS).ravel())
    assert list(counts) == [3, 3, 3, 3]
    assert len(set(views.PAIRS)) == 6
    drawn = torch.Generator().manual_seed(3)
    pair = torch.rand(2, 1, 32, 32, generator=drawn)
    network = ZsSimNetwork().eval()
    with torch.no_grad():
        assert loss(network(pair), pair) == pytest.approx(
            float(loss(network(pair.flip(0)), pair.flip(0))), rel=1e-5
        )


def test_the_network_has_the_published_layers() -> None:
    network = ZsSimNetwork()
    names = [type(layer).__name__ for layer in network.noise]
    assert [n.strip("_").replace("In32Bit2d", "Conv2d") for n in names] == [
        "Conv2d",
        "LeakyReLU",
        "Attention",
        "Conv2d",
        "LeakyReLU",
        "Attention",
        "Conv2d",
    ]
    assert sum(p.numel() for p in network.parameters()) == 22_085


def test_a_result_does_not_depend_on_the_size_of_the_image() -> None:
    network = ZsSimNetwork().train()
    image = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(4))
    for _ in range(3):
        network(image)
    network.eval()
    with torch.no_grad():
        whole, part = network(image), network(image[..., 8:56, 8:56])
    assert torch.allclose(whole[..., 16:48, 16:48], part[..., 8:40, 8:40], atol=1e-5)


def test_ssim_is_that_of_the_metrics() -> None:
    from skimage.metrics import structural_similarity

    drawn = torch.Generator().manual_seed(5)
    first = torch.rand(1, 1, 40, 40, generator=drawn)
    second = (first + 0.2 * torch.randn(first.shape, generator=drawn)).clamp(0, 1)
    _, whole = structural_similarity(
        first[0, 0].numpy(),
        second[0, 0].numpy(),
        data_range=1.0,
        gaussian_weights=True,
        use_sample_covariance=False,
        full=True,
    )
    assert float(ssim(first, second)) == pytest.approx(whole[5:-5, 5:-5].mean(), abs=0.01)
    assert float(ssim(first, first)) == pytest.approx(1.0)


@pytest.mark.parametrize("direction", ["all", "rows", "columns"])
def test_noise_along_the_lines_of_a_scan_is_recognised(direction: str) -> None:
    noise = np.random.default_rng(6).normal(size=(128, 130)).astype(np.float32)
    if direction != "all":
        noise[:, 1:] += noise[:, :-1].copy()
    if direction == "columns":
        noise = np.ascontiguousarray(noise.T)
    structure = 5 * bead(128).numpy() + 3 * bead(128).numpy().T
    plane = noise[:128, :128] + structure
    assert scan.pairs_for([plane]) == direction


def test_lines_of_different_brightness_are_noise_along_the_rows() -> None:
    drawn = np.random.default_rng(7)
    plane = drawn.normal(size=(128, 128)) + 0.6 * drawn.normal(size=(128, 1))
    assert scan.pairs_for([plane.astype(np.float32)]) == "rows"
    for one, other in scan.PAIRS["rows"]:
        assert views.OFFSETS[one].row != views.OFFSETS[other].row

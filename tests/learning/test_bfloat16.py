"""Results have 32 bits on processors that compute in bfloat16."""

import pytest
import torch

from zsfiji.compute import device
from zsfiji.learning.denoiser import Denoiser
from zsfiji.learning.initial import init_uniform
from zsfiji.services.deconvolve.networks import FastNet
from zsfiji.services.deconvolve.networks_3d import FastNet3D
from zsfiji.services.fm2s.network import build
from zsfiji.services.two_stage.network import run
from zsfiji.services.zs_deconvnet.networks import PublishedUNet
from zsfiji.services.zs_deconvnet.networks_3d import PublishedRCAN

SEED = 3
"""With it no network is dead from the beginning."""


@pytest.fixture
def in_bfloat16(monkeypatch):
    """Autocast as on a processor that has bfloat16."""
    monkeypatch.setattr(device, "has_bfloat16", lambda kind: True)


def is_rounded(values):
    """Whether all values are those of a bfloat16."""
    assert values.dtype == torch.float32
    return bool((values == values.bfloat16().float()).all())


def deconvolver(make):
    network = make(2, seed=SEED)
    for layer in network.modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Conv3d)) and not layer.weight.any():
            init_uniform(layer, SEED)  # the last of a stage that begins by giving back its input

    def results(image):
        return run(network, image)

    return results


def other(network):
    init_uniform(network, SEED)

    def results(image):
        with device.autocast(image.device):
            found = network(image)
        assert found.dtype == torch.float32
        return (found,)

    return results


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: deconvolver(PublishedUNet), (1, 1, 32, 48)),
        (lambda: deconvolver(FastNet), (1, 2, 32, 48)),
        (lambda: deconvolver(PublishedRCAN), (1, 1, 5, 16, 24)),
        (lambda: deconvolver(FastNet3D), (1, 2, 5, 16, 24)),
        (lambda: other(Denoiser(2)), (1, 2, 32, 48)),
        (lambda: other(build(3, 1, seed=0)), (1, 3, 32, 48)),
    ],
    ids=["published", "fast", "published 3D", "fast 3D", "denoiser", "FM2S"],
)
def test_results_are_not_rounded_to_bfloat16(make, shape, in_bfloat16, monkeypatch):
    results = make()
    image = torch.rand(shape, generator=device.generator(1))
    with torch.no_grad():
        found = results(image)
        monkeypatch.setattr(device, "has_bfloat16", lambda kind: False)
        exact = results(image)
    for one, right in zip(found, exact, strict=True):
        assert not is_rounded(one)
        # The layers before have computed in bfloat16 all the same.
        assert not torch.equal(one, right)
        assert (one - right).abs().max() < 0.02 * right.abs().max()


def test_what_a_fast_network_changes_is_not_rounded_either(in_bfloat16):
    # Its result is its input and a change, of which the rounding would not show.
    network = Denoiser(2)
    init_uniform(network, SEED)
    with torch.no_grad(), device.autocast(torch.device("cpu")):
        _, change = super(Denoiser, network).forward(torch.rand(1, 8, 16, 16))
    assert not is_rounded(change)

"""ZS-DeconvNet as published: networks, objectives, and what is said of models of before."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from deconvolving import apply, calibrated, fit, fit_published, gaussian_psf, lines
from deconvolving_stacks import calibrated as calibrated_stack
from deconvolving_stacks import gaussian_psf as psf_of_stack
from deconvolving_stacks import tubes

from zsfiji.errors import UserError
from zsfiji.learning import losses, models
from zsfiji.learning.scale import Scale
from zsfiji.physics.camera.model import Camera
from zsfiji.physics.noise import Noise
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.services.two_stage import fit as two_stage_fit
from zsfiji.services.two_stage.fit import Given
from zsfiji.services.two_stage.task import Task, Terms
from zsfiji.services.zs_deconvnet import networks, networks_3d
from zsfiji.services.zs_deconvnet.kinds import PublishedPlanes, PublishedStacks
from zsfiji.services.zs_deconvnet.networks import PublishedUNet
from zsfiji.services.zs_deconvnet.networks_3d import PublishedRCAN
from zsfiji.services.zs_deconvnet.objective import (
    ALPHA,
    BETA_1,
    BETA_2,
    Recorruption,
    Sizes,
    SlicePairs,
    _brightest_and_darkest,
)
from zsfiji.services.zs_deconvnet.service import METHOD
from zsfiji.services.zs_deconvnet.settings import Settings


@pytest.fixture(scope="module")
def plane():
    return calibrated(lines()[1], title="lines")


@pytest.fixture(scope="module")
def stack():
    return calibrated_stack(tubes()[2])


class Planes(PublishedPlanes):
    """The published training with one patch of 32 pixels per step."""

    sizes = Sizes(32, 1, 1, 16)


class Stacks(PublishedStacks):
    """The published training with one small patch per step."""

    sizes = Sizes(12, 1, 5, 2, 2)


# Networks


@pytest.mark.parametrize("upsample", [1, 2])
def test_the_published_networks_have_the_published_numbers_of_parameters(upsample):
    for make, parameters in ((PublishedUNet, 13_109_010), (PublishedRCAN, 2_003_490)):
        assert sum(p.numel() for p in make(upsample).parameters()) == parameters


@pytest.mark.parametrize("upsample", [1, 2])
def test_the_networks_give_a_denoised_and_a_finer_image(upsample):
    denoised, sharp = PublishedUNet(upsample)(torch.rand(1, 1, 32, 48))
    assert denoised.shape == (1, 1, 32, 48)
    assert sharp.shape == (1, 1, upsample * 32, upsample * 48)
    denoised, sharp = PublishedRCAN(upsample)(torch.rand(1, 1, 3, 8, 12))
    assert denoised.shape == (1, 1, 3, 8, 12)
    assert sharp.shape == (1, 1, 3, upsample * 8, upsample * 12)


def test_the_compact_networks_have_the_same_layers_with_fewer_channels():
    for make, width, parameters in (
        (PublishedUNet, networks.COMPACT_WIDTH, 820_902),
        (PublishedRCAN, networks_3d.COMPACT_WIDTH, 127_650),
    ):
        published, compact = make(), make(width=width)
        assert [type(m) for m in compact.modules()] == [type(m) for m in published.modules()]
        assert sum(p.numel() for p in compact.parameters()) == parameters


# Objectives


def test_the_regularisers_are_the_published_ones():
    ramp = torch.arange(6.0)[:, None].expand(6, 6)[None, None]
    assert float(losses.hessian(ramp)) == 0
    assert float(losses.hessian(ramp**2)) == pytest.approx(2.0)  # second difference 2, half square
    assert float(losses.variation(ramp)) == pytest.approx(0.5)
    volume = (torch.arange(6.0) ** 2)[:, None, None].expand(6, 6, 6)
    assert float(losses.hessian(volume, axes=3)) == pytest.approx(4.0)
    assert float(losses.distance(ramp, ramp + 2, "mae")) == 2
    assert float(losses.distance(ramp, ramp + 2, "mse")) == 4


def test_the_weights_are_the_published_ones_unless_others_are_given(plane, stack):
    given = Given([gaussian_psf()])
    assert METHOD.plan(plane, Settings(), given).terms == Terms("mae", hessian=0.02)
    assert METHOD.plan(stack, Settings(), Given([psf_of_stack()])).terms.hessian == 0.1
    other = Settings(hessian=0.0, loss="mse", variation=0.01)
    assert METHOD.plan(plane, other, given).terms == Terms("mse", hessian=0.0, variation=0.01)


def test_the_published_training_runs(plane):
    model = fit_published(plane, gaussian_psf(), steps=2, network="published", restorers=[Planes])
    assert model.units[0].kind == "published"
    result = apply(model, plane, symmetries=1)
    assert result.images["deconvolved"].shape == (192, 192)


def test_a_network_that_gives_0_in_the_dark_is_not_dead(plane, monkeypatch):
    half = plane.copy(data=plane.data.copy())
    half.data[:64, :64] = np.median(half.data)

    def rectified(network, given):
        del network
        return (F.relu(given - given.amax() + 1e-3),) * 2

    monkeypatch.setattr(two_stage_fit, "run", rectified)
    assert fit_published(half, gaussian_psf(), steps=1, network="compact").units[0].network


def test_a_training_that_collapses_is_started_again(plane, caplog):
    seeds = []

    class Stillborn(Planes):
        @classmethod
        def build(cls, upsample, seed=0):
            network = super().build(upsample, seed)
            seeds.append(seed)
            if len(seeds) == 1:
                torch.nn.init.constant_(network.last2.bias, -100)
            return network

    with caplog.at_level(logging.WARNING):
        options = {"steps": 1, "network": "published", "seed": 5}
        fitted = fit_published(plane, gaussian_psf(), restorers=[Stillborn], **options)
    assert seeds[:2] == [5, 6]
    assert "the same value everywhere" in caplog.text
    assert fitted.units[0].record.seed == 6


def test_pairs_of_slices_are_taken_where_they_are_many_and_near(stack):
    many = calibrated_stack(np.concatenate([stack.data] * 3)[:26], step=0.1)

    def trained(image, psf):
        options = {"steps": 1, "network": "published", "restorers": [Stacks]}
        return fit_published(image, psf, **options).units[0].record.pairs

    assert trained(many, psf_of_stack(step=0.1, axial=3)) == "slices"
    assert trained(stack, psf_of_stack()) == "recorruption"
    assert trained(many, psf_of_stack(step=0.1, axial=0.8)) == "recorruption"
    with pytest.raises(UserError, match="at least 10"):
        fit_published(stack[:8], psf_of_stack(), steps=1, pairs="slices")


def test_a_stack_without_noise_and_without_change_along_z_costs_nothing_with_slice_pairs():
    # A network that gives back its input, and a PSF that is one pixel: every term vanishes.
    class Same(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.stage1 = torch.nn.Identity()

        def forward(self, stack):
            return stack, stack

    psf = torch.zeros(1, 3, 3)
    psf[0, 1, 1] = 1
    optics = Degradation(psf)
    camera = Camera(Noise(1.0, 0.0, 1e-6, np.ones((16, 16)), True), 0.0)

    def loss(data):
        places, terms = torch.tensor([[0, 16, 16]]), Terms(hessian=0.0)
        task = Task(data, places, camera, optics, (1.0, 1.0, 1.0), terms, optics)
        return float(SlicePairs(Same(), task, Scale(0.0, 1.0), PublishedStacks.sizes, 0)(0))

    plane = torch.rand(1, 1, 32, 32).expand(1, 12, 32, 32)
    assert loss(plane) == pytest.approx(0, abs=1e-6)
    # What neighbouring slices have different is allowed for in one of the two terms.
    other = plane.clone()
    other[:, 0::2] += 0.5
    assert loss(other) == pytest.approx(0.5, abs=1e-5)


class Spy(torch.nn.Module):
    """A network that gives back its input, and keeps it."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, image):
        self.seen.append(image)
        return image, image


def test_each_recorrupted_pair_has_its_own_strength_and_the_range_from_0_to_1(plane):
    noise = Noise(2.0, 4.0 - 2.0 * 100, 4.0, np.ones((16, 16)), True)
    optics = Degradation(torch.from_numpy(gaussian_psf().values).float(), 1)
    task = Task.of([plane.data], Camera(noise, 100.0), optics, (1.0, 1.0), elsewhere=0.0)
    network = Spy()
    objective = Recorruption(network, task, Sizes(96, 4), 0)  # patches of the whole image
    repeats = objective._repeats
    for values, (low, high) in (
        (repeats.alpha, ALPHA),
        (repeats.shot, BETA_1),
        (repeats.read, BETA_2),
    ):
        assert len(values) == 100
        assert low <= values.min() < low + 0.05
        assert high - 0.05 < values.max() <= high
    assert float(repeats.low.max()) < plane.data.min()
    assert float((repeats.low + repeats.unit).min()) > plane.data.max()
    for step in range(6):
        assert torch.isfinite(objective(step))
    given = torch.cat(network.seen)
    assert -0.1 < float(given.min()) < 0.1
    assert 0.7 < float(given.max()) < 1.1
    assert len({float(image.std()) for image in given}) > len(given) // 2


def test_the_range_of_a_large_image_is_measured_where_its_extremes_are():
    planes = torch.rand(3, 1, 300, 333)
    planes[1, 0, 299, 332], planes[2, 0, 7, 8] = 5.0, -4.0
    some = _brightest_and_darkest(planes)
    assert some.shape[1:] == (1, 64, 64)
    assert len(some) <= 64
    assert (float(some.max()), float(some.min())) == (5.0, -4.0)
    assert _brightest_and_darkest(planes[..., :40, :50]).shape[-2:] == (40, 40)


def test_a_network_is_applied_once_on_the_range_of_the_image(plane):
    class Counting(Planes):
        def restore_piece(self, piece, positions, label):
            counted.append(len(positions))
            return super().restore_piece(piece, positions, label)

    counted = []
    options = {"steps": 1, "network": "published", "restorers": [Counting]}
    model = fit_published(plane, gaussian_psf(), **options)
    scale = model.units[0].record.scale
    assert scale.dark_level == pytest.approx(float(plane.min()))
    assert scale.unit == pytest.approx(float(plane.max() - plane.min()))
    counted.clear()
    apply(model, plane, restorers=[Counting])
    assert set(counted) == {1}


# Models and options of before


def test_a_model_of_our_own_networks_of_before_is_named(plane, tmp_path):
    ours = fit(plane, gaussian_psf(), steps=1)
    path = models.save(replace(ours, method="zs-deconvnet"), tmp_path / "m.zsfiji")
    with pytest.raises(UserError, match=r"a model of Zero-Shot Deconvolve\.\.\. that an earlier"):
        models.load(path, METHOD)


def test_the_option_of_before_names_the_command_that_it_is_now():
    with pytest.raises(UserError, match=r'"fast" is a command of its own now: "Zero-Shot Deco'):
        Settings(network="fast")


@pytest.mark.parametrize(
    ("setting", "words"), [({"network": "vast"}, "network"), ({"loss": "l7"}, "loss")]
)
def test_settings_that_do_not_exist_are_refused(plane, setting, words):
    with pytest.raises(UserError, match=f"(?i){words}: choose one of"):
        fit_published(plane, gaussian_psf(), steps=1, **setting)

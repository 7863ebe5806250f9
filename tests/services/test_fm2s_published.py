"""The published method, held to its constants and steps (docs/methods/fm2s.md, 1 to 4)."""

import numpy as np
import pytest
import torch
from scipy.ndimage import median_filter
from torch import nn

from zsfiji.compute.device import generator
from zsfiji.errors import UserError
from zsfiji.services.fm2s import published
from zsfiji.services.fm2s.injection import inject, strength
from zsfiji.services.fm2s.network import MARGIN, build
from zsfiji.services.fm2s.presets import AVERAGES, MODALITIES, PRESETS, Preset, preset
from zsfiji.services.fm2s.recipes import RECIPES, Recipe
from zsfiji.services.fm2s.settings import Settings

CPU = torch.device("cpu")


def sample(shape=(40, 50), seed=0):
    random = np.random.default_rng(seed)
    return (random.poisson(20, shape) / 255).astype(np.float32)


@pytest.mark.parametrize(
    ("modality", "average", "expected"),
    [
        ("confocal", 1, Preset(2, 75, 3, 200, 30, 70)),
        ("confocal", 16, Preset(2, 75, 3, 5, 650, 1400)),
        ("twophoton", 2, Preset(2, 75, 3, 150, 85, 300)),
        ("twophoton", 8, Preset(2, 75, 3, 20, 185, 600)),
        ("widefield", 1, Preset(1, 75, 11, 220, 45, 2000)),
        ("widefield", 4, Preset(1, 75, 11, 60, 650, 3500)),
        ("base", 1, Preset(6, 5, 3, 60, 40, 125)),
    ],
)
def test_the_presets_are_the_authors_constants(modality, average, expected):
    assert preset(modality, average) == expected


def test_every_modality_of_the_microscopes_knows_all_averages():
    assert MODALITIES == ("base", "confocal", "twophoton", "widefield", "auto")
    for modality in ("confocal", "twophoton", "widefield"):
        assert tuple(PRESETS[modality]) == AVERAGES


def test_a_misspelt_modality_is_refused_with_the_choices():
    with pytest.raises(UserError, match="base, confocal, twophoton, widefield, auto"):
        preset("two-photon", 1)


def test_constants_that_do_not_exist_are_refused():
    with pytest.raises(UserError, match="only for 1"):
        preset("base", 4)


@pytest.mark.parametrize(("channels", "parameters"), [(1, 3529), (2, 4430), (6, 8034)])
def test_the_network_has_the_published_size_and_field(channels, parameters):
    network = build(channels, channels, seed=0)
    assert sum(p.numel() for p in network.parameters()) == parameters
    image = torch.zeros(1, channels, 31, 31)
    changed = image.clone()
    changed[..., 15, 15] = 1
    with torch.no_grad():
        seen = (network(changed) != network(image)).any(1)[0]
    rows, cols = seen.nonzero(as_tuple=True)
    assert (rows.min(), rows.max()) == (15 - MARGIN, 15 + MARGIN)
    assert (cols.min(), cols.max()) == (15 - MARGIN, 15 + MARGIN)


def test_the_first_weights_are_spread_as_torch_spreads_them():
    torch.manual_seed(0)
    usual = nn.Conv2d(2, 24, 5)
    ours = build(2, 2, seed=0)[0]
    for name in ("weight", "bias"):
        bound = (2 * 25) ** -0.5
        values, reference = getattr(ours, name), getattr(usual, name)
        assert values.abs().max() <= bound
        assert values.std().item() == pytest.approx(reference.std().item(), rel=0.35)
    assert torch.equal(ours.weight, build(2, 2, seed=0)[0].weight)
    assert not torch.equal(ours.weight, build(2, 2, seed=1)[0].weight)


def test_regions_have_the_mean_of_their_pixels_with_zeros_beyond_the_border():
    clean = torch.zeros(1, 1, 5, 7)
    clean[..., :4, :4] = 0.1
    clean[..., :4, 4:] = 0.2
    clean[..., 4:, :4] = 0.9
    region = strength(clean, 4)
    assert region.shape == clean.shape
    assert region[0, 0, 0, 0].item() == pytest.approx(0.1)
    assert region[0, 0, 3, 6].item() == pytest.approx(0.2 * 12 / 16)  # 3 of 4 columns exist
    assert region[0, 0, 4, 0].item() == pytest.approx(0.15)  # 0.225, held at the limit
    assert region[0, 0, 4, 6].item() == pytest.approx(1e-5)  # empty, held at the other limit


def test_region_noise_has_the_variance_of_its_formula():
    constants = Preset(1, 75, 3, gaussian=200, poisson=30, overall=1e9)
    clean = torch.full((1, 1, 400, 400), 0.3)
    region = torch.full_like(clean, 0.12)
    noisy = inject(clean, region, constants, generator(0))
    shot = 0.3 * 0.12 / 30
    read = (200 * 0.12 / 255) ** 2
    assert noisy.mean().item() == pytest.approx(0.3, abs=2e-3)
    # A three-thousandth is cut off at 0, which is all that takes from the variance.
    assert noisy.var().item() == pytest.approx(shot + read, rel=0.03)


def test_overall_noise_is_that_of_photons():
    constants = Preset(1, 75, 3, gaussian=0, poisson=1e9, overall=70)
    clean = torch.full((1, 1, 400, 400), 0.3)
    noisy = inject(clean, torch.full_like(clean, 0.1), constants, generator(0))
    levels = noisy * 70
    torch.testing.assert_close(levels, levels.round(), atol=1e-3, rtol=0)
    assert noisy.var().item() == pytest.approx(0.3 / 70, rel=0.03)


def test_the_two_steps_of_noise_are_drawn_in_the_published_order():
    clean = torch.from_numpy(sample()).expand(1, 2, -1, -1)
    constants = preset("confocal", 1)
    region = strength(clean[:, :1], constants.stride)
    got = inject(clean, region, constants, generator(5))
    source = generator(5)
    rate = 30 / region
    u = torch.poisson(clean * rate, generator=source) / rate
    u = u + 200 * region / 255 * torch.randn(clean.shape, generator=source)
    u = u.clamp(0, 1)
    expected = (torch.poisson(u * 70, generator=source) / 70).clamp(0, 1)
    torch.testing.assert_close(got, expected)
    assert not torch.equal(got[:, 0], got[:, 1])


def test_the_target_is_the_median():
    plane = sample()
    for modality in ("confocal", "widefield"):
        width = preset(modality, 1).median
        expected = median_filter(plane, width, mode="reflect")
        np.testing.assert_array_equal(published.target(plane, preset(modality, 1)), expected)


def test_best_does_the_published_number_of_steps_on_the_whole_image(monkeypatch):
    recipe = RECIPES["best"]
    assert (recipe.steps, recipe.patch) == (2255, None)
    assert RECIPES["standard"].steps == 2255
    monkeypatch.setattr(published, "train", lambda *args, **kwargs: kept.update(schedule=args[2]))
    kept = {}
    published.fit_network(
        [sample()], preset("confocal", 1), recipe, seed=0, device=CPU, label="Training"
    )
    schedule = kept["schedule"]
    assert (schedule.steps, schedule.learning_rate, schedule.betas) == (2255, 1e-3, (0.9, 0.999))
    assert {schedule.rate(step) for step in (0, 4, 5, 2254)} == {1e-3}
    assert schedule.ema is None


def test_the_published_program_s_choice_is_the_default():
    assert Settings().modality == "base"


def test_patches_have_the_strength_of_their_place_in_the_whole_image():
    plane = sample((64, 70))
    constants = preset("base", 1)
    examples = published.Examples([plane], constants, Recipe(patch=32), seed=0, device=CPU)
    clean = torch.from_numpy(published.target(plane, constants))[None, None]
    assert torch.equal(examples._stack[:, 2:], strength(clean, constants.stride))


def test_stage_one_maps_the_noisy_image_and_stage_two_five_times_each_draw():
    plane = sample()
    constants = preset("confocal", 1)
    clean = torch.from_numpy(median_filter(plane, 3, mode="reflect"))
    seen = []

    class Identity(nn.Module):
        def forward(self, inputs):
            seen.append(inputs.clone())
            return inputs

    examples = published.Examples([plane], constants, RECIPES["best"], seed=0, device=CPU)
    objective = published.PublishedObjective(Identity(), examples)
    losses = [objective(step).item() for step in range(20)]
    noisy = torch.from_numpy(plane)
    for inputs, loss in zip(seen, losses, strict=True):
        assert inputs.shape == (1, 2, *plane.shape)  # two channels, the whole image
        assert loss == pytest.approx(((inputs - clean) ** 2).mean().item(), rel=1e-5)
    for inputs in seen[:5]:
        assert torch.equal(inputs[0], noisy.expand(2, -1, -1))
    draws = [seen[5:10], seen[10:15], seen[15:20]]
    for draw in draws:
        assert all(torch.equal(inputs, draw[0]) for inputs in draw)
        assert not torch.equal(draw[0][:, 0], draw[0][:, 1])
    assert not torch.equal(draws[0][0], draws[1][0])


def test_patches_of_one_draw_serve_one_step_each_and_their_rim_does_not_count():
    shapes = []

    class Spoilt(nn.Module):
        def forward(self, inputs):
            shapes.append(tuple(inputs.shape))
            result = torch.zeros_like(inputs)
            result[..., :MARGIN, :] = result[..., :, -MARGIN:] = 1e6
            return result

    recipe = Recipe(draws=2, patch=32)
    examples = published.Examples(
        [sample((64, 70))], preset("confocal", 1), recipe, seed=0, device=CPU
    )
    objective = published.PublishedObjective(Spoilt(), examples)
    losses = [objective(step).item() for step in range(recipe.steps)]
    assert set(shapes) == {(1, 2, 32, 32)}
    assert max(losses) < 1


def test_the_result_is_the_mean_over_the_channels():
    plane = torch.rand(1, 9, 9)
    weights = torch.tensor([1.0, 3.0])[None, :, None, None]
    assert torch.equal(published.apply_network(lambda x: x * weights, plane, 2), 2 * plane)

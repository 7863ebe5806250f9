"""The vision transformer of SIMFormer: its size, and published defects that it does not have."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny import SIZES

from zsfiji.physics.sim.grid import SCALE
from zsfiji.physics.sim.optics import RadialTransfer, psf_of
from zsfiji.services.simformer import losses
from zsfiji.services.simformer.formation import convolved, predicted
from zsfiji.services.simformer.vit.adapter import Extractor, _fewer
from zsfiji.services.simformer.vit.coding import LowRankCoding
from zsfiji.services.simformer.vit.configuration import PUBLISHED, SMALL, Configuration
from zsfiji.services.simformer.vit.decoder import Decoder
from zsfiji.services.simformer.vit.masking import masking
from zsfiji.services.simformer.vit.network import Simformer
from zsfiji.services.simformer.vit.painters import as_background, as_illumination
from zsfiji.services.simformer.vit.psf import CUTOFF, ImagePrior, Pupil, psf_of_pupil


def network(configuration: Configuration = SIZES) -> Simformer:
    """A network whose injectors do something, as after a training; it is in evaluation mode."""
    made = Simformer(configuration, seed=1)
    for injector in made.encoder.injectors:
        torch.nn.init.constant_(injector.share, 0.1)
    return made.eval()


def frames(batch: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.rand(batch, 9, 16, 16, generator=torch.Generator().manual_seed(seed))


def parameters(configuration: Configuration) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in Simformer(configuration).parameters())


def test_the_published_size_is_a_vit_b() -> None:
    published = 228_546_748
    # The seed of the PSF is no parameter of ours, its kernels have one slice, the decoder has
    # places. Nothing else differs.
    seed, slices = 32 * 49 * 49, 2 * 9 * (32 * 48 + 48 * 96 + 96 * 96 + 96 * 48 + 48)
    places = (225 + 3) * 512
    assert parameters(PUBLISHED) == published - seed - slices + places == 228_226_364
    assert parameters(PUBLISHED.student()) == 191_423_873


def test_the_small_size_is_small() -> None:
    assert 1e6 < parameters(SMALL) < 6e6


def test_the_same_seed_gives_the_same_network_and_leaves_the_global_numbers_alone() -> None:
    before = torch.random.get_rng_state()
    one, again, other = Simformer(SIZES, 3), Simformer(SIZES, 3), Simformer(SIZES, 4)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(one.encoder.embed.weight, again.encoder.embed.weight)
    assert not torch.equal(one.encoder.embed.weight, other.encoder.embed.weight)


@pytest.mark.parametrize("training", [False, True])
def test_a_result_does_not_depend_on_the_others_of_its_batch(training: bool) -> None:
    whole = network(replace(SIZES, dropout=0.0)).train(training)
    together = whole(torch.cat([frames(1), 7 * frames(1, seed=5)]))
    alone = whole(frames(1))
    for name in ("emitter", "illumination", "background"):
        ours = getattr(together, name)[:1]
        torch.testing.assert_close(ours, getattr(alone, name), rtol=1e-4, atol=1e-5)


def test_nothing_is_left_out_at_inference_and_something_in_training() -> None:
    whole = network()
    torch.manual_seed(1)
    one = whole(frames()).emitter
    torch.manual_seed(2)
    assert torch.equal(one, whole(frames()).emitter)
    whole.train()
    torch.manual_seed(1)
    trained = whole(frames()).emitter
    torch.manual_seed(2)
    assert not torch.allclose(trained, whole(frames()).emitter)


def test_masked_tokens_know_where_they_are() -> None:
    decoder = Decoder(SIZES).eval()
    chosen = masking(1, SIZES.tokens, 0.75, torch.device("cpu"))
    decoded = decoder(torch.zeros(1, 1 + chosen.kept.shape[1], SIZES.width), chosen)
    gone = decoded[0][chosen.dropped[0] > 0]
    # In the published program the spread over the dropped tokens is exactly zero.
    assert float(gone.detach().std(0).mean()) > 1e-3


def test_masking_drops_the_share_that_is_asked_for_of_each_sample_by_itself() -> None:
    torch.manual_seed(0)
    chosen = masking(3, 27, 0.75, torch.device("cpu"))
    assert chosen.kept.shape == (3, 6)
    assert chosen.dropped.sum(1).tolist() == [21, 21, 21]
    assert not torch.equal(chosen.dropped[0], chosen.dropped[1])
    tokens = torch.rand(3, 27, 4)
    back = chosen.back(chosen.of(tokens), torch.zeros(4))
    assert torch.equal(back, tokens * (1 - chosen.dropped)[..., None])


def test_what_is_masked_is_not_seen() -> None:
    whole = network()
    torch.manual_seed(3)
    one = whole(frames(1), ratio=0.75)
    hidden = one.dropped.amin(1, keepdim=True).amin(0)  # dropped in all frames
    assert one.dropped.shape == (1, 9, 48, 48)
    assert abs(float(one.dropped.mean()) - 0.75) < 0.05
    assert 0 <= float(hidden.mean()) < 1


def test_neighbours_are_those_on_the_grid_whatever_the_order_of_the_tokens() -> None:
    extractor = Extractor(SIZES)
    prior = torch.rand(1, SIZES.tokens, SIZES.width)
    tokens = torch.rand(1, 4, SIZES.width)
    straight = masking(1, SIZES.tokens, 0.0, torch.device("cpu"))
    order = torch.randperm(SIZES.tokens, generator=torch.Generator().manual_seed(0))
    mixed = replace(straight, kept=order[None])
    one = extractor(prior, tokens, straight)
    torch.testing.assert_close(extractor(prior[:, order], tokens, mixed), one[:, order])


def test_frames_are_averaged_in_groups_as_published() -> None:
    mean = _fewer(3)
    assert mean[0].tolist() == pytest.approx([0.25, 0.375, 0.25, 0.125, 0, 0, 0, 0, 0])
    assert mean[1].tolist() == pytest.approx([0, 0, 1 / 9, 2 / 9, 1 / 3, 2 / 9, 1 / 9, 0, 0])


def test_low_rank_coding_has_the_rank_it_says() -> None:
    coding = LowRankCoding(16, 2)
    basis = torch.eye(16)[None]
    full = coding.coded(basis)[0]
    assert int(torch.linalg.matrix_rank(full)) == 16
    coding.tighten(4)
    few = coding.coded(basis)[0]
    assert int(torch.linalg.matrix_rank(few)) == 4
    # The best matrix of that rank, so the training goes on from there.
    left, strength, right = torch.linalg.svd(full)
    best = (left[:, :4] * strength[:4]) @ right[:4]
    torch.testing.assert_close(few, best, atol=1e-4, rtol=1e-4)
    coding.tighten(8)
    assert int(coding.rank) == 4, "a rank that is lost does not come back"
    other = LowRankCoding(16, 2)
    other.load_state_dict(coding.state_dict())
    assert int(other.rank) == 4, "the rank is kept with the weights"


def test_the_background_is_a_mean_also_at_the_edges() -> None:
    painted = torch.full((1, 1, 48, 48), 2.0)
    light = as_background(painted, 33)
    expected = torch.nn.functional.softplus(torch.tensor(2.0))
    # A third in the published program, and a twelfth in the corners.
    torch.testing.assert_close(light, expected.expand_as(light))


def test_the_illumination_has_a_mean_of_one_everywhere() -> None:
    light = as_illumination(10 * torch.randn(2, 9, 8, 8))
    torch.testing.assert_close(light.mean(1), torch.ones(2, 8, 8))


def test_modulation_costs_no_variation() -> None:
    flat = torch.ones(1, 9, 24, 24)
    deep = flat * torch.tensor([0.2, 1.0, 1.8] * 3)[None, :, None, None]
    assert float(losses.light_variation(deep)) == float(losses.light_variation(flat)) == 0
    waves = 1 + 0.8 * torch.sin(torch.arange(24.0)).expand_as(flat)
    assert float(losses.light_variation(waves)) > 0.1


def test_a_blur_keeps_a_flat_image_flat_to_its_rims() -> None:
    psf = psf_of(RadialTransfer(1 / 3), 13, SCALE)[None, None]
    flat = torch.ones(2, 9, 48, 48)
    torch.testing.assert_close(convolved(flat, psf), flat)
    seen = predicted(torch.ones(2, 1, 48, 48), flat, psf, torch.full((2, 1, 48, 48), 0.5))
    torch.testing.assert_close(seen, torch.full((2, 9, 16, 16), 1.5))


def test_a_blur_is_a_convolution_that_moves_nothing() -> None:
    psf = torch.rand(1, 1, 5, 5)
    point = torch.zeros(1, 1, 15, 15)
    point[..., 7, 6] = 1
    seen = convolved(point, psf)
    torch.testing.assert_close(seen[0, 0, 5:10, 4:9], psf[0, 0], atol=1e-6, rtol=1e-5)


def test_two_ways_to_the_psf_of_a_lens_agree() -> None:
    by_pupil = psf_of_pupil(torch.tensor([0.3]), 49)[0, 0]
    by_transfer = psf_of(RadialTransfer(0.3), 49, SCALE)
    assert float((by_pupil - by_transfer).abs().max()) < 0.02 * float(by_transfer.max())
    torch.testing.assert_close(by_pupil.sum(), torch.tensor(1.0))


@pytest.mark.parametrize("kind", [ImagePrior, Pupil])
def test_a_psf_can_be_learnt(kind: type[ImagePrior | Pupil]) -> None:
    torch.manual_seed(0)
    psf = kind(25)
    wanted = psf_of_pupil(torch.tensor([1.2 * CUTOFF]), 25)
    optimizer = torch.optim.Adam(psf.parameters(), 0.01 if kind is Pupil else 1e-3)
    for _ in range(80):
        optimizer.zero_grad()
        error = (psf() - wanted).abs().sum()
        error.backward()
        optimizer.step()
    assert float(psf().detach().sum()) == pytest.approx(1, abs=1e-5)
    assert float(error.detach()) < 0.3


def test_a_psf_off_the_centre_costs() -> None:
    psf = psf_of_pupil(torch.tensor([0.3]), 25)
    assert float(losses.off_centre(psf)) < 1e-4
    assert float(losses.off_centre(psf.roll(3, -1))) == pytest.approx(0.25, abs=0.02)


def test_similarity_is_one_for_the_same_and_each_stack_counts_by_itself() -> None:
    one = torch.rand(2, 9, 48, 48)
    assert losses.similarity(one, one).tolist() == pytest.approx([1, 1], abs=1e-5)
    noisy = one + 0.2 * torch.randn(one.shape)
    worse = losses.similarity(noisy, one)
    assert float(worse.max()) < 0.95
    # A bright neighbour in the batch changes nothing.
    brighter = torch.cat([one[:1], 50 * one[1:]])
    again = losses.similarity(torch.cat([noisy[:1], 50 * noisy[1:]]), brighter)
    torch.testing.assert_close(again, worse, rtol=1e-3, atol=1e-4)


def test_absolute_errors_count_where_they_are_asked_to() -> None:
    wanted = torch.rand(1, 9, 16, 16)
    wrong = wanted.clone()
    wrong[..., :8] += 1
    there = torch.zeros_like(wanted)
    there[..., 8:] = 1
    whole = losses.difference(wrong, wanted)
    assert float(losses.difference(wrong, wanted, there)) < float(whole) - 0.4


def test_a_student_gives_the_emitter_alone() -> None:
    painted = network(SIZES.student())(frames())
    assert painted.emitter.shape == (2, 1, 48, 48)
    assert painted.illumination is painted.background is painted.psf is None


def test_with_a_skip_the_emitter_starts_as_the_wide_field_image() -> None:
    bright = 1 + frames()
    painted = Simformer(replace(SIZES, skip=True)).eval()(bright)
    fine = torch.nn.functional.interpolate(bright, scale_factor=3, mode="bilinear")
    torch.testing.assert_close(painted.emitter, fine.mean(1, keepdim=True), atol=0.01, rtol=0.01)

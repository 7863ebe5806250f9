from dataclasses import replace

import numpy as np
import pytest
import torch

from zsfiji.images.axes import as_image
from zsfiji.learning import models
from zsfiji.learning.loop import DivergedError
from zsfiji.physics.sim.grid import SCALE
from zsfiji.physics.sim.optics import Blur, RadialTransfer, illumination
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.physics.sim.published import FACTOR, MARGIN, PIXEL, published_stack, stack_of
from zsfiji.physics.specimens import specimen
from zsfiji.services.blind_sim.stacks import Optics
from zsfiji.services.simformer import emitter as applying
from zsfiji.services.simformer import remake
from zsfiji.services.simformer.batch import Imaging
from zsfiji.services.simformer.compact import BASE, STUDENT, Compact, Size, take_over
from zsfiji.services.simformer.distilled import Distilled
from zsfiji.services.simformer.emitter import emitter
from zsfiji.services.simformer.front import IMAGES, Linear, features
from zsfiji.services.simformer.service import METHOD, PLUS, Simformer
from zsfiji.services.simformer.shipped import path_of
from zsfiji.services.simformer.stream import Stream, make_specimen, mixed, solid, turned

TINY = Size(width=4, blocks=(1, 1, 1), head=2)
PLAN = remake.Plan(
    size=TINY,
    seed=3,
    schedule=replace(remake.TEACHER.schedule, steps=5, warmup=1),
    batch=2,
    crop=16,
    kept=4,
    saved=2,
    # A step or two of other specimens would look like a collapse.
    varied_from=1000,
)


def stream(seed: int = 1) -> Stream:
    return Stream(seed, crop=16, batch=2, kept=4)


def test_solid_specimens_begin_where_they_are_told_to():
    old, new, mixed_in = (
        Stream(1, crop=16, batch=2, kept=12, varied_from=first) for first in (12, 0, 6)
    )
    for one in (old, new, mixed_in):
        one.batch(0)
    pixels = [[s._specimens[n].emitter for n in range(12)] for s in (old, new, mixed_in)]
    for number in range(12):
        like = pixels[0] if number < 6 else pixels[1]
        np.testing.assert_array_equal(pixels[2][number], like[number])
        assert np.isfinite(pixels[1][number]).all()
        assert 0 < pixels[1][number].max() <= 1
    assert any((a.shape != b.shape) or (a != b).any() for a, b in zip(*pixels[:2], strict=True))


def test_a_solid_specimen_is_never_empty():
    draws = np.random.default_rng(0)
    for _ in range(10):
        # Most fields of 120 nm have no structure.
        drawn = solid((24, 24), 5.0, draws)
        assert drawn.min() == 0
        assert drawn.max() == 1


def test_a_batch_depends_on_the_seed_and_the_step_alone():
    one, other = stream(), stream()
    one.batch(0)
    one.batch(1)
    first, again = one.batch(2), other.batch(2)
    assert torch.equal(first.frames, again.frames)
    assert torch.equal(first.emitter, again.emitter)
    assert torch.equal(first.given.phases, again.given.phases)
    assert not torch.equal(first.frames, one.batch(3).frames)
    assert not torch.equal(first.frames, stream(2).batch(2).frames)


def test_batches_have_all_that_is_learned_from():
    batch = stream().batch(0)
    assert batch.frames.shape == (2, 3, 3, 16, 16)
    assert batch.emitter.shape == (2, 1, 48, 48)
    assert bool((batch.emitter >= 0).all())
    # What is told differs a little from what is true.
    off = (batch.given.wave_vectors - batch.true.wave_vectors).abs().max()
    assert 0 < float(off) < 0.01


@pytest.mark.parametrize("seed", range(8))
def test_turned_specimens_keep_their_image_formation(seed):
    specimen = make_specimen(5, seed, 40)
    draws = np.random.default_rng(seed)
    drawn, bands, vectors, first = turned(specimen, draws)
    phases, modulation = draws.uniform(0, 6, (3, 3)), np.array([0.4, 0.7, 1.0])
    frames = mixed(bands, phases - first[:, None], modulation)
    known = Imaging(
        *(
            torch.from_numpy(np.array(part, dtype=np.float64))[None]
            for part in (vectors, phases, modulation, specimen.cutoff, specimen.damping)
        )
    )
    light = illumination(known.patterns(0), (40, 40), SCALE)
    density = torch.from_numpy(drawn.astype(np.float32))
    seen = Blur(known.transfer(0), (40, 40), SCALE).down(light * density).numpy()
    # Light from outside the crop comes in at its border.
    inside = (..., slice(10, -10), slice(10, -10))
    assert np.abs(seen - frames)[inside].max() < 0.04 * frames.max()


def patterns(phases: int, angles: int = 3) -> Patterns:
    turns = np.pi * np.arange(angles) / angles + 0.2
    vectors = 0.2 * np.stack([np.sin(turns), np.cos(turns)], 1)[:, None]
    steps = 2 * np.pi * np.arange(phases) / phases
    return Patterns(
        torch.from_numpy(vectors),
        torch.from_numpy(np.broadcast_to(steps, (angles, 1, phases)).copy()),
        torch.full((angles, 1), 0.8, dtype=torch.float64),
        torch.ones(angles, phases, dtype=torch.float64),
    )


@pytest.mark.parametrize(("angles", "phases"), [(3, 3), (3, 5), (2, 4), (5, 3)])
def test_the_network_sees_the_same_of_any_number_of_frames(angles, phases):
    stack = published_stack("curve", 48, photons=100, seed=2000)
    truth = torch.from_numpy(stack.truth)
    there = patterns(phases, angles)
    light = illumination(there, (48, 48), SCALE) * truth
    frames = Blur(stack.transfer, (48, 48), SCALE).down(light)
    seen = features(frames, there, stack.transfer, 0.0, 400.0)
    assert seen.images.shape == (len(IMAGES), 144, 144)
    plain, sharp = (remake.score(seen.images[n].numpy(), stack.truth) for n in (4, 1))
    assert sharp > plain + 0.5
    some = features(frames, there, stack.transfer, 0.0, 400.0, (1, 3))
    assert torch.equal(some.images, seen.images[[1, 3]])


def test_a_flat_specimen_is_shown_as_bright_as_it_is():
    lens = RadialTransfer(0.3)
    frames = torch.full((3, 3, 24, 24), 5.0)
    linear = Linear(frames, patterns(3), lens)
    shown = linear.images([(0, linear.ridged(0, 0.1)), (1, linear.ridged(1, 0.1))])
    # A pattern that is in the patterns but not in the light shows up in the corners only.
    assert torch.allclose(shown[1], torch.tensor(5.0), atol=0.05)


def test_tiles_do_not_show(monkeypatch):
    network = Compact(TINY, 1).eval()
    torch.nn.init.normal_(network.last.weight, std=0.1)
    stack = published_stack("curve", 96, photons=100, seed=2000)
    given = (torch.from_numpy(stack.raw), stack.patterns, stack.transfer)
    whole = emitter(network, *given, gain=1.0, read_variance=1.0)
    monkeypatch.setattr(applying, "WHOLE", 1)
    monkeypatch.setattr(applying, "TILE", 96)
    tiled = emitter(network, *given, gain=1.0, read_variance=1.0)
    assert whole.shape == (288, 288)
    # The border is padded in another way.
    inside = (slice(100, -100),) * 2
    assert torch.allclose(whole[inside], tiled[inside], atol=1e-4 * float(whole.max()))


def test_a_training_in_parts_gives_the_weights_of_a_single_one(tmp_path):
    whole = remake.run(PLAN, tmp_path / "whole", watch=False)
    short = replace(PLAN, schedule=replace(PLAN.schedule, steps=3))
    remake.run(short, tmp_path / "parts", watch=False)
    parts = remake.run(PLAN, tmp_path / "parts", watch=False)
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(one, other)
    assert len((tmp_path / "whole" / "log.csv").read_text().splitlines()) == 3


def test_a_student_learns_with_and_without_its_teacher(tmp_path):
    teacher = Compact(TINY, 1).eval()
    asked = []

    def give() -> Compact:
        asked.append(1)
        return teacher

    def distilled(network: Compact, stream: Stream) -> Distilled:
        return Distilled(network, stream, give, alone=3)

    plan = replace(PLAN, size=replace(STUDENT, width=4))
    student = remake.run(plan, tmp_path, distilled, watch=False)
    # It is needed from the fourth step on, and made once.
    assert len(asked) == 1
    assert all(bool(p.isfinite().all()) for p in student.parameters())


def test_a_network_that_sees_more_images_begins_as_the_one_before_it(tmp_path):
    before = Compact(replace(STUDENT, width=4, images=(BASE, 3)), 1).eval()
    torch.nn.init.normal_(before.last.weight, std=0.1)
    made = Compact(replace(STUDENT, width=4), 2).eval()
    take_over(made, before)
    draws = torch.Generator().manual_seed(0)
    images = torch.rand(1, len(made.size.images), 24, 24, generator=draws)
    noise = torch.rand(1, 2, generator=draws)
    seen = [made.size.images.index(n) for n in before.size.images]
    assert torch.allclose(made(images, noise), before(images[:, seen], noise), atol=1e-6)

    plan = replace(PLAN, size=made.size, schedule=replace(PLAN.schedule, steps=1))
    learnt = remake.run(plan, tmp_path, start=before, watch=False)
    for name, values in learnt.state_dict().items():
        if name != "stem.weight":
            assert torch.allclose(values, before.state_dict()[name], atol=0.01)


def test_a_network_with_fewer_blocks_begins_with_the_others():
    before = Compact(replace(STUDENT, width=4, blocks=(1, 1, 2)), 1).eval()
    made = Compact(replace(STUDENT, width=4, blocks=(1, 1, 0)), 2).eval()
    take_over(made, before)
    # Blocks add to their input, and begin with nothing to add.
    draws = torch.Generator().manual_seed(0)
    images = torch.rand(1, len(made.size.images), 24, 24, generator=draws)
    noise = torch.rand(1, 2, generator=draws)
    assert torch.allclose(made(images, noise), before(images, noise), atol=1e-6)


@pytest.mark.parametrize(
    "size", [TINY, replace(STUDENT, width=4), Size(width=4, blocks=(1, 2, 3), head=2)]
)
def test_the_reach_is_the_radius_of_the_receptive_field(size):
    network = Compact(size, 1).train()
    for values in network.parameters():
        torch.nn.init.normal_(values, std=0.3)
    middle, farthest = 64, 0.0
    for row in range(middle, middle + 4):
        images = torch.rand(1, len(size.images), SCALE * 128, SCALE * 64, requires_grad=True)
        pixel = SCALE * row + 1
        found = network(images, torch.zeros(1, 2))[0, 0, pixel, SCALE * 32]
        (influence,) = torch.autograd.grad(found, images)
        rows = influence.abs().sum((0, 1, 3)).nonzero()[:, 0]
        farthest = max(farthest, *((rows - pixel).abs() / SCALE).tolist())
    assert network.reach - 2 < farthest <= network.reach


def test_a_training_that_collapses_stops_and_keeps_the_state_before(tmp_path):
    def collapsing(network: Compact, stream: Stream):
        def loss(step: int) -> torch.Tensor:
            return sum(p.sum() for p in network.parameters()) * 0 + (0.0 if step < 2 else 5.0)

        return loss

    with pytest.raises(DivergedError, match="rose"):
        remake.run(PLAN, tmp_path, collapsing, watch=False)
    assert remake.load(tmp_path / "state.safetensors").step == 2


@pytest.mark.parametrize("student", [False, True])
def test_the_shipped_networks_restore_simulated_stacks(student):
    model = models.load(path_of(student=student), PLUS if student else METHOD)
    network = model.units[0].network
    numbers = sum(p.numel() for p in network.parameters())
    assert numbers < 6e6 if student else 1e6 < numbers < 6e6
    gained = []
    for kind in remake.PUBLISHED:
        for photons in (1.0, 100.0):
            stack = published_stack(kind, 64, photons=photons, seed=2002)
            linear = Linear(torch.from_numpy(stack.raw), stack.patterns, stack.transfer)
            wide = linear.images([(1, torch.ones_like(linear.frequency))])[0]
            found = remake.restored(network, stack)
            gained.append(
                remake.score(found, stack.truth) - remake.score(wide.numpy(), stack.truth)
            )
    assert min(gained) > 0.5
    assert np.mean(gained) > 3


def test_the_fit_starts_from_the_shipped_network_where_there_is_little_light():
    stack = published_stack("curve", 64, photons=3, seed=2300)
    raw = as_image(stack.raw, ("ang", "pha", "row", "col"))
    alone = Simformer(optics=Optics(background=0.0), own_network=False)
    made = alone.apply(models.load(path_of(), METHOD), raw)
    assert made.report.metrics["network"] == 1


def test_specimens_unlike_those_that_were_learnt_come_from_the_image_alone():
    draws = np.random.default_rng([7, 1])
    drawn = specimen("tubules", ((96 + 2 * MARGIN) * FACTOR,) * 2, seed=7, pixel=PIXEL / FACTOR)
    stack = stack_of(drawn.astype(np.float32), draws, photons=20, seed=7)
    raw = as_image(stack.raw, ("ang", "pha", "row", "col"))
    model = models.load(path_of(), METHOD)
    found = [
        Simformer(optics=Optics(background=0.0), own_network=own).apply(model, raw)
        for own in (False, True)
    ]
    before, after = (remake.score(one.image.to_numpy(), stack.truth) for one in found)
    assert [one.report.metrics["network"] for one in found] == [1, 0]
    assert after > before + 1


def test_the_shipped_files_are_small():
    sizes = [path_of(student=student).stat().st_size for student in (False, True)]
    assert sum(sizes) < 25e6

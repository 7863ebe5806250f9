"""SIMFormer: nine frames of any, training that can be continued, fine-tuning, distillation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import torch
from structured import hexagonal, patterns
from tiny import TinyCompact

from zsfiji import progress
from zsfiji.compute.blending import by_blended_tiles
from zsfiji.errors import UserError
from zsfiji.learning import loop
from zsfiji.learning.loop import Schedule, train
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.physics.sim.published import published_stack
from zsfiji.services.blind_sim.stacks import require_enough
from zsfiji.services.simformer import stages, training
from zsfiji.services.simformer.crops import Crops
from zsfiji.services.simformer.distilling import Augmentation, Distillation, noisier
from zsfiji.services.simformer.kinds import Kind, Stack, kind_of
from zsfiji.services.simformer.nine import nine_frames
from zsfiji.services.simformer.objective import Objective, simulated
from zsfiji.services.simformer.settings import Settings
from zsfiji.services.simformer.stages import Stage, stage_at
from zsfiji.services.simformer.stream import Stream
from zsfiji.services.simformer.training import distil, fine_tune, inherit, train_network


class Impatient:
    """A host that wants the result so far after some steps."""

    def __init__(self, steps: int) -> None:
        self.steps, self.done = steps, 0

    def show(self, event: progress.Event) -> None:
        self.done = event.step or self.done

    def cancelled(self) -> bool:
        return False

    def finish_now(self) -> bool:
        return self.done >= self.steps


VIT = tiny.vit()
BOTH: list[Kind] = [VIT, TinyCompact()]


@pytest.fixture(autouse=True, scope="module")
def few_specimens() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_FEW", 4)
        patch.setattr(loop, "REPORT_EVERY", 0.0)
        yield


@pytest.fixture(scope="module")
def batches() -> Stream:
    return Stream(3, crop=16, batch=2, kept=4)


def frames_of(there: Patterns, parts: torch.Tensor) -> torch.Tensor:
    """Frames (angle, phase, row, col) with components (1 + 2 waves, row, col) of each wave."""
    made = []
    number = 0
    for angle in range(there.angles):
        waves = [parts[1 + 2 * (number + w) : 3 + 2 * (number + w)] for w in range(there.waves)]
        number += there.waves
        for frame in range(there.frames):
            image = parts[0].clone()
            for wave, (cosine, sine) in enumerate(waves):
                phase = float(there.phases[angle, wave, frame])
                depth = float(there.modulation[angle, wave])
                image += depth * (math.cos(phase) * cosine - math.sin(phase) * sine)
            made.append(float(there.brightness[angle, frame]) * image)
    return torch.stack(made).unflatten(0, (there.angles, there.frames))


def parts(waves: int) -> torch.Tensor:
    return torch.rand(1 + 2 * waves, 8, 8, generator=torch.Generator().manual_seed(0))


def test_fifteen_frames_become_the_nine_that_three_phases_would_have_given() -> None:
    three, five = patterns(3, 3), patterns(3, 5)
    found, there = nine_frames(frames_of(five, parts(3)), five)
    torch.testing.assert_close(found, frames_of(three, parts(3)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(there.phases, three.phases)
    # Every angle is used; by their number the first nine frames would have been taken.
    changed = frames_of(five, parts(3))
    changed[2] *= 2
    assert not torch.allclose(nine_frames(changed, five)[0][2], found[2])


def test_phases_may_be_in_any_order_and_bleached() -> None:
    five = patterns(3, 5)
    order = [3, 0, 4, 1, 2]
    mixed = replace(
        five,
        phases=five.phases[..., order],
        brightness=torch.tensor([1.2, 1.1, 1.0, 0.9, 0.8]).double().expand(3, 5),
    )
    found, there = nine_frames(frames_of(mixed, parts(3)), mixed)
    torch.testing.assert_close(found, frames_of(there, parts(3)), atol=1e-4, rtol=1e-4)


def test_of_three_beams_the_finest_wave_is_taken() -> None:
    three_beams = patterns(3, 5, waves=2)
    found, there = nine_frames(frames_of(three_beams, parts(6)), three_beams)
    finest = parts(6)[[0, 3, 4, 7, 8, 11, 12]]
    torch.testing.assert_close(found, frames_of(there, finest), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(there.wave_vectors[:, 0], three_beams.wave_vectors[:, 1])


def test_a_hexagonal_pattern_has_three_directions() -> None:
    seven = hexagonal()
    found, there = nine_frames(frames_of(seven, parts(3)), seven)
    assert found.shape == (3, 3, 8, 8)
    torch.testing.assert_close(found, frames_of(there, parts(3)), atol=1e-4, rtol=1e-4)


def test_of_six_directions_three_even_ones_are_taken() -> None:
    six = patterns(6, 3)
    _, there = nine_frames(frames_of(six, parts(6)), six)
    turns = [math.degrees(math.atan2(*v)) % 180 for v in there.wave_vectors[:, 0].tolist()]
    gaps = sorted((b - a) % 180 for a, b in zip(turns, turns[1:] + turns[:1], strict=True))
    assert gaps == pytest.approx([60, 60, 60], abs=0.1)


@pytest.mark.parametrize(("angles", "apart"), [(4, [45, 45, 90]), (5, [36, 72, 72])])
def test_four_and_five_directions_serve(angles: int, apart: list[int]) -> None:
    many = patterns(angles, 3)
    found, there = nine_frames(frames_of(many, parts(angles)), many)
    turns = [math.degrees(math.atan2(*v)) % 180 for v in there.wave_vectors[:, 0].tolist()]
    gaps = sorted((b - a) % 180 for a, b in zip(turns, turns[1:] + turns[:1], strict=True))
    assert gaps == pytest.approx(apart, abs=0.1)
    used = [
        number
        for number, vector in enumerate(many.wave_vectors[:, 0])
        if any(torch.equal(vector, one) for one in there.wave_vectors[:, 0])
    ]
    of_used = [0] + [1 + 2 * number + half for number in used for half in (0, 1)]
    torch.testing.assert_close(
        found, frames_of(there, parts(angles)[of_used]), atol=1e-4, rtol=1e-4
    )


def test_nine_frames_stay_as_they_are() -> None:
    three = patterns(3, 3)
    frames = frames_of(three, parts(3))
    found, there = nine_frames(frames, three)
    assert found is frames
    assert there is three


def test_too_few_frames_and_directions_are_refused() -> None:
    with pytest.raises(UserError, match=r"6 frames.*at least 7"):
        require_enough(2, 3)
    with pytest.raises(UserError, match="three directions"):
        nine_frames(torch.rand(2, 4, 8, 8), patterns(2, 4))
    lost = patterns(3, 5)
    lost = replace(lost, modulation=lost.modulation * torch.tensor([[1.0], [0.0], [1.0]]))
    with pytest.raises(UserError, match=r"three directions, and .* \d+°, \d+° were found\. "):
        nine_frames(torch.rand(3, 5, 8, 8), lost)
    near = patterns(5, 3)
    near = replace(near, modulation=near.modulation * (torch.arange(5)[:, None] < 3))
    with pytest.raises(UserError, match=r"17°, 53°, 89° were found, which are too near each other"):
        nine_frames(torch.rand(5, 3, 8, 8), near)
    same = patterns(3, 4)
    same = replace(same, phases=torch.zeros_like(same.phases))
    with pytest.raises(UserError, match="too near each other"):
        nine_frames(torch.rand(3, 4, 8, 8), same)


def test_tiles_are_blended() -> None:
    plane = torch.rand(2, 37, 50)
    same = by_blended_tiles(lambda tile: tile, plane, tile=16)
    torch.testing.assert_close(same, plane)
    finer = by_blended_tiles(
        lambda tile: torch.nn.functional.interpolate(tile[None], scale_factor=3)[0], plane, tile=16
    )
    assert finer.shape == (2, 111, 150)
    # A function that is wrong near the rims of its tiles leaves no seams.
    rim = torch.zeros(16, 16)
    rim[:, :2] = rim[:, -2:] = 1
    seams = by_blended_tiles(lambda tile: tile + rim, torch.zeros(1, 48, 48), tile=16)
    assert float(seams[0, 8:-8, 8:-8].max()) < 0.15


def test_an_image_that_is_smaller_than_a_tile_is_continued() -> None:
    plane = torch.rand(1, 9, 20)
    torch.testing.assert_close(by_blended_tiles(lambda tile: tile, plane, tile=16), plane)


def test_the_stages_follow_each_other() -> None:
    few = (Stage(0.25, 0.75), Stage(0.75, 0.25))
    assert [stage_at(few, step, 8).mask for step in (0, 1, 2, 7, 9)] == [
        0.75,
        0.75,
        0.25,
        0.25,
        0.25,
    ]
    masks = {stage.mask for stage in stages.PUBLISHED}
    assert masks == {0.25, 0.75}
    ranks = [stage.rank * 512 for stage in stages.PUBLISHED]
    assert ranks == [512, 256, 128, 64, 32, 32]


def objective(kind: Kind, network: torch.nn.Module, stream: Stream, steps: int) -> Objective:
    return Objective(
        kind,
        network,
        lambda step: simulated(stream.batch(step)),
        stages=kind.stages,
        steps=steps,
    )


@pytest.mark.parametrize("kind", BOTH, ids=lambda kind: kind.name)
def test_a_network_learns_from_the_truth(kind: Kind, batches: Stream) -> None:
    network = kind.make()
    batch = batches.batch(0)
    loss = Objective(
        kind, network, lambda _: simulated(batch), stages=stages.PLAIN, steps=20, learn_from="truth"
    )
    with torch.no_grad():
        before = float(loss(0))
    train(network, loss, Schedule(steps=20, learning_rate=2e-3), label="")
    with torch.no_grad():
        assert float(loss(0)) < before - 0.2


@pytest.mark.parametrize("kind", BOTH, ids=lambda kind: kind.name)
def test_a_network_learns_to_explain_frames(kind: Kind, batches: Stream) -> None:
    network = kind.make()
    batch = batches.batch(0)
    loss = Objective(
        kind,
        network,
        lambda _: simulated(batch),
        stages=stages.PLAIN,
        steps=20,
        learn_from="frames",
    )
    with torch.no_grad():
        before = float(loss(0))
    train(network, loss, Schedule(steps=20, learning_rate=2e-3), label="")
    with torch.no_grad():
        assert float(loss(0)) < 0.97 * before


def test_the_rank_of_the_light_is_tightened_by_stage(batches: Stream) -> None:
    network = VIT.make()
    loss = objective(VIT, network, batches, 10)
    network.train()
    ranks = []
    for step in (0, 1, 2, 3, 9):
        loss(step)
        ranks.append(int(network.coding.rank))  # type: ignore[union-attr, arg-type]
    assert ranks == [16, 8, 4, 1, 1]


@pytest.mark.parametrize("kind", BOTH, ids=lambda kind: kind.name)
def test_a_training_that_is_continued_gives_the_same_weights(kind: Kind, tmp_path: Path) -> None:
    settings = Settings(steps=6, seed=5)
    whole = kind.make(1)
    train_network(kind, whole, settings)
    first, kept = kind.make(1), tmp_path / "training"
    with progress.using(Impatient(3)):
        course = train_network(kind, first, settings, kept=kept)
    assert course.steps < 6
    again = kind.make(9)
    course = train_network(kind, again, settings, kept=kept)
    assert course.steps == 6
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_a_state_of_another_network_is_refused(tmp_path: Path) -> None:
    kept = tmp_path / "training"
    train_network(BOTH[1], BOTH[1].make(), Settings(steps=1), kept=kept)
    with pytest.raises(UserError, match="another network"):
        train_network(VIT, VIT.make(), Settings(steps=2), kept=kept)


def stack_of(side: int = 32, photons: float = 50.0) -> Stack:
    made = published_stack("curve", side, photons=photons, seed=2500)
    return Stack(torch.from_numpy(made.raw), made.patterns, made.transfer, 1.0, made.read_noise**2)


@pytest.mark.parametrize("kind", BOTH, ids=lambda kind: kind.name)
def test_fine_tuning_changes_a_network(kind: Kind) -> None:
    network = kind.make()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    course = fine_tune(kind, network, [stack_of()], steps=4, seed=0)
    assert course.steps == 4
    assert any(not torch.equal(v, before[n]) for n, v in network.state_dict().items())
    assert all(bool(v.isfinite().all()) for v in network.state_dict().values())


def test_the_frames_that_are_explained_have_other_noise_than_those_that_are_seen() -> None:
    kind = BOTH[1]
    example = Crops(kind, [stack_of(photons=20.0)])(0)
    clean = 0.8 * example.batch.frames + 0.2 * example.target  # the frames without added noise
    seen, wanted = (example.batch.frames - clean).flatten(), (example.target - clean).flatten()
    assert float(torch.corrcoef(torch.stack([seen, wanted]))[0, 1]) == pytest.approx(-1, abs=1e-3)
    assert example.variance is not None
    # What is added has opposite signs, so that both sums of noise are independent.
    added = (wanted.square() / example.variance.flatten()).mean()
    assert float(added) == pytest.approx(1 / (1 + 0.25), abs=0.1)


@pytest.mark.parametrize("there", [patterns(3, 3), patterns(3, 5), patterns(6, 3), hexagonal()])
def test_noise_is_independent_and_as_strong_as_is_told_of_any_number_of_frames(
    there: Patterns,
) -> None:
    draws = torch.Generator().manual_seed(0)
    noise = torch.randn(there.angles, there.frames, 64, 64, generator=draws)
    lens = stack_of().transfer
    crops = Crops(BOTH[1], [Stack(noise, there, lens, 0.0, 1.0)])
    examples = [crops(step) for step in range(8)]
    seen, wanted = (
        torch.cat([one.flatten() for one in both])
        for both in zip(*((e.batch.frames, e.target) for e in examples), strict=True)
    )
    assert abs(float(torch.corrcoef(torch.stack([seen, wanted]))[0, 1])) < 0.06
    told = torch.cat([e.batch.read_variance for e in examples])
    assert float(seen.var() / told.mean()) == pytest.approx(1, abs=0.1)
    variance = torch.cat([e.variance.flatten() for e in examples if e.variance is not None])
    assert float((wanted.square() / variance).mean()) == pytest.approx(1, abs=0.1)


def test_a_crop_larger_than_the_image_is_refused() -> None:
    with pytest.raises(UserError, match=r"12 x 12 pixels.*crops of 16 x 16"):
        Crops(BOTH[1], [stack_of(12)])


@pytest.mark.parametrize("kind", BOTH, ids=lambda kind: kind.name)
def test_a_student_learns_from_its_teacher(kind: Kind, batches: Stream) -> None:
    teacher, student = kind.make(1), kind.make(2, student=True)
    inherit(teacher, student)
    batch = batches.batch(0)
    few = Augmentation(shots=1e4, gaussian=0.0)
    loss = Distillation(kind, teacher, student, lambda _: batch, augmentation=few)
    with torch.no_grad():
        for weights in teacher.parameters():
            weights += 0.05 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(4))
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    with torch.no_grad():
        start = float(loss(0))
    train(student, loss, Schedule(steps=20, learning_rate=2e-3), label="")
    with torch.no_grad():
        assert float(loss(0)) < start
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, before[name]), "the teacher stays as it is"


def test_a_vit_student_starts_as_its_teacher() -> None:
    teacher, student = VIT.make(1), VIT.make(2, student=True)
    inherit(teacher, student)
    frames = torch.rand(1, 9, 16, 16)
    torch.testing.assert_close(
        teacher.eval()(frames).emitter, student.eval()(frames).emitter, atol=1e-6, rtol=1e-5
    )


def test_the_student_sees_more_noise_and_is_told_how_much(batches: Stream) -> None:
    batch = batches.batch(1)
    draws = torch.Generator().manual_seed(0)
    many = [noisier(batch, Augmentation(0.5, 0.5), draws) for _ in range(200)]
    frames = torch.stack([one.frames for one in many])
    bias = (frames.mean(0) - batch.frames.clamp_min(0)).mean()
    assert abs(float(bias)) < 0.05 * float(batch.frames.mean())
    told = torch.stack([one.gain for one in many]).mean(0) - batch.gain
    added = torch.stack([one.read_variance for one in many]).mean(0) - batch.read_variance
    light = batch.frames.clamp_min(0).mean((1, 2, 3, 4))
    seen = (frames - batch.frames.clamp_min(0)).square().mean((0, 2, 3, 4, 5))
    torch.testing.assert_close(seen, told * light + added, rtol=0.2, atol=0.05)


def test_distilling_can_be_continued(tmp_path: Path) -> None:
    kind, settings = BOTH[1], Settings(steps=4)
    teacher = kind.make(1)
    whole, kept = kind.make(2, student=True), tmp_path / "student"
    distil(kind, teacher, whole, settings)
    with progress.using(Impatient(2)):
        distil(kind, teacher, kind.make(2, student=True), settings, kept=kept)
    again = kind.make(7, student=True)
    distil(kind, teacher, again, settings, kept=kept)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


@pytest.mark.parametrize("kind", BOTH, ids=lambda kind: kind.name)
def test_a_whole_stack_has_the_unit_of_its_frames(kind: Kind) -> None:
    stack = stack_of(40)
    network = kind.make()
    found = kind.apply(network, stack)
    emitter = found["emitter"]
    assert list(found)[-1] == "emitter"
    assert emitter.shape == (120, 120)
    assert float(emitter.min()) >= 0
    brighter = replace(
        stack,
        frames=7 * stack.frames,
        gain=7 * stack.gain,
        read_variance=49 * stack.read_variance,
    )
    again = kind.apply(network, brighter)["emitter"]
    torch.testing.assert_close(again, 7 * emitter, rtol=1e-3, atol=1e-3 * float(again.max()))


def test_a_network_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match=r"no network 'huge'.*compact, small, published"):
        kind_of("huge")

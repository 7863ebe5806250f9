"""A training that is interrupted goes on as if it had not been."""

from __future__ import annotations

import pytest
import safetensors.torch
import torch
from torch import nn

from zsfiji import progress
from zsfiji.errors import Cancelled, UserError
from zsfiji.learning import loop, state
from zsfiji.learning.loop import Schedule, train
from zsfiji.learning.state import TrainingState, load, save

PLAIN = Schedule(30, 0.01, warmup=3, final_fraction=0.1)
AVERAGED = Schedule(30, 0.01, betas=(0.5, 0.9), final_fraction=0.1, ema=0.9, halve_at=(12,))


class Task:
    """A small network, and an objective that draws from two generators."""

    def __init__(self, layout=torch.contiguous_format, seed=0):
        torch.manual_seed(seed)
        self.network = nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 3)
        ).to(memory_format=layout)
        self.network[0].bias.requires_grad_(False)
        self.draws = {name: torch.Generator().manual_seed(n) for n, name in enumerate("ab")}

    def __call__(self, step):
        x = torch.randn(2, 2, 9, 9, generator=self.draws["a"])
        noise = torch.randn(2, 3, 5, 5, generator=self.draws["b"])
        return ((self.network(x) - x[:, :1, 2:-2, 2:-2] - 0.1 * noise) ** 2).mean()

    def train(self, schedule, kept=None, **options):
        options = {"label": "Training", **options}
        return train(self.network, self, schedule, state=kept, **options)


def assert_same(one, two):
    for name, value in one.network.state_dict().items():
        assert torch.equal(value, two.network.state_dict()[name]), name


@pytest.mark.parametrize("schedule", [PLAIN, AVERAGED], ids=["plain", "averaged"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("half", [1, 13, 30])
def test_two_halves_with_a_file_between_are_one_training(tmp_path, schedule, layout, half):
    whole = Task(layout)
    whole.train(schedule)

    first = Task(layout)
    kept = TrainingState(first.draws)
    done = first.train(schedule, kept, stop=lambda step: step >= half)
    assert done.steps == kept.step == half
    save(kept, tmp_path / "half.training")

    second = Task(layout, seed=5)
    for source in second.draws.values():
        torch.rand(3, generator=source)
    after = load(tmp_path / "half.training", second.draws)
    assert second.train(schedule, after).steps == 30
    assert_same(second, whole)
    assert after.step == 30


def test_the_state_in_memory_does_as_well_and_is_not_touched_by_the_network():
    whole, task = Task(), Task()
    whole.train(AVERAGED)
    kept = TrainingState(task.draws)
    for half in (4, 9, 30):
        task.train(AVERAGED, kept, stop=lambda step, half=half: step >= half)
        with torch.no_grad():
            if half < 30:
                task.network[0].weight.fill_(7)
    assert_same(task, whole)


def test_a_network_that_follows_the_averages_goes_on_following(tmp_path):
    def followed(halves):
        task, follower = Task(), Task().network
        kept = TrainingState(task.draws)
        for half in halves:
            stop = None if half == 30 else lambda step, half=half: step >= half
            task.train(AVERAGED, kept, average=follower, stop=stop)
            path = save(kept, tmp_path / "kept.training")
            kept = load(path, task.draws)
        return follower.state_dict()

    one, two = followed([30]), followed([11, 30])
    assert all(torch.equal(one[name], two[name]) for name in one if "running" not in name)


def test_without_a_state_nothing_is_kept(monkeypatch):
    monkeypatch.setattr(TrainingState, "take", lambda *_: pytest.fail("taken"))
    Task().train(PLAIN)


class Host:
    """A host that asks to finish or to cancel after some reports."""

    def __init__(self, wish):
        self.wish, self.events = wish, 0

    def show(self, _event):
        self.events += 1

    def cancelled(self):
        return self.wish == "cancel" and self.events >= 6

    def finish_now(self):
        return self.wish == "finish" and self.events >= 6


def test_finish_now_is_a_place_to_go_on_from(monkeypatch):
    monkeypatch.setattr(loop, "REPORT_EVERY", 0)
    whole, task = Task(), Task()
    whole.train(AVERAGED)
    kept = TrainingState(task.draws)
    with progress.using(Host("finish")):
        assert task.train(AVERAGED, kept).finished_early
    assert kept.step == 6
    assert not torch.equal(task.network[0].weight, kept.weights["0.weight"])
    events = []
    host = Host("")
    monkeypatch.setattr(host, "show", events.append)
    with progress.using(host):
        history = task.train(AVERAGED, kept)
    assert not history.finished_early
    assert history.steps == 30
    assert events[0].fraction == pytest.approx(7 / 30)
    assert_same(task, whole)


def test_a_cancelled_training_leaves_the_state_as_it_was(monkeypatch):
    monkeypatch.setattr(loop, "REPORT_EVERY", 0)
    task = Task()
    kept = TrainingState(task.draws)
    task.train(PLAIN, kept, stop=lambda step: step >= 5)
    before = {name: value.clone() for name, value in kept.weights.items()}
    with progress.using(Host("cancel")), pytest.raises(Cancelled):
        task.train(PLAIN, kept)
    assert kept.step == 5
    assert all(torch.equal(value, kept.weights[name]) for name, value in before.items())


@pytest.mark.parametrize("what", ["network", "frozen", "average", "generators"])
def test_a_state_of_another_training_is_refused(what):
    task = Task()
    kept = TrainingState(task.draws)
    task.train(PLAIN, kept, stop=lambda step: step >= 5)
    other, schedule = Task(), PLAIN
    kept.generators = other.draws
    if what == "network":
        other.network[3] = nn.Conv2d(4, 5, 3)
    elif what == "frozen":
        other.network[3].requires_grad_(False)
    elif what == "average":
        schedule = AVERAGED
    else:
        kept.generators = {"a": other.draws["a"]}
    before = other.network[0].weight.clone()
    with pytest.raises(UserError, match="cannot be continued"):
        other.train(schedule, kept)
    assert torch.equal(other.network[0].weight, before)


def test_files_that_are_no_training_are_refused(tmp_path):
    task = Task()
    kept = TrainingState(task.draws)
    task.train(PLAIN, kept, stop=lambda step: step >= 5)
    path = save(kept, tmp_path / "a.training")
    with pytest.raises(UserError, match="There is no saved training"):
        load(tmp_path / "b.training")
    whole = path.read_bytes()
    for broken in (b"", b"hello", whole[:100], whole[:-10]):
        path.write_bytes(broken)
        with pytest.raises(UserError, match=r"a\.training is not a saved training"):
            load(path)
    safetensors.torch.save_file({"x": torch.ones(2)}, path)
    with pytest.raises(UserError, match="is not a saved training"):
        load(path)
    path.write_bytes(whole.replace(b"weights/0.weight", b"weighty/0.weight"))
    with pytest.raises(UserError, match="is not a saved training"):
        load(path)


def test_a_file_of_another_format_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(state, "FORMAT", 99)
    path = save(TrainingState(), tmp_path / "a.training")
    monkeypatch.undo()
    with pytest.raises(UserError, match="in a format that this version"):
        load(path)


def test_a_file_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        save(TrainingState(), tmp_path / "nowhere" / "a.training")

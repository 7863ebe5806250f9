import math
import subprocess
import sys
from itertools import pairwise

import pytest
import torch
from torch import nn

from zsfiji import progress
from zsfiji.errors import Cancelled, UserError
from zsfiji.learning import loop
from zsfiji.learning.loop import Schedule, train


class Host:
    """A host that asks to finish or to cancel after so many reports."""

    def __init__(self, finish_after=math.inf, cancel_after=math.inf):
        self.events, self.finish_after, self.cancel_after = [], finish_after, cancel_after

    def show(self, event):
        self.events.append(event)

    def cancelled(self):
        return len(self.events) >= self.cancel_after

    def finish_now(self):
        return len(self.events) >= self.finish_after


def line():
    """A network and an objective: to find the weight 3."""
    torch.manual_seed(0)
    network = nn.Linear(1, 1, bias=False)
    x = torch.tensor([[1.0], [2.0]])
    return network, lambda step: ((network(x) - 3 * x) ** 2).mean()


def test_training_reaches_the_minimum_and_tells_what_happened():
    network, objective = line()
    history = train(network, objective, Schedule(400, 0.05), label="Training")
    assert network.weight.item() == pytest.approx(3, abs=1e-2)
    assert history.steps == 400
    assert not history.finished_early
    assert history.losses[-1][0] == 400
    assert history.losses[-1][1] < 1e-3
    assert not network.training


def test_the_learning_rate_warms_up_and_decays_to_its_final_share():
    schedule = Schedule(101, 0.1, warmup=4, final_fraction=0.2)
    rates = [schedule.rate(step) for step in range(101)]
    assert rates[:5] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1])
    assert rates[-1] == pytest.approx(0.02)
    assert all(a >= b for a, b in pairwise(rates[4:]))
    assert {Schedule(10, 0.1).rate(step) for step in range(10)} == {0.1}


def test_the_learning_rate_can_be_halved_at_steps_and_decay_with_each():
    schedule = Schedule(10, 0.8, halve_at=(2, 5), decay=0.5)
    rates = [schedule.rate(step) * (1 + 0.5 * step) for step in (0, 1, 2, 4, 5, 9)]
    assert rates == pytest.approx([0.8, 0.8, 0.4, 0.4, 0.2, 0.2])


def test_the_average_can_be_followed_during_the_training():
    network, objective = line()
    follower = nn.Linear(1, 1, bias=False)
    seen = []

    def watch(step):
        seen.append(follower.weight.item())
        return objective(step)

    train(network, watch, Schedule(50, 0.05, ema=0.9), label="Training", average=follower)
    assert len(set(seen)) == 50
    assert follower.weight.item() == network.weight.item()
    assert abs(seen[-1] - network.weight.item()) < 0.1


def test_the_steps_are_those_of_plain_adam():
    network, objective = line()
    twin = nn.Linear(1, 1, bias=False)
    twin.load_state_dict(network.state_dict())
    x = torch.tensor([[1.0], [2.0]])
    optimizer = torch.optim.Adam(twin.parameters(), lr=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        ((twin(x) - 3 * x) ** 2).mean().backward()
        optimizer.step()
    train(network, objective, Schedule(20, 0.01), label="Training")
    torch.testing.assert_close(network.weight, twin.weight)


def test_the_network_ends_with_the_averaged_weights():
    network, objective = line()
    seen = []

    def watched(step):
        seen.append(network.weight.item())
        return objective(step)

    train(network, watched, Schedule(50, 0.1, ema=0.9), label="Training")
    # The same training without averages ends with the weights that step 50 left.
    again, objective = line()
    train(again, objective, Schedule(50, 0.1), label="Training")
    expected = seen[0]
    for step, weight in enumerate([*seen[1:], again.weight.item()]):
        decay = min(0.9, (step + 1) / (step + 10))
        expected = decay * expected + (1 - decay) * weight
    assert network.weight.item() == pytest.approx(expected, rel=1e-5)
    assert network.weight.item() != pytest.approx(again.weight.item(), rel=1e-3)


def test_a_loss_that_is_no_number_is_noticed():
    network, _ = line()
    with pytest.raises(UserError, match="diverged"):
        train(
            network,
            lambda step: network.weight.sum() * (math.nan if step == 3 else 1.0),
            Schedule(10, 0.1),
            label="Training",
        )


def test_finish_now_keeps_what_has_been_learnt(monkeypatch):
    monkeypatch.setattr(loop, "REPORT_EVERY", 0)
    network, objective = line()
    before = network.weight.item()
    with progress.using(Host(finish_after=7)):
        history = train(network, objective, Schedule(400, 0.05), label="Training")
    assert history.steps == 7
    assert history.finished_early
    assert network.weight.item() > before


def test_cancel_stops_the_training(monkeypatch):
    monkeypatch.setattr(loop, "REPORT_EVERY", 0)
    network, objective = line()
    host = Host(cancel_after=3)
    with progress.using(host), pytest.raises(Cancelled):
        train(network, objective, Schedule(400, 0.05), label="Training")
    assert len(host.events) == 3


def test_reports_are_few_and_only_they_read_the_loss(monkeypatch):
    reads = []
    read = loop._read
    monkeypatch.setattr(loop, "_read", lambda loss, step: reads.append(step) or read(loss, step))
    network, objective = line()
    host = Host()
    with progress.using(host):
        history = train(network, objective, Schedule(300, 0.05), label="Training")
    assert reads == [step for step, _ in history.losses]
    assert len(host.events) == len(reads) <= history.seconds / loop.REPORT_EVERY + 2
    assert host.events[-1].fraction == 1
    assert host.events[-1].message == "Training"


def test_a_stopping_rule_ends_the_training():
    network, objective = line()
    history = train(
        network, objective, Schedule(500, 0.01), label="Training", stop=lambda step: step >= 120
    )
    assert history.steps == 120
    assert not history.finished_early


def test_a_training_does_not_load_the_compiler_of_torch():
    code = """if True:
        import sys
        import torch
        from zsfiji.learning.loop import Schedule, train
        import zsfiji.services.denoise.service
        network = torch.nn.Linear(2, 1)
        train(network, lambda _: network(torch.ones(1, 2)).sum(), Schedule(2, 0.1), label="")
        print([name for name in ("torch._dynamo", "sympy", "scipy.stats") if name in sys.modules])
    """
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"

import torch

from zsfiji.compute.acceleration import Acceleration

DRAWS = torch.Generator().manual_seed(3)
BLUR = torch.exp(-0.5 * ((torch.arange(40)[:, None] - torch.arange(40)) / 1.5).square())
BLUR = BLUR / BLUR.sum(1, keepdim=True)
TRUTH = torch.where(torch.rand(40, generator=DRAWS) > 0.8, 50.0, 1.0)
SEEN = BLUR @ TRUTH


def step(point):
    return point * (BLUR.T @ (SEEN / (BLUR @ point))) / BLUR.sum(0)


def misfit(estimate):
    expected = BLUR @ estimate
    return float((expected - SEEN * expected.log()).sum())


def test_accelerated_steps_of_richardson_and_lucy_are_worth_several_plain_ones():
    plain, now = [torch.full((40,), float(SEEN.mean()))] * 2
    point, beyond = now, Acceleration()
    for _ in range(20):
        plain, now = step(plain), step(point)
        (point,) = beyond((point,), (now,))
    for _ in range(20):
        plain = step(plain)
    assert misfit(now) < misfit(plain)


def test_all_parts_go_as_far_as_the_first_and_none_reaches_zero():
    beyond = Acceleration()
    first = (torch.full((4,), 8.0), torch.tensor([8.0, 8.0, 8.0, 4.0]))
    second = (torch.full((4,), 4.0), torch.tensor([4.0, 4.0, 4.0, 1.0]))
    assert beyond((torch.full((4,), 16.0), first[1]), first) == first
    # Half as far as before: beyond by half of the last step.
    found = beyond(first, second)
    assert found[0].tolist() == [2.0] * 4
    assert found[1][:3].tolist() == [2.0] * 3
    assert 0 < float(found[1][3]) < 1e-4

import torch

from zsfiji.compute.rings import between_rings, ring_mean, ring_of, ring_sizes, ring_total

SHARE = torch.tensor([[0.0, 0.1, 0.3, 0.49], [0.51, 0.9, 1.1, 2.0]])


def test_rings_are_centred_on_their_frequencies_and_end_at_the_last_one():
    ring = ring_of(SHARE, 4)
    assert ring.tolist() == [[0, 0, 1, 2], [2, 4, 4, 5]]
    assert ring_sizes(ring, 4).tolist() == [2, 1, 2, 0, 2]


def test_values_beyond_the_last_ring_do_not_count():
    values = torch.arange(8.0).reshape(2, 4)
    ring = ring_of(SHARE, 4)
    assert ring_total(values, ring, 4).tolist() == [1, 2, 7, 0, 11]
    assert ring_mean(values, ring, 4).tolist() == [0.5, 2, 3.5, 0, 5.5]


def test_between_rings_a_function_is_linear_and_beyond_it_stays():
    means = torch.tensor([1.0, 3.0, 7.0])
    shares = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0, 1.5])
    torch.testing.assert_close(
        between_rings(means, shares), torch.tensor([1.0, 2.0, 3.0, 5.0, 7.0, 7.0])
    )

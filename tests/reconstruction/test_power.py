"""The power spectrum that is fitted to a specimen."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from zsfiji.reconstruction.power import RINGS, Power, Rings, fitted

FREQUENCY = np.arange(2, RINGS) / RINGS * 0.8
NOISE = 50.0


def rings(specimen: np.ndarray) -> Rings:
    """Rings that show a specimen of this power through an OTF that falls to a tenth."""
    through = 0.1 ** (FREQUENCY / FREQUENCY[-1])
    return Rings(FREQUENCY, through * specimen + NOISE, through, 20 * np.arange(2, RINGS))


@pytest.mark.parametrize(
    "specimen",
    [
        1e4 * FREQUENCY**-1.31,
        1e6 * np.exp(-((FREQUENCY / 0.3) ** 2)),
        1e6 / (1 + (FREQUENCY / 0.05) ** 2) ** 1.5,
    ],
    ids=["a power law, without a corner", "a Gaussian, without an exponent", "with both"],
)
def test_the_power_of_a_specimen_is_found(specimen: np.ndarray) -> None:
    found = fitted(rings(specimen), NOISE)
    power = found(torch.from_numpy(FREQUENCY).float()).double().numpy()
    seen = specimen > NOISE
    assert np.abs(np.log(power / specimen))[seen].max() < 0.25
    assert power.max() < 3 * specimen.max()


@pytest.mark.parametrize("seed", range(4))
def test_the_corner_of_a_power_law_stays_where_32_bit_numbers_hold(seed: int) -> None:
    seen = rings(1e5 * FREQUENCY**-1.31)
    draws = np.random.default_rng(seed)
    seen = replace(seen, power=seen.power * draws.gamma(40, 1 / 40, len(FREQUENCY)))
    found = fitted(seen, NOISE)
    # Without a limit these ended at 1e-7, and real stacks at 1e-23: a power of 0 everywhere.
    assert found.corner >= 1e-3
    ratio = found(torch.tensor(FREQUENCY[::8])).numpy() / (1e5 * FREQUENCY[::8] ** -1.31)
    assert np.abs(np.log(ratio)).max() < 0.3


def test_a_power_does_not_depend_on_what_32_bit_numbers_hold() -> None:
    frequency = torch.tensor([0.0, 0.1, 0.5])
    gaussian = Power(2.0, 1e4, 1e8 / 0.3**2)(frequency)
    wanted = 2 * np.exp(-((frequency.numpy() / 0.3) ** 2))
    np.testing.assert_allclose(gaussian.numpy(), wanted, rtol=1e-4)

"""Linear reconstructions of raw SIM images with the patterns that were found."""

from __future__ import annotations

import pytest
import structured

from zsfiji.reconstruction.wiener import Notch, Wiener
from zsfiji.services.sim.linear import classical_ridge


@pytest.mark.parametrize("strength", [0.5, 0.99])
def test_a_notch_leaves_the_constant_of_the_classical_filter_as_it_is(strength: float) -> None:
    given = structured.patterns()
    plain, notched = (
        Wiener(given, (48, 64), structured.TRANSFER, weights="equal", notch=notch)
        for notch in (None, Notch(strength, 0.08))
    )
    assert float(notched.density[0, 0]) < 0.6 * float(plain.density[0, 0])
    assert float(classical_ridge(notched, 0.1)) == float(classical_ridge(plain, 0.1))
    assert float(plain.unit) == float(plain.density[0, 0])

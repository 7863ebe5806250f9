"""The comparison of a restored image with the image it was made from."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from zsfiji.quality.error_map import consistency


def test_a_restored_image_that_explains_the_reference_has_no_error():
    blurred = gaussian_filter(np.random.default_rng(0).random((64, 64)), 2)
    found = consistency(3 * blurred + 100, blurred)
    assert found.rsp == pytest.approx(1)
    assert found.rse == pytest.approx(0, abs=1e-9)


def test_the_error_map_is_bright_where_something_was_made_up():
    reference = gaussian_filter(np.random.default_rng(0).random((64, 64)), 2)
    invented = reference.copy()
    invented[20, 30] += 1
    found = consistency(reference, invented)
    assert np.unravel_index(found.error.argmax(), found.error.shape) == (20, 30)
    assert found.rsp < 0.99

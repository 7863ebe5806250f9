"""Frames that no pattern can be found in."""

import io

import numpy as np
import pytest
from PIL import Image
from structured import patterns, simulate

from zsfiji.errors import UserError
from zsfiji.reconstruction.frames import (
    blocks_said,
    require_different,
    saturation_said,
)


@pytest.fixture(scope="module")
def stack():
    raw = simulate(given=patterns(), shape=(96, 96), peak=90).noisy.numpy()
    return np.clip(raw, 0, 255).astype(np.uint8)


def test_two_frames_that_are_the_same(stack):
    require_different(stack)
    copied = stack.copy()
    copied[2, 1] = copied[0, 2]
    with pytest.raises(UserError, match="phase 3 of angle 1 and phase 2 of angle 3"):
        require_different(copied)


def test_saturation(stack):
    assert not saturation_said(np.minimum(stack, 254))
    assert "saturated" in saturation_said(np.minimum(stack, 60))[0]


def test_jpeg(stack):
    def saved(frame):
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "JPEG", quality=70)
        return np.asarray(Image.open(file))

    assert not blocks_said(stack)
    assert not blocks_said(stack.repeat(2, -1).repeat(2, -2))
    compressed = np.stack([[saved(frame) for frame in angle] for angle in stack])
    assert "JPEG" in blocks_said(compressed)[0]
    assert "JPEG" in blocks_said(compressed[..., 3:, 5:])[0]

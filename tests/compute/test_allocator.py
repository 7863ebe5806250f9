"""Keeping memory in the process while a training runs."""

import platform
import resource

import pytest
import torch

from zsfiji.compute.allocator import memory_kept

LARGE = 64 * 2**20
FEWEST = 4 * LARGE // 2**21
"""Pages for four blocks if all of them are huge ones."""


def faults() -> int:
    """Pages that the system had to provide to this thread so far."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt


def allocate() -> int:
    """Allocate and free a large block several times; give the pages that were needed."""
    before = faults()
    for _ in range(4):
        torch.ones(LARGE, dtype=torch.uint8)
    return faults() - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="does something there only")
def test_a_block_is_used_again_inside_and_given_back_after() -> None:
    assert allocate() > FEWEST / 2
    with memory_kept():
        allocate()
        kept = allocate()
    assert kept < FEWEST / 4
    assert allocate() > FEWEST / 2


def test_an_error_leaves_the_usual_behaviour() -> None:
    with pytest.raises(ValueError, match="inside"), memory_kept():
        raise ValueError("inside")
    assert allocate() > FEWEST / 2

"""Keeping memory in the process while a job or a training runs."""

import platform
import subprocess
import sys

import pytest
import torch

from zsfiji.compute.allocator import memory_kept

LARGE = 64 * 2**20
FEWEST = 4 * LARGE // 2**21
"""Pages for four blocks if all of them are huge ones."""

SCRIPT = f"""
import resource, torch
from zsfiji.compute.allocator import memory_kept

def faults():
    "Pages that the system had to provide to this thread so far."
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt

def allocate():
    "Allocate and free a large block several times; give the pages that were needed."
    before = faults()
    for _ in range(4):
        torch.ones({LARGE}, dtype=torch.uint8)
    return faults() - before

torch.set_num_threads(1)
allocate()
print(allocate())
with memory_kept():
    # The first blocks find their place among smaller ones.
    for _ in range(6):
        allocate()
    with memory_kept():
        pass
    print(allocate())
print(allocate())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="does something there only")
def test_a_block_is_used_again_inside_and_given_back_after() -> None:
    """In a process of its own: where others have left gaps, a block may lie in one of them."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    usual, kept, after = (int(line) for line in done.stdout.split())
    assert usual > FEWEST / 2
    assert kept < FEWEST / 4
    assert after > FEWEST / 2


def test_an_error_inside_is_passed_on() -> None:
    with pytest.raises(ValueError, match="inside"), memory_kept():
        raise ValueError("inside")
    assert float(torch.ones(3).sum()) == 3

"""One job at a time on a device: two trainings at once would only slow each other down.

The jobs of one process wait for each other on every device. On a GPU all processes of a user wait
for each other, because two trainings may not fit into its memory. On the CPU they do not: whoever
starts several processes, as on a server, wants them to run side by side.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from zsfiji import folders, progress

_INTERVAL = 0.1
"""Seconds between two attempts to get a device; so often a waiting job can be cancelled."""

_locks: dict[str, threading.Lock] = {}
"""Device -> lock among the jobs of this process."""

_locks_guard = threading.Lock()


@contextmanager
def device_lock(device: str) -> Iterator[None]:
    """Wait until the device is free, then hold it for the length of the block.

    Parameters
    ----------
    device : str
        Name of the device, as torch writes it: "cpu", "cuda:0" or "mps".

    Raises
    ------
    Cancelled
        If the user stops the job while it waits.
    """
    with _locks_guard:
        lock = _locks.setdefault(device, threading.Lock())
    while not lock.acquire(timeout=_INTERVAL):
        progress.report(0, "Waiting for the job before it", waiting=True)
    try:
        with _lock_among_processes(device):
            yield
    finally:
        lock.release()


@contextmanager
def _lock_among_processes(device: str) -> Iterator[None]:
    """Hold the lock file of a GPU; the system releases it however the process ends."""
    lock = None if device.startswith("cpu") else _lock_file(device)
    while lock is not None:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            progress.report(0, "Waiting for another zsfiji process on this device", waiting=True)
            time.sleep(_INTERVAL)
        except (OSError, NotImplementedError):
            # There is no folder for locks, or its file system has none: work without a lock.
            lock = None
    try:
        yield
    finally:
        if lock is not None:
            with suppress(OSError):
                lock.release()


def _lock_file(device: str) -> FileLock | None:
    name = re.sub(r"[^\w.-]+", "_", f"{device}-{_hardware(device)}".strip("-"))
    try:
        folder = folders.runtime_folder()
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(Path(folder, f"{name}.lock"))
    except OSError:
        return None


def _hardware(device: str) -> str:
    """Identify a GPU: "cuda:0" may be another one in each process."""
    if not device.startswith("cuda"):
        return ""
    import torch

    try:
        return str(torch.cuda.get_device_properties(torch.device(device)).uuid)
    except (AttributeError, AssertionError, RuntimeError):
        # Older versions of torch do not tell.
        return os.environ.get("CUDA_VISIBLE_DEVICES", "")

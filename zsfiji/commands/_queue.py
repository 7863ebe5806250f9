"""One job at a time on a device: two trainings at once would only slow each other down.

On a GPU that holds for all processes of a user, for two may not fit into its memory. The processor
is shared by the system: who starts several processes on it, as on a server, means it.
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

_busy: dict[str, threading.Lock] = {}
_guard = threading.Lock()


@contextmanager
def turn(device: str) -> Iterator[None]:
    """Wait for the device, then hold it for the length of the block.

    Parameters
    ----------
    device : str
        Name of the device.

    Raises
    ------
    Cancelled
        If the user stops the job while it waits.
    """
    with _guard:
        lock = _busy.setdefault(device, threading.Lock())
    while not lock.acquire(timeout=_INTERVAL):
        progress.report(0, "Waiting for the job before it", waiting=True)
    try:
        with _among_processes(device):
            yield
    finally:
        lock.release()


@contextmanager
def _among_processes(device: str) -> Iterator[None]:
    """Hold the lock file of a GPU; the system frees it when the process ends, however it ends."""
    lock = None if device.startswith("cpu") else _lock(device)
    while lock is not None:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            progress.report(0, "Waiting for another zsfiji process on this device", waiting=True)
            time.sleep(_INTERVAL)
        except (OSError, NotImplementedError):
            # Without a place for locks, or on a file system without them, nobody is to wait.
            lock = None
    try:
        yield
    finally:
        if lock is not None:
            with suppress(OSError):
                lock.release()


def _lock(device: str) -> FileLock | None:
    name = re.sub(r"[^\w.-]+", "_", f"{device}-{_hardware(device)}".strip("-"))
    try:
        folder = folders.runtime_folder()
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(Path(folder, f"{name}.lock"))
    except OSError:
        return None


def _hardware(device: str) -> str:
    """Which of several GPUs it is: each process counts those that it may use from 0."""
    if not device.startswith("cuda"):
        return ""
    import torch

    try:
        return str(torch.cuda.get_device_properties(torch.device(device)).uuid)
    except (AttributeError, AssertionError, RuntimeError):
        # An older torch does not tell.
        return os.environ.get("CUDA_VISIBLE_DEVICES", "")

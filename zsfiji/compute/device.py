"""The device that networks run on, its precision, and random numbers."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import torch

from zsfiji.errors import UserError

NAMES = ("auto", "cpu", "cuda", "mps")
"""The choices of :func:`choose`."""

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


def choose(name: str = "auto") -> torch.device:
    """Find the device to compute on.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "mps"}
        "auto" takes an NVIDIA or AMD GPU if there is one, else Apple's, else the CPU.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    UserError
        If the name is unknown or this computer has no such device.
    """
    there: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
    }
    if name == "auto":
        return torch.device(next((n for n, available in there.items() if available()), "cpu"))
    if name not in NAMES:
        raise UserError(f"There is no device '{name}'. Choose one of {', '.join(NAMES)}.")
    if name in there and not there[name]():
        raise UserError(
            f"This computer has no device '{name}', or the installed torch cannot use it. "
            "Choose 'auto' or 'cpu'."
        )
    return torch.device(name)


@functools.cache
def has_bfloat16(kind: str) -> bool:
    """Whether a device of this `kind` computes in bfloat16 in hardware."""
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if kind == "cpu":
        # The versions of torch that we support have no public function for this.
        functions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, function, bool)() for function in functions)
    return False


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """Compute convolutions and matrix products in bfloat16 if `device` is faster with it.

    Parameters
    ----------
    device : torch.device
        The device that the block computes on.

    Returns
    -------
    context manager
        Without effect on a device without bfloat16.
    """
    if has_bfloat16(device.type):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Make a separate source of random numbers; torch's global one is not changed."""
    return torch.Generator(device).manual_seed(seed)


def poisson(rate: torch.Tensor, draws: torch.Generator) -> torch.Tensor:
    """Draw Poisson numbers with the expected values `rate`.

    On Apple's GPU, for which torch may have no such numbers, the CPU draws them.
    """
    if draws.device.type == "mps":
        seed = int(torch.randint(2**62, (), generator=draws, device=draws.device))
        return torch.poisson(rate.cpu(), generator=generator(seed)).to(rate.device)
    return torch.poisson(rate, generator=draws)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that the device has not enough memory."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text
    )


def with_fallback(work: Callable[[torch.device], _Result], device: torch.device) -> _Result:
    """Do `work` on `device`, and again on the CPU if the device has not enough memory.

    Parameters
    ----------
    work : callable
        Takes the device. It has to start from the beginning each time.
    device : torch.device
        Where to try first.

    Returns
    -------
    object
        What `work` returns.

    Raises
    ------
    UserError
        If there is not enough memory for the CPU either.
    """
    try:
        return work(device)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        if device.type == "cpu":
            raise UserError(
                "There is not enough memory. Close other images, or select a smaller region."
            ) from error
    _log.warning("The device %s has not enough memory; continuing on the CPU.", device)
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return with_fallback(work, torch.device("cpu"))

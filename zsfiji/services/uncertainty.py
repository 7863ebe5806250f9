"""How uncertain the pixels of a result are: a parametric bootstrap, calibrated on simulated images.

The restored image stands for the specimen. Captures of it are simulated with the noise of the
camera and restored with the same model. How much these differ from the restored image shows how the
noise comes through, and how much structure is lost, for they lose some of it once more (Efron and
Tibshirani, An Introduction to the Bootstrap, 1993, sections 6.5 and 10.6). docs/uncertainty.md
says where the constants come from and how far they hold.

A method only has to say how its captures are simulated: :meth:`.Method.simulate`.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from scipy.ndimage import gaussian_filter

from zsfiji import progress
from zsfiji.compute.scratch import release, scratch_array
from zsfiji.images.parts import place, positions
from zsfiji.learning.models import Model
from zsfiji.quality.report import Report
from zsfiji.services.duration import ROUNDS
from zsfiji.services.method import Method, Restored

S = TypeVar("S")
U = TypeVar("U", bound=Any)
Given = TypeVar("Given")

NAME = "uncertainty"
"""Name of the result."""

FEWEST = 2
"""Captures without which nothing is said about the spread, also if the user wants to finish."""

SMOOTH = 2.0
"""Standard deviation in pixels of the image of the Gaussian that the squared differences are
averaged with: a few of them in one pixel say little."""

COME_THROUGH = 0.8
"""Standard deviation that the noise causes in a result, over the one between the restored captures.
It is less than 1 because the average over neighbours spreads that of bright pixels."""

LOST = 2.4
"""Structure that a result has lost, over what a simulated capture loses of it once more. Both were
found on simulated images of seeds that no table in docs/uncertainty.md is from."""

LOST_BY = {"deconvolved": 5.0}
"""The same for results that are sharper than the image: what the optics did not pass is lost from
the start, and no capture of the result shows it."""

_ROUND = 7919
"""Distance of the seeds of two rounds; other numbers than those that the trainings add."""

_LABEL = "Measuring the uncertainty"

_QUANTILES = (0.005, 0.5, 0.995)
"""What counts as the contrast of an image, and its middle."""

_MOST_PIXELS = 2**20
"""Pixels that the sentence about the uncertainty is made from: bounds the time."""


def with_uncertainty(
    method: Method[S, Given, U],
    model: Model[S, U],
    restored: Restored,
    *,
    of: str,
    again: Method[S, Given, U] | None = None,
    device: str = "auto",
) -> Restored:
    """Add the uncertainty of one of the results.

    Takes as long as applying the model :data:`ROUNDS` times more. Nothing is trained.

    Parameters
    ----------
    method : Method
        The method.
    model : Model
        The model that restored the image.
    restored : Restored
        What :meth:`.Method.apply` gave.
    of : str
        Name of the result whose uncertainty is wanted.
    again : Method, optional
        What restores the captures, where `method` keeps what it finds in an image; `method` without
        it.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.

    Returns
    -------
    Restored
        The same with a further image :data:`NAME` before the others, and a sentence about it: the
        standard deviation of the error of each pixel, in the unit of the image, on the grid of the
        result `of`. After Finish now fewer captures are simulated, but :data:`FEWEST` at least.

    Raises
    ------
    Cancelled
        If the user asked to stop.
    """
    result = restored.images[of]
    total, squares = scratch_array(result.shape), scratch_array(result.shape)
    total[:] = squares[:] = 0
    where = [place(result, position) for position in positions(result)]
    seed = int(getattr(model.settings, "seed", 0))
    rounds, scale = 0, 1
    for number in range(ROUNDS):
        if number >= FEWEST and progress.finish_requested():
            break
        with progress.part(number / ROUNDS, (number + 1) / ROUNDS):
            progress.report(0, _LABEL)
            capture = method.simulate(model, restored.images, seed + _ROUND * (number + 1))
            found = (again or method).apply(model, capture, device=device).images[of].data
        for index in where:
            difference = found[index] - result.data[index]
            total[index] += difference
            squares[index] += np.square(difference)
            for array in (total[index], squares[index], found[index]):
                release(array)
        rounds += 1
        scale = result.sizes["row"] // capture.sizes["row"]
    for index in where:
        squares[index] = deviation(
            total[index], squares[index], rounds, scale=scale, lost=LOST_BY.get(of, LOST)
        )
        release(squares[index])
    report = restored.report
    said, metrics = described(result.data, squares)
    return Restored(
        {NAME: result.copy(data=squares), **restored.images},
        Report((*report.notes, said), {**report.metrics, **metrics}),
    )


def deviation(
    total: np.ndarray, squares: np.ndarray, count: int, *, scale: int = 1, lost: float = LOST
) -> np.ndarray:
    """Standard deviation of the error of a plane.

    The variance between the restored captures is that of the noise which comes through; the
    distance of their mean from what they were made of is structure that was lost.

    Parameters
    ----------
    total, squares : numpy.ndarray
        Sums over the restored captures of their differences from the image that they were made of,
        and of the squares of these; (row, col).
    count : int
        How many captures these are, at least 2.
    scale : int
        Pixels of the plane to a pixel of the image, along rows and along columns.
    lost : float
        What the lost structure is multiplied by.

    Returns
    -------
    numpy.ndarray
        float32 (row, col).
    """
    mean = total / count
    variance = np.maximum(squares - count * np.square(mean), 0) / (count - 1)
    noise, bias = (
        gaussian_filter(np.asarray(each, np.float32), SMOOTH * scale)
        for each in (variance, np.square(mean))
    )
    # The mean of few captures is noisy: that much of its square is no structure.
    bias = np.maximum(bias - noise / count, 0)
    return np.sqrt(COME_THROUGH**2 * np.maximum(noise, 0) + lost**2 * bias)


def described(result: np.ndarray, deviations: np.ndarray) -> tuple[str, dict[str, float]]:
    """Say how uncertain a result is, in a sentence and in numbers.

    Parameters
    ----------
    result, deviations : numpy.ndarray
        The result and the standard deviations of its error, of one shape.
    """
    every = max(1, -(-result.size // _MOST_PIXELS))
    value, spread = result.ravel()[::every], deviations.ravel()[::every]
    low, middle, high = (float(v) for v in np.quantile(value, _QUANTILES))
    typical = float(np.sqrt(np.mean(np.square(spread, dtype=np.float64))))
    contrast = high - low
    relative = typical / contrast if contrast > 0 else 0.0
    within = float(np.mean(np.abs(value - middle) < 2 * spread))
    sentence = (
        f"Uncertainty: the standard deviation of the error is {typical:.3g} grey levels "
        f"(root mean square), {relative:.1%} of the contrast of the image. {within:.0%} of the "
        "pixels differ from the median by less than two standard deviations of their own."
    )
    return sentence, {
        "uncertainty": typical,
        "uncertainty_relative": relative,
        "uncertainty_within": within,
    }

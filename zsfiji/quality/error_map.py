"""How well a restored image explains the image from which it was made (SQUIRREL).

Culley et al., Nature Methods 15, 263 (2018): the restored image is blurred to the resolution of the
reference, scaled to its brightness, and compared with it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zsfiji.quality.metrics import aligned


class Consistency(NamedTuple):
    """Result of the comparison.

    Attributes
    ----------
    rsp : float
        Resolution-scaled Pearson coefficient; 1 is best.
    rse : float
        Resolution-scaled root mean square error, in the unit of the reference.
    error : numpy.ndarray
        The error map: absolute differences, shape (row, col).
    """

    rsp: float
    rse: float
    error: np.ndarray


def consistency(reference: np.ndarray, blurred: np.ndarray) -> Consistency:
    """Compare a restored image, blurred again, with the reference.

    Parameters
    ----------
    reference : numpy.ndarray
        The image of low resolution, shape (row, col).
    blurred : numpy.ndarray
        The restored image at its resolution and on its grid; gain and offset are fitted.

    Returns
    -------
    Consistency
        Coefficient, error and error map. The noise of the reference limits the first two.
    """
    scaled = aligned(blurred, reference)
    error = np.abs(np.asarray(reference, dtype=np.float64) - scaled)
    spreads = float(np.std(reference)) * float(np.std(blurred))
    covariance = float(((reference - np.mean(reference)) * (blurred - np.mean(blurred))).mean())
    rsp = covariance / spreads if spreads > 0 else 0.0
    return Consistency(rsp, float(np.sqrt((error**2).mean())), error)

"""Planes and stacks are denoised and deconvolved, and the results checked against the noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
import torch

from zsfiji.compute.device import generator
from zsfiji.compute.slices import each_slice, spread_slices
from zsfiji.deconvolution import guard
from zsfiji.deconvolution.brightness import keep_mean
from zsfiji.deconvolution.tiles import PieceRestorer, Results, restore
from zsfiji.images.middle import middle
from zsfiji.physics.camera.defects import repaired_image
from zsfiji.physics.camera.model import Camera
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.quality import agreement, sharpening
from zsfiji.quality.faint import faintest
from zsfiji.services.deconvolution_report import Part

_JUDGED = 7
"""Number of slices in which the faintest structure is looked for. Not tuned."""


class DeconvolvingRestorer(PieceRestorer, Protocol):
    """What :func:`restore_checked` has to know of a restorer."""

    @property
    def camera(self) -> Camera:
        """The noise, and the grey level of no light."""

    @property
    def optics(self) -> Degradation:
        """The microscope."""

    @property
    def doubted(self) -> bool:
        """Whether the noise is the least that there is; see :func:`.doubt.noise_to_use`."""


def restore_checked(
    restorer: DeconvolvingRestorer, image: np.ndarray, into: Results, symmetries: int
) -> Part:
    """Restore a plane or a stack, check it against the noise, and tell what was found.

    Defective pixels are replaced first. Where the denoised image lacks structure, it is put back;
    a plane whose deconvolved image does not explain the image is deconvolved further. The results
    get the mean of the image. What was not sharpened is the denoised image on the fine grid.

    Parameters
    ----------
    restorer : DeconvolvingRestorer
        What was learnt.
    image : numpy.ndarray
        (row, col) or (pln, row, col), of any type.
    into : Results
        Where the results are written.
    symmetries : int
        Flips and rotations that they are means over.

    Returns
    -------
    Part
        What is to be said about it.
    """
    camera, optics = restorer.camera, restorer.optics
    noisy, defects = repaired_image(image, camera.noise)
    restore(restorer, noisy, "Deconvolving", symmetries=symmetries, into=into)
    denoised, sharp, reblurred = into
    # Fluorescence is not darker than no light.
    for plane in each_slice(sharp):
        np.maximum(plane, camera.dark_level, out=plane)
    light = keep_mean([denoised], denoised, noisy, camera)
    # Some of the light of a stack came from above and below it.
    light_sharp = keep_mean(
        [sharp] if reblurred is None else [sharp, reblurred],
        sharp if reblurred is None else reblurred,
        noisy,
        camera,
    )
    spared = guard.denoised(noisy, denoised, camera)
    if spared:
        light = replace(light, kept=keep_mean([denoised], denoised, noisy, camera).kept)
    missing = None
    if restorer.axes == 2:
        missing = guard.deconvolved(noisy, denoised, sharp, camera, optics)
        keep_mean([sharp], sharp, noisy, camera)
    found = sharpening.judge(camera.noise, optics, noisy, denoised, sharp, reblurred)
    if found.sharpening < sharpening.SHARPER:
        for plane, smooth in zip(each_slice(sharp), each_slice(denoised), strict=True):
            plane[:] = sharpening.enlarged(smooth, optics.upsample)
        light_sharp, missing = light, None
        agreed = None
    else:
        agreed = _agreement(restorer, noisy) if restorer.axes == 2 else None
    return Part(
        camera,
        restorer.doubted,
        noisy,
        found,
        (light, light_sharp),
        defects=defects,
        spared=spared,
        missing=missing,
        agreement=agreed,
        faintest=max(faintest(camera.noise, plane) for plane in spread_slices(denoised, _JUDGED)),
    )


def _agreement(restorer: DeconvolvingRestorer, noisy: np.ndarray) -> agreement.Agreement:
    """Compare results of two captures of independent noise, each with twice its variance.

    They are made from the middle of the image (equation 2 of the ZS-DeconvNet paper).
    """
    part = noisy[middle(noisy.shape, agreement.SIDE)].astype(np.float32)
    planes = torch.from_numpy(part)[None, None]
    pair = restorer.camera.recorrupt(planes, 1.0, generator(0))[:2]
    results = (restore(restorer, half[0, 0].numpy(), symmetries=1).sharp for half in pair)
    return agreement.agreement(restorer.optics, *results)

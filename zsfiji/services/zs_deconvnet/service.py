"""``ZS-DeconvNet``: fit to an image, apply to it or to others of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
import xarray as xr

from zsfiji.errors import UserError
from zsfiji.learning import losses
from zsfiji.services.method import Method
from zsfiji.services.two_stage.fit import Given, Plan
from zsfiji.services.two_stage.restorer import Record, Restorers
from zsfiji.services.two_stage.service import AnyRestorer, TwoStage
from zsfiji.services.two_stage.task import Terms
from zsfiji.services.zs_deconvnet.kinds import RESTORERS
from zsfiji.services.zs_deconvnet.pairs import paired_psfs
from zsfiji.services.zs_deconvnet.settings import Settings

_OURS = "fast"
"""The kind of the networks that are those of ``Zero-Shot Deconvolve...`` now."""


class ZSDeconvNet(TwoStage[Settings]):
    """The method of Qiao, Zeng et al. (Nature Communications 2024)."""

    name = "zs-deconvnet"
    settings_type = Settings

    positions = 1
    """One, as published."""

    def __init__(self, restorers: Restorers = RESTORERS) -> None:
        super().__init__(restorers)

    def unit(self, record: Record, tensors: Mapping[str, torch.Tensor]) -> AnyRestorer:
        """Make a restorer from what a model keeps of it."""
        if record.kind == _OURS:
            raise UserError(
                "This is a model of Zero-Shot Deconvolve... that an earlier version of zsfiji has "
                "trained, when that was a part of ZS-DeconvNet. Train it again with Zero-Shot "
                "Deconvolve..., by save_model."
            )
        return super().unit(record, tensors)

    def plan(self, image: xr.DataArray, settings: Settings, given: Given) -> Plan:
        """Decide what is trained, and from which pairs."""
        plan = super().plan(image, settings, given)
        axes = plan.restorer.axes
        paired = paired_psfs(image, given.psfs, settings) if axes == 3 else []
        return replace(plan, terms=terms_of(settings, axes), paired=paired)


def terms_of(settings: Settings, axes: int) -> Terms:
    """Give the weights of the objective for planes (2) or stacks (3)."""
    hessian = settings.hessian
    if hessian is None:
        hessian = losses.HESSIAN_2D if axes == 2 else losses.HESSIAN_3D
    return Terms(settings.loss, hessian=hessian, variation=settings.variation)


METHOD = ZSDeconvNet()

_: Method[Settings, Given, AnyRestorer] = METHOD

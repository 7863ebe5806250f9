"""``Zero-Shot Deconvolve...``: fit to an image, apply to it or to others of its kind."""

from __future__ import annotations

from zsfiji.services.deconvolve.kinds import RESTORERS
from zsfiji.services.deconvolve.settings import Settings
from zsfiji.services.method import Method
from zsfiji.services.two_stage.fit import Given
from zsfiji.services.two_stage.restorer import Restorers
from zsfiji.services.two_stage.service import AnyRestorer, TwoStage


class Deconvolve(TwoStage[Settings]):
    """Our own deconvolution: small networks that learn from examples made of the image."""

    name = "deconvolve"
    settings_type = Settings

    def __init__(self, restorers: Restorers = RESTORERS) -> None:
        super().__init__(restorers)


METHOD = Deconvolve()

_: Method[Settings, Given, AnyRestorer] = METHOD

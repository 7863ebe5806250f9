"""The Zero-Shot menu of ImageJ and Fiji, and their search bar."""

from zsfiji.bridge.menu.entries import MENU, attach, install
from zsfiji.bridge.menu.quit import what_is_lost

__all__ = ["MENU", "attach", "install", "what_is_lost"]

"""The declarations: every module here declares commands of the menu."""

MENU = ("denoise", "deconvolve", "fm2s", "zs_deconvnet", "psf", "noise", "sim_simulator")
"""The modules in the order of the menu: our own commands, the published methods, what both need.
Others come after them."""

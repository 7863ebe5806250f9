"""The declarations: every module here declares commands of the menu."""

MENU = (
    "denoise",
    "deconvolve",
    "zero_shot_sim",
    "blind_sim",
    "fm2s",
    "zs_deconvnet",
    "zs_sim",
    "simformer",
    "sim",
    "sim_simulator",
    "psf",
    "noise",
)
"""The modules in the order of the menu: our own commands, the published methods, what both need.
Others come after them."""

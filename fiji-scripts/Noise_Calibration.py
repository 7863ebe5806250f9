#@script(label="Noise Calibration", description="Measure the noise of an image by photon transfer: how its variance grows with brightness.", language="python", headless=true)
#@ ImagePlus (label="Image") input
#@ String (label="Dark frame (open image or file)", description="An image taken without light by the same camera at the same settings, or a stack of them. It gives the background and the read noise more reliably than the image itself.", required=false, persist=false) dark

# Measure the noise of an image by photon transfer: how its variance grows with brightness.
# Written from zsfiji's table of commands by: python -m zsfiji.bridge.scripts

from zsfiji.bridge.scripts import call

call("Noise Calibration...", input, {"dark": dark})

#@script(label="PSF from Beads", description="Measure the point spread function (PSF) in an image or stack of small fluorescent beads.", language="python", headless=true)
#@ ImagePlus (label="Image") input
#@ String (label="Fit", description="none: the mean of the beads as it is. radial: its mean over all directions, which lowers the noise of few beads, if the lens is well adjusted. gaussian: a Gaussian fitted to it.", choices={"none", "radial", "gaussian"}, value="none", persistKey="zsfiji.psf_from_beads.fit") fit
#@ Integer (label="Window (0 = auto) (px)", description="Edge of the field that is cut out around a bead, an odd number from 3 on. 0: three widths of a bead on each side.", value=0, persistKey="zsfiji.psf_from_beads.window", min=0, max=511) window
#@ String (label="Saturation", description="Grey level at which the camera saturates. Empty: found from plateaus in the image.", required=false, persist=false) saturation
#@ String (label="Pixel size of the image (nm)", description="Width of a pixel of the image in the specimen. Empty: as the image has it (Image > Properties...).", required=false, persist=false) pixel_size
#@ String (label="Slice spacing of the image (nm)", description="Distance between the slices of the image (z step). Empty: as the image has it (Image > Properties...).", required=false, persist=false) slice_spacing

# Measure the point spread function (PSF) in an image or stack of small fluorescent beads.
# Written from zsfiji's table of commands by: python -m zsfiji.bridge.scripts

from zsfiji.bridge.scripts import call

call("PSF from Beads...", input, {"fit": fit, "window": window, "saturation": saturation, "pixel_size": pixel_size, "slice_spacing": slice_spacing})

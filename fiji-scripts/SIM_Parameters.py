#@script(label="SIM Parameters", description="Find the patterns of a raw SIM image, without reconstructing it.", language="python", headless=true)
#@ ImagePlus (label="Image") input
#@ Double (label="Numerical aperture", description="Of the objective: the number after its magnification, such as 1.4.", value=1.4, persistKey="zsfiji.sim_parameters.na", min=0.02, max=1.7) na
#@ Double (label="Emission (nm)", description="Wavelength of the fluorescence that was recorded.", value=525, persistKey="zsfiji.sim_parameters.emission", min=200, max=2000) emission
#@ String (label="Pixel size (nm)", description="Width of a raw pixel in the specimen: that of the camera over the magnification. Empty: as the image has it (Image > Properties...).", required=false, persist=false) pixel_size
#@ String (label="Background (grey levels)", description="Grey level of the camera without light, often about 100. Empty: the darkest place of the image.", required=false, persist=false) background
#@ Double (label="Damping of the OTF", description="What a real lens passes of the finest detail, as a share of what an ideal one does: the OTF is multiplied by this to the power of frequency over cut-off. 1 is an ideal lens. 0: measured in the image, where its bands overlap.", value=0.3, persistKey="zsfiji.sim_parameters.damping", min=0, max=1) damping
#@ String (label="Measured OTF or PSF (open image or file)", description="A measured radial OTF (MRC), or a PSF (an open image, TIFF or NPY), instead of an OTF calculated from numerical aperture, emission and damping.", required=false, persist=false) otf
#@ String (label="Order of the frames", description="How the frames follow each other. auto: found by trying which order shows patterns. angle-major: the phases of the first angle, then those of the next one. phase-major: the angles of the first phase first. omx: angle, slice, phase. elyra: phases and angles on axes of their own. n-sim: one large image of tiles. The others name the axes from the slowest to the fastest.", choices={"auto", "angle-major", "phase-major", "omx", "elyra", "n-sim", "angle-time-phase", "phase-angle-z", "phase-z-angle", "angle-phase-z"}, value="auto", persistKey="zsfiji.sim_parameters.order") order
#@ Integer (label="Angles (0 = auto)", description="Angles of the pattern. 0: from the number of frames.", value=0, persistKey="zsfiji.sim_parameters.angles", min=0, max=32) angles
#@ Integer (label="Phases (0 = auto)", description="Phases of each angle. 0: from the number of frames.", value=0, persistKey="zsfiji.sim_parameters.phases", min=0, max=64) phases
#@ Integer (label="Slices (0 = auto)", description="Slices of the specimen, where they are mixed with time points on one axis. 0: as the image has them.", value=0, persistKey="zsfiji.sim_parameters.slices", min=0, max=10000) slices
#@ String (label="Pattern", description="What makes the pattern: two beams (lines of one spacing), three beams (lines of a spacing and of half of it) or a hexagonal pattern. auto: hexagonal for a single angle with seven phases, two or three beams, as the image shows, for five phases or more, else two.", choices={"auto", "two-beam", "three-beam", "hexagonal"}, value="auto", persistKey="zsfiji.sim_parameters.pattern") pattern
#@ String (label="Find patterns per", description="channel: patterns are found once for each channel, and used for all its time points and slices. plane: they are found for each, for a microscope that drifts.", choices={"channel", "plane"}, value="channel", persistKey="zsfiji.sim_parameters.fit_per") fit_per
#@ File (label="Save parameters as", description="Where to save the patterns, as JSON, for further images of the same microscope. The file gets the ending .json unless it has one.", style="save", required=false, persist=false) save_parameters
#@ String (label="Device", description="Where to compute. auto: a GPU if one can be used, else the CPU.", choices={"auto", "cpu", "cuda", "mps"}, value="auto", persistKey="zsfiji.sim_parameters.device") device

# Find the patterns of a raw SIM image, without reconstructing it.
# Written from zsfiji's table of commands by: python -m zsfiji.bridge.scripts

from zsfiji.bridge.scripts import call

call("SIM Parameters...", input, {"na": na, "emission": emission, "pixel_size": pixel_size, "background": background, "damping": damping, "otf": otf, "order": order, "angles": angles, "phases": phases, "slices": slices, "pattern": pattern, "fit_per": fit_per, "save_parameters": save_parameters, "device": device})

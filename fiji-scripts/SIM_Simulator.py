#@script(label="SIM Simulator", description="Simulate a raw image of structured illumination microscopy (SIM), and the truth behind it.", language="python", headless=true)
#@ String (label="Structure", description="What the specimen is made of. texture: detail of all sizes. pairs and crossings: lines of known distance.", choices={"filaments", "tubules", "vesicles", "reticulum", "mixed", "spots", "texture", "pairs", "crossings"}, value="filaments", persistKey="zsfiji.sim_simulator.structure") structure
#@ Integer (label="Width (px)", description="Columns of the raw image.", value=256, persistKey="zsfiji.sim_simulator.width", min=32, max=1024) width
#@ Integer (label="Height (px)", description="Rows of the raw image.", value=256, persistKey="zsfiji.sim_simulator.height", min=32, max=1024) height
#@ String (label="Dimensions", description="2d: a plane in focus. 3d: a stack, with the light of all its slices in each.", choices={"2d", "3d"}, value="2d", persistKey="zsfiji.sim_simulator.dimensions") dimensions
#@ Integer (label="Slices (3d)", description="Slices of a simulated stack.", value=16, persistKey="zsfiji.sim_simulator.slices", min=4, max=64) slices
#@ Double (label="Slice spacing (3d) (nm)", description="Distance of the slices of a stack (z step).", value=125, persistKey="zsfiji.sim_simulator.slice_spacing", min=20, max=2000) slice_spacing
#@ Double (label="Numerical aperture", description="Of the objective: the number after its magnification, such as 1.4.", value=1.49, persistKey="zsfiji.sim_simulator.na", min=0.02, max=1.7) na
#@ Double (label="Emission (nm)", description="Wavelength of the fluorescence that was recorded.", value=525, persistKey="zsfiji.sim_simulator.emission", min=200, max=2000) emission
#@ Double (label="Pixel size (nm)", description="Width of a pixel of the raw image in the specimen.", value=65, persistKey="zsfiji.sim_simulator.pixel_size", min=10, max=1000) pixel_size
#@ Double (label="Excitation (3d) (nm)", description="Wavelength of the laser: in a stack it says how the pattern changes with depth.", value=488, persistKey="zsfiji.sim_simulator.excitation", min=200, max=2000) excitation
#@ Integer (label="Angles", description="Directions of the pattern.", value=3, persistKey="zsfiji.sim_simulator.angles", min=1, max=9) angles
#@ Integer (label="Phases", description="Positions of the pattern in each direction.", value=3, persistKey="zsfiji.sim_simulator.phases", min=3, max=15) phases
#@ String (label="Beams", description="Beams that make the pattern. two: lines, as of 2D-SIM and TIRF-SIM. three: lines with a second, coarser pattern, as of 3D-SIM (5 phases or more). hexagonal: spots (1 angle, 7 phases).", choices={"two", "three", "hexagonal"}, value="two", persistKey="zsfiji.sim_simulator.beams") beams
#@ String (label="Line spacing (nm)", description="Distance of the lines of the pattern. Empty: 1/0.9 of the finest that the objective passes.", required=false, persist=false) line_spacing
#@ Double (label="Modulation", description="Contrast of the pattern: 1 is dark between its lines.", value=0.8, persistKey="zsfiji.sim_simulator.modulation", min=0, max=1) modulation
#@ String (label="Direction (degrees)", description="Of the first angle: that in which the pattern changes, from the x axis towards the y axis (down). Empty: random.", required=false, persist=false) direction
#@ Double (label="Phase jitter (degrees)", description="Standard deviation of the phases from equal steps.", value=0, persistKey="zsfiji.sim_simulator.jitter", min=0, max=90) jitter
#@ Double (label="Bleaching", description="Share of the light that is lost until the last frame.", value=0, persistKey="zsfiji.sim_simulator.bleaching", min=0, max=0.95) bleaching
#@ Double (label="Photons (per frame)", description="Photons of a frame in a bright pixel: the 99.5 % quantile of the wide-field image.", value=100, persistKey="zsfiji.sim_simulator.photons", min=0.1, max=20000) photons
#@ Double (label="Haze", description="Light out of focus, over that in focus: smooth, without pattern.", value=0, persistKey="zsfiji.sim_simulator.haze", min=0, max=20) haze
#@ Double (label="Drift (px)", description="Distance that the specimen moves between the first frame and the last.", value=0, persistKey="zsfiji.sim_simulator.drift", min=0, max=16) drift
#@ Double (label="Gain (grey levels per photoelectron)", description="What one photoelectron adds to a pixel.", value=2.2, persistKey="zsfiji.sim_simulator.gain", min=0.01, max=1000) gain
#@ Double (label="Background (grey levels)", description="Grey level of the camera without light.", value=100, persistKey="zsfiji.sim_simulator.background", min=0, max=30000) background
#@ Double (label="Read noise (electrons)", description="Standard deviation of a pixel without light.", value=1.5, persistKey="zsfiji.sim_simulator.read_noise", min=0, max=100) read_noise
#@ String (label="True aperture", description="Aperture that the light really has: other than the one that a reconstruction is told. Empty: the same.", required=false, persist=false) true_aperture
#@ Double (label="Damping of the OTF", description="What remains of the OTF at its cut-off: 1 is the calculated lens, real ones have 0.2 to 0.6.", value=1, persistKey="zsfiji.sim_simulator.damping", min=0.01, max=1) damping
#@ Double (label="Refractive index of the immersion", description="Refractive index between objective and cover glass: air 1, water 1.333, glycerol 1.47, oil 1.515.", value=1.515, persistKey="zsfiji.sim_simulator.immersion", min=1, max=1.8) immersion
#@ String (label="Refractive index of the specimen", description="Refractive index of the medium around the specimen. Empty: that of the immersion, so no aberration; for TIRF that of water.", required=false, persist=false) specimen
#@ Double (label="Depth in the specimen (microns)", description="Distance of the structure from the cover glass. It matters only where the two refractive indices differ.", value=0, persistKey="zsfiji.sim_simulator.depth", min=0, max=1000) depth
#@ Integer (label="Seed", description="Another number gives another specimen and noise.", value=0, persistKey="zsfiji.sim_simulator.seed", min=0, max=2147483647) seed

# Simulate a raw image of structured illumination microscopy (SIM), and the truth behind it.
# Written from zsfiji's table of commands by: python -m zsfiji.bridge.scripts

from zsfiji.bridge.scripts import call

call("SIM Simulator...", None, {"structure": structure, "width": width, "height": height, "dimensions": dimensions, "slices": slices, "slice_spacing": slice_spacing, "na": na, "emission": emission, "pixel_size": pixel_size, "excitation": excitation, "angles": angles, "phases": phases, "beams": beams, "line_spacing": line_spacing, "modulation": modulation, "direction": direction, "jitter": jitter, "bleaching": bleaching, "photons": photons, "haze": haze, "drift": drift, "gain": gain, "background": background, "read_noise": read_noise, "true_aperture": true_aperture, "damping": damping, "immersion": immersion, "specimen": specimen, "depth": depth, "seed": seed})

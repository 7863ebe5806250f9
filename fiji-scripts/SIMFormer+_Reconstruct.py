#@script(label="SIMFormer+ Reconstruct", description="Reconstruct a raw SIM image by the small, fast student of SIMFormer.", language="python", headless=true)
#@ ImagePlus (label="Image") input
#@ String (label="Order of the frames", description="How the frames follow each other. auto: found by trying which order shows patterns. angle-major: the phases of the first angle, then those of the next one. phase-major: the angles of the first phase first. omx: angle, slice, phase. elyra: phases and angles on axes of their own. n-sim: one large image of tiles. The others name the axes from the slowest to the fastest.", choices={"auto", "angle-major", "phase-major", "omx", "elyra", "n-sim", "angle-time-phase", "phase-angle-z", "phase-z-angle", "angle-phase-z"}, value="auto", persistKey="zsfiji.simformer_plus_reconstruct.order") order
#@ Integer (label="Angles (0 = auto)", description="Angles of the pattern. 0: from the number of frames.", value=0, persistKey="zsfiji.simformer_plus_reconstruct.angles", min=0, max=32) angles
#@ Integer (label="Phases (0 = auto)", description="Phases of each angle. 0: from the number of frames.", value=0, persistKey="zsfiji.simformer_plus_reconstruct.phases", min=0, max=64) phases
#@ Integer (label="Slices (0 = auto)", description="Slices of the specimen, where they are mixed with time points on one axis. 0: as the image has them.", value=0, persistKey="zsfiji.simformer_plus_reconstruct.slices", min=0, max=10000) slices
#@ String (label="Pattern", description="What makes the pattern: two beams (lines of one spacing), three beams (lines of a spacing and of half of it) or a hexagonal pattern. auto: hexagonal for a single angle with seven phases, two or three beams, as the image shows, for five phases or more, else two.", choices={"auto", "two-beam", "three-beam", "hexagonal"}, value="auto", persistKey="zsfiji.simformer_plus_reconstruct.pattern") pattern
#@ String (label="Background (grey levels)", description="Grey level of the camera without light, often about 100. Empty: the darkest place of the image.", required=false, persist=false) background
#@ File (label="Model", description="A model that SIMFormer Train..., Fine-tune... or Distill... has saved. Empty: the one that zsfiji ships.", style="open", required=false, persist=false) model
#@ String (label="Device", description="Where to compute. auto: a GPU if one can be used, else the CPU.", choices={"auto", "cpu", "cuda", "mps"}, value="auto", persistKey="zsfiji.simformer_plus_reconstruct.device") device

# Reconstruct a raw SIM image by the small, fast student of SIMFormer.
# Written from zsfiji's table of commands by: python -m zsfiji.bridge.scripts

from zsfiji.bridge.scripts import call

call("SIMFormer+ Reconstruct...", input, {"order": order, "angles": angles, "phases": phases, "slices": slices, "pattern": pattern, "background": background, "model": model, "device": device})

#@script(label="SIMFormer Distill", description="Teach a small student what a trained network makes of raw SIM images, for SIMFormer+.", language="python", headless=true)
#@ File (label="Save model as", description="Where to save the model. The file gets the ending .zsfiji unless it has one.", style="save", required=true, persist=false) save_model
#@ File (label="Teacher", description="A model of SIMFormer that the student learns from. Empty: the one that zsfiji ships.", style="open", required=false, persist=false) teacher
#@ Integer (label="Steps (0 = default)", description="Training steps. 0: those of the network, 40,000 for compact and small.", value=0, persistKey="zsfiji.simformer_distill.steps", min=0, max=10000000) steps
#@ Integer (label="Seed", description="Start of the random numbers. The same seed gives the same pixels on the same machine.", value=0, persistKey="zsfiji.simformer_distill.seed", min=0, max=2147483647) seed
#@ Double (label="Photons of a photon", description="Noise that the student sees beyond that of the teacher: photons that a photon stands for, at least; at most ten times as many. Less is more noise.", value=0.5, persistKey="zsfiji.simformer_distill.shots", min=0.001, max=1000000) shots
#@ Double (label="Gaussian noise", description="Noise that the student sees beyond that of the teacher: highest standard deviation, over the mean of the frames.", value=0.3, persistKey="zsfiji.simformer_distill.gaussian", min=0, max=10) gaussian
#@ File (label="State of the training", description="A file that keeps the state of the training, written 50 times. If it exists the training goes on from there, exactly as if it had not stopped.", style="save", required=false, persist=false) training_state
#@ String (label="Device", description="Where to compute. auto: a GPU if one can be used, else the CPU.", choices={"auto", "cpu", "cuda", "mps"}, value="auto", persistKey="zsfiji.simformer_distill.device") device

# Teach a small student what a trained network makes of raw SIM images, for SIMFormer+.
# Written from zsfiji's table of commands by: python -m zsfiji.bridge.scripts

from zsfiji.bridge.scripts import call

call("SIMFormer Distill...", None, {"save_model": save_model, "teacher": teacher, "steps": steps, "seed": seed, "shots": shots, "gaussian": gaussian, "training_state": training_state, "device": device})

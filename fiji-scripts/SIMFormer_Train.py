#@script(label="SIMFormer Train", description="Train a network of SIMFormer on simulated raw SIM images, and save it.", language="python", headless=true)
#@ String (label="Network", description="compact: a U-Net that sees linear reconstructions, the one that zsfiji ships. small: a vision transformer of 5 million parameters that sees the frames. published: the published one of 228 million parameters, which wants a large GPU.", choices={"compact", "small", "published"}, value="compact", persistKey="zsfiji.simformer_train.network") network
#@ Integer (label="Steps (0 = default)", description="Training steps. 0: those of the network, 40,000 for compact and small.", value=0, persistKey="zsfiji.simformer_train.steps", min=0, max=10000000) steps
#@ String (label="Learn from", description="truth: the truth of the simulated specimens is learnt as well. frames: only that the result explains the frames, as published; from random weights this needs a very long training, or gives an empty image.", choices={"truth", "frames"}, value="truth", persistKey="zsfiji.simformer_train.learn_from") learn_from
#@ Integer (label="Seed", description="Start of the random numbers. The same seed gives the same pixels on the same machine.", value=0, persistKey="zsfiji.simformer_train.seed", min=0, max=2147483647) seed
#@ File (label="Save model as", description="Where to save the model. The file gets the ending .zsfiji unless it has one.", style="save", required=true, persist=false) save_model
#@ File (label="State of the training", description="A file that keeps the state of the training, written 50 times. If it exists the training goes on from there, exactly as if it had not stopped.", style="save", required=false, persist=false) training_state
#@ String (label="Device", description="Where to compute. auto: a GPU if one can be used, else the CPU.", choices={"auto", "cpu", "cuda", "mps"}, value="auto", persistKey="zsfiji.simformer_train.device") device

# Train a network of SIMFormer on simulated raw SIM images, and save it.
# Written from zsfiji's table of commands by: python -m zsfiji.bridge.scripts

from zsfiji.bridge.scripts import call

call("SIMFormer Train...", None, {"network": network, "steps": steps, "learn_from": learn_from, "seed": seed, "save_model": save_model, "training_state": training_state, "device": device})

#@script(label="Zero-Shot Denoise", description="Remove the noise of a fluorescence image, learning from nothing but the image itself.", language="python", headless=true)
#@ ImagePlus (label="Image") input
#@ String (label="Quality", description="How much computing to spend: quick for a look, standard for a result, best when time does not matter.", choices={"quick", "standard", "best"}, value="standard", persistKey="zsfiji.denoise.quality") quality
#@ String (label="Fit one model per", description="channel: one model for all slices and frames of a channel, which is faster, keeps a time-lapse from flickering and learns from every plane. plane: one model for each plane, for stacks whose planes differ strongly.", choices={"channel", "plane"}, value="channel", persistKey="zsfiji.denoise.fit_per") fit_per
#@ Integer (label="Seed", description="Start of the random numbers. The same seed gives the same pixels on the same machine.", value=0, persistKey="zsfiji.denoise.seed", min=0, max=2147483647) seed
#@ Integer (label="Noise correlation (0 = auto) (px)", description="Over how many neighbouring pixels the noise is shared (after interpolation or processing in the camera). 0 measures it in the image; 1 means that every pixel has noise of its own.", value=0, persistKey="zsfiji.denoise.noise_correlation", min=0, max=4) noise_correlation
#@ String (label="Gain (grey levels per photoelectron)", description="What one photoelectron adds to a pixel. Empty: measured in the image.", required=false, persist=false) gain
#@ String (label="Background (grey levels)", description="Grey level of the camera without light. Empty: measured in the image.", required=false, persist=false) background
#@ String (label="Read variance (grey levels squared)", description="Variance of a pixel without light; it needs the background as well. Empty: measured in the image.", required=false, persist=false) read_variance
#@ String (label="Dark frame (open image or file)", description="An image taken without light by the same camera at the same settings, or a stack of them. It gives the background and the read noise more reliably than the image itself.", required=false, persist=false) dark
#@ File (label="Apply saved model", description="A model file saved earlier. It is applied as it is, nothing is trained, and the quality and the seed do not matter.", style="open", required=false, persist=false) apply_model
#@ File (label="Save model as", description="Where to save the model, to apply it to further images. The file gets the ending .zsfiji unless it has one.", style="save", required=false, persist=false) save_model
#@ String (label="Bit depth of the result", description="auto: 32-bit floats, which keep fractions of a grey level, and RGB for RGB. 32-bit: floats always. input: the type of the input, rounded and clipped to its range.", choices={"auto", "32-bit", "input"}, value="auto", persistKey="zsfiji.denoise.bit_depth") bit_depth
#@ Boolean (label="Uncertainty map", description="A further image: the standard deviation of the error of each pixel, in grey levels, from simulated noisy copies of the result. Takes as long as applying the model three more times.", value=false, persistKey="zsfiji.denoise.uncertainty") uncertainty
#@ String (label="Device", description="Where to compute. auto: a GPU if one can be used, else the CPU.", choices={"auto", "cpu", "cuda", "mps"}, value="auto", persistKey="zsfiji.denoise.device") device

# Remove the noise of a fluorescence image, learning from nothing but the image itself.
# Written from zsfiji's table of commands by: python -m zsfiji.bridge.scripts

from zsfiji.bridge.scripts import call

call("Zero-Shot Denoise...", input, {"quality": quality, "fit_per": fit_per, "seed": seed, "noise_correlation": noise_correlation, "gain": gain, "background": background, "read_variance": read_variance, "dark": dark, "apply_model": apply_model, "save_model": save_model, "bit_depth": bit_depth, "uncertainty": uncertainty, "device": device})

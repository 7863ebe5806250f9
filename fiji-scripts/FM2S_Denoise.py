#@script(label="FM2S Denoise", description="Denoise a fluorescence image with FM2S, a network of 3,529 to 8,034 parameters.", language="python", headless=true)
#@ ImagePlus (label="Image") input
#@ String (label="Modality", description="The published constants: confocal, twophoton and widefield are tuned for the authors' microscopes, base (what their program takes unless told otherwise) for simulated calcium imaging. auto is our variant: the noise is measured in the image.", choices={"base", "confocal", "twophoton", "widefield", "auto"}, value="base", persistKey="zsfiji.fm2s.modality") modality
#@ String (label="Averaged captures", description="How many captures were averaged to make the image. It chooses the authors' constants; auto measures the noise instead, and base is for single captures only.", choices={"1", "2", "4", "8", "16"}, value="1", persistKey="zsfiji.fm2s.average") average
#@ String (label="Quality", description="How much computing to spend: quick for a look, standard for a result, best when time does not matter.", choices={"quick", "standard", "best"}, value="standard", persistKey="zsfiji.fm2s.quality") quality
#@ String (label="Fit one model per", description="channel: one model for all slices and frames of a channel, which is faster, keeps a time-lapse from flickering and learns from every plane. plane: one model for each plane, for stacks whose planes differ strongly.", choices={"channel", "plane"}, value="channel", persistKey="zsfiji.fm2s.fit_per") fit_per
#@ Integer (label="Seed", description="Start of the random numbers. The same seed gives the same pixels on the same machine.", value=0, persistKey="zsfiji.fm2s.seed", min=0, max=2147483647) seed
#@ File (label="Apply saved model", description="A model file saved earlier. It is applied as it is, nothing is trained, and the quality and the seed do not matter.", style="open", required=false, persist=false) apply_model
#@ File (label="Save model as", description="Where to save the model, to apply it to further images. The file gets the ending .zsfiji unless it has one.", style="save", required=false, persist=false) save_model
#@ String (label="Bit depth of the result", description="auto: 32-bit floats, which keep fractions of a grey level, and RGB for RGB. 32-bit: floats always. input: the type of the input, rounded and clipped to its range.", choices={"auto", "32-bit", "input"}, value="auto", persistKey="zsfiji.fm2s.bit_depth") bit_depth
#@ Boolean (label="Uncertainty map", description="A further image: the standard deviation of the error of each pixel, in grey levels, from simulated noisy copies of the result. Takes as long as applying the model three more times.", value=false, persistKey="zsfiji.fm2s.uncertainty") uncertainty
#@ String (label="Device", description="Where to compute. auto: a GPU if one can be used, else the CPU.", choices={"auto", "cpu", "cuda", "mps"}, value="auto", persistKey="zsfiji.fm2s.device") device

# Denoise a fluorescence image with FM2S, a network of 3,529 to 8,034 parameters.
# Written from zsfiji's table of commands by: python -m zsfiji.bridge.scripts

from zsfiji.bridge.scripts import call

call("FM2S Denoise...", input, {"modality": modality, "average": average, "quality": quality, "fit_per": fit_per, "seed": seed, "apply_model": apply_model, "save_model": save_model, "bit_depth": bit_depth, "uncertainty": uncertainty, "device": device})

#@script(label="ZS-DeconvNet Predict", description="Denoise and deconvolve an image with a model trained on another one of the same kind.", language="python", headless=true)
#@ ImagePlus (label="Image") input
#@ File (label="Model", description="A model that ZS-DeconvNet Train... or Restore... has saved.", style="open", required=true, persist=false) model
#@ String (label="Pixel size of the image (nm)", description="Width of a pixel of the image in the specimen. Empty: as the image has it (Image > Properties...).", required=false, persist=false) pixel_size
#@ String (label="Slice spacing of the image (nm)", description="Distance between the slices of the image (z step). Empty: as the image has it (Image > Properties...).", required=false, persist=false) slice_spacing
#@ String (label="Results", description="Which of the two images to give.", choices={"both", "denoised", "deconvolved"}, value="both", persistKey="zsfiji.zs_deconvnet_predict.results") results
#@ String (label="Bit depth of the result", description="auto: 32-bit floats, which keep fractions of a grey level, and RGB for RGB. 32-bit: floats always. input: the type of the input, rounded and clipped to its range.", choices={"auto", "32-bit", "input"}, value="auto", persistKey="zsfiji.zs_deconvnet_predict.bit_depth") bit_depth
#@ Boolean (label="Uncertainty map", description="A further image: the standard deviation of the error of each pixel, in grey levels, from simulated captures of the result. Takes as long as applying the model three more times.", value=false, persistKey="zsfiji.zs_deconvnet_predict.uncertainty") uncertainty
#@ String (label="Device", description="Where to compute. auto: a GPU if one can be used, else the CPU.", choices={"auto", "cpu", "cuda", "mps"}, value="auto", persistKey="zsfiji.zs_deconvnet_predict.device") device

# Denoise and deconvolve an image with a model trained on another one of the same kind.
# Written from zsfiji's table of commands by: python -m zsfiji.bridge.scripts

from zsfiji.bridge.scripts import call

call("ZS-DeconvNet Predict...", input, {"model": model, "pixel_size": pixel_size, "slice_spacing": slice_spacing, "results": results, "bit_depth": bit_depth, "uncertainty": uncertainty, "device": device})

#@script(label="Zero-Shot Deconvolve", description="Denoise and deconvolve an image, learning from nothing but the image and its PSF.", language="python", headless=true)
#@ ImagePlus (label="Image") input
#@ String (label="PSF (open image or file)", description="The point spread function: an open image, as PSF Generator... and PSF from Beads... make it, or a file (TIFF, NPY, or an OTF in MRC). It is resampled to the pixel size of the image; both must be calibrated.", required=false, persist=false) psf
#@ String (label="Quality", description="How long to train: on two CPU cores an image of 512 x 512 pixels takes about a minute (quick) or five (standard), a stack longer.", choices={"quick", "standard"}, value="quick", persistKey="zsfiji.deconvolve.quality") quality
#@ String (label="Dimensions", description="2d restores slice by slice, 3d stacks as a whole. auto takes 3d where the PSF is a stack, and the image has at least five slices and is twice as deep as the PSF.", choices={"auto", "2d", "3d"}, value="auto", persistKey="zsfiji.deconvolve.dimensions") dimensions
#@ String (label="Upsampling", description="Pixels of the deconvolved image per pixel of the image, along rows and columns. 2 gives the finer grid that resolution beyond the camera's pixels needs.", choices={"1", "2"}, value="2", persistKey="zsfiji.deconvolve.upsample") upsample
#@ String (label="Fit one model per", description="channel: one model for all slices and frames of a channel, which is faster, keeps a time-lapse from flickering and learns from every plane. plane: one model for each plane, for stacks whose planes differ strongly.", choices={"channel", "plane"}, value="channel", persistKey="zsfiji.deconvolve.fit_per") fit_per
#@ Integer (label="Seed", description="Start of the random numbers. The same seed gives the same pixels on the same machine.", value=0, persistKey="zsfiji.deconvolve.seed", min=0, max=2147483647) seed
#@ Integer (label="Steps (0 = auto)", description="Steps of the training. 0: as many as the quality has.", value=0, persistKey="zsfiji.deconvolve.steps", min=0, max=1000000) steps
#@ String (label="Gain (grey levels per photoelectron)", description="What one photoelectron adds to a pixel. Empty: measured in the image.", required=false, persist=false) gain
#@ String (label="Background (grey levels)", description="Grey level of the camera without light. Empty: measured in the image.", required=false, persist=false) background
#@ String (label="Read variance (grey levels squared)", description="Variance of a pixel without light; it needs the background as well. Empty: measured in the image.", required=false, persist=false) read_variance
#@ String (label="Dark frame (open image or file)", description="An image taken without light by the same camera at the same settings, or a stack of them. It gives the background and the read noise more reliably than the image itself.", required=false, persist=false) dark
#@ String (label="Pixel size of the image (nm)", description="Width of a pixel of the image in the specimen. Empty: as the image has it (Image > Properties...).", required=false, persist=false) pixel_size
#@ String (label="Slice spacing of the image (nm)", description="Distance between the slices of the image (z step). Empty: as the image has it (Image > Properties...).", required=false, persist=false) slice_spacing
#@ String (label="Pixel size of the PSF (nm)", description="Pixel size of the PSF, if its file does not contain it (NPY files do not).", required=false, persist=false) psf_pixel
#@ String (label="Slice spacing of the PSF (nm)", description="Slice spacing (z step) of a 3D PSF, if its file does not contain it.", required=false, persist=false) psf_spacing
#@ File (label="Apply saved model", description="A model file saved earlier. It is applied as it is, nothing is trained, and the quality and the seed do not matter.", style="open", required=false, persist=false) apply_model
#@ File (label="Save model as", description="Where to save the model, to apply it to further images. The file gets the ending .zsfiji unless it has one.", style="save", required=false, persist=false) save_model
#@ File (label="Continue training from", description="A model saved earlier for the same kind of image. The training continues from it.", style="open", required=false, persist=false) start_model
#@ File (label="Folder of further images", description="A folder with further images of the same kind (same camera, optics, pixel size, channels and slices), which the network learns from as well.", style="directory", required=false, persist=false) more_images
#@ String (label="Results", description="Which of the two images to give.", choices={"both", "denoised", "deconvolved"}, value="both", persistKey="zsfiji.deconvolve.results") results
#@ String (label="Bit depth of the result", description="auto: 32-bit floats, which keep fractions of a grey level, and RGB for RGB. 32-bit: floats always. input: the type of the input, rounded and clipped to its range.", choices={"auto", "32-bit", "input"}, value="auto", persistKey="zsfiji.deconvolve.bit_depth") bit_depth
#@ Boolean (label="Uncertainty map", description="A further image: the standard deviation of the error of each pixel, in grey levels, from simulated noisy copies of the result. Takes as long as applying the model three more times.", value=false, persistKey="zsfiji.deconvolve.uncertainty") uncertainty
#@ String (label="Device", description="Where to compute. auto: a GPU if one can be used, else the CPU.", choices={"auto", "cpu", "cuda", "mps"}, value="auto", persistKey="zsfiji.deconvolve.device") device

# Denoise and deconvolve an image, learning from nothing but the image and its PSF.
# Written from zsfiji's table of commands by: python -m zsfiji.bridge.scripts

from zsfiji.bridge.scripts import call

call("Zero-Shot Deconvolve...", input, {"psf": psf, "quality": quality, "dimensions": dimensions, "upsample": upsample, "fit_per": fit_per, "seed": seed, "steps": steps, "gain": gain, "background": background, "read_variance": read_variance, "dark": dark, "pixel_size": pixel_size, "slice_spacing": slice_spacing, "psf_pixel": psf_pixel, "psf_spacing": psf_spacing, "apply_model": apply_model, "save_model": save_model, "start_model": start_model, "more_images": more_images, "results": results, "bit_depth": bit_depth, "uncertainty": uncertainty, "device": device})

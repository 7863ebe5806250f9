#@script(label="ZS-DeconvNet Train", description="Train a network on an image and save it, for ZS-DeconvNet Predict... and further images.", language="python", headless=true)
#@ ImagePlus (label="Image") input
#@ String (label="PSF (open image or file)", description="The point spread function: an open image, as PSF Generator... and PSF from Beads... make it, or a file (TIFF, NPY, or an OTF in MRC). It is brought to the pixels of the image by the calibrations of both.", required=true, persist=false) psf
#@ File (label="Save model as", description="Where to save the model. The file gets the ending .zsfiji unless it has one.", style="save", required=true, persist=false) save_model
#@ String (label="Quality", description="quick and standard train the compact network: for about 3 and 20 minutes on a core (stacks: 10 minutes and an hour). paper is the published network for its published 50,000 steps (10,000 in 3D), which needs a GPU or takes days.", choices={"quick", "standard", "paper"}, value="quick", persistKey="zsfiji.zs_deconvnet_train.quality") quality
#@ String (label="Dimensions", description="2d restores slice by slice, 3d stacks as a whole. auto takes 3d where the PSF is a stack and the image has at least five slices.", choices={"auto", "2d", "3d"}, value="auto", persistKey="zsfiji.zs_deconvnet_train.dimensions") dimensions
#@ String (label="Upsampling", description="Pixels of the deconvolved image per pixel of the image, along rows and columns. 2 gives the finer grid that resolution beyond the camera's pixels needs.", choices={"1", "2"}, value="2", persistKey="zsfiji.zs_deconvnet_train.upsample") upsample
#@ String (label="Fit one model per", description="channel: one model for all slices and frames of a channel, which is faster, keeps a time-lapse from flickering and learns from every plane. plane: one model for each, for stacks whose planes differ strongly.", choices={"channel", "plane"}, value="channel", persistKey="zsfiji.zs_deconvnet_train.fit_per") fit_per
#@ Integer (label="Seed", description="Start of the random numbers. The same seed gives the same pixels on the same machine.", value=0, persistKey="zsfiji.zs_deconvnet_train.seed", min=0, max=2147483647) seed
#@ String (label="Network", description="auto takes the network of the quality: published has 13,109,010 parameters (in 3D 2,003,490), compact the same layers with a quarter of the channels.", choices={"auto", "compact", "published"}, value="auto", persistKey="zsfiji.zs_deconvnet_train.network") network
#@ Integer (label="Steps (0 = auto)", description="Steps of the training. 0: as many as the quality has.", value=0, persistKey="zsfiji.zs_deconvnet_train.steps", min=0, max=1000000) steps
#@ String (label="Training pairs (3D)", description="What the network learns from in 3D: pairs of neighbouring slices, which needs many slices close to each other, or pairs made by adding noise.", choices={"auto", "slices", "recorruption"}, value="auto", persistKey="zsfiji.zs_deconvnet_train.pairs") pairs
#@ String (label="Hessian weight", description="Weight of the Hessian regulariser. Empty: the published 0.02 (0.1 in 3D).", required=false, persist=false) hessian
#@ String (label="Gain (grey levels)", description="Grey levels per photoelectron. Empty: measured in the image.", required=false, persist=false) gain
#@ String (label="Background (grey levels)", description="Grey level of the camera without light. Empty: measured in the image.", required=false, persist=false) background
#@ String (label="Read variance", description="Variance of a pixel without light, in grey levels squared; it needs the background as well. Empty: measured in the image.", required=false, persist=false) read_variance
#@ String (label="Dark frame (open image or file)", description="An image taken without light by the same camera at the same settings, or a stack of them. It gives the background and the read noise more reliably than the image itself.", required=false, persist=false) dark
#@ String (label="Pixel size of the image (nm)", description="Width of a pixel of the image in the specimen. Empty: as the image has it (Image > Properties...).", required=false, persist=false) pixel_size
#@ String (label="Slice spacing of the image (nm)", description="Distance between the slices of the image (z step). Empty: as the image has it (Image > Properties...).", required=false, persist=false) slice_spacing
#@ String (label="Pixel size of the PSF (nm)", description="Pixel size of the PSF, if its file does not contain it (NPY files do not).", required=false, persist=false) psf_pixel
#@ String (label="Slice spacing of the PSF (nm)", description="Slice spacing (z step) of a 3D PSF, if its file does not contain it.", required=false, persist=false) psf_spacing
#@ File (label="Folder of further images", description="A folder with further images of the same kind (same camera, optics, pixel size, channels and slices), which the network learns from as well.", style="directory", required=false, persist=false) more_images
#@ File (label="Continue training from", description="A model saved earlier for the same kind of image. The training continues from it.", style="open", required=false, persist=false) start_model
#@ String (label="Device", description="Where to compute. auto: a GPU if one can be used, else the CPU.", choices={"auto", "cpu", "cuda", "mps"}, value="auto", persistKey="zsfiji.zs_deconvnet_train.device") device

# Train a network on an image and save it, for ZS-DeconvNet Predict... and further images.
# Written from zsfiji's table of commands by: python -m zsfiji.bridge.scripts

from zsfiji.bridge.scripts import call

call("ZS-DeconvNet Train...", input, {"psf": psf, "save_model": save_model, "quality": quality, "dimensions": dimensions, "upsample": upsample, "fit_per": fit_per, "seed": seed, "network": network, "steps": steps, "pairs": pairs, "hessian": hessian, "gain": gain, "background": background, "read_variance": read_variance, "dark": dark, "pixel_size": pixel_size, "slice_spacing": slice_spacing, "psf_pixel": psf_pixel, "psf_spacing": psf_spacing, "more_images": more_images, "start_model": start_model, "device": device})

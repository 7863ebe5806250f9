// Denoise a time-lapse with one model for all of its frames: the brightness of the frames stays
// comparable and nothing flickers. The model is kept, for further movies of the same kind.
//
// In ImageJ or Fiji:  Plugins > Macros > Run..., then choose the movie.
// In a shell:         zsfiji macro time_lapse.ijm /data/movie.tif

quality = "standard";   // quick for a look, standard for a result, best when time does not matter

path = getArgument();
if (path == "")
	path = File.openDialog("Time-lapse to denoise");
stem = File.getDirectory(path) + File.getNameWithoutExtension(path);
model = stem + ".zsfiji";

open(path);

// Many movies are saved as a stack of slices. Tell ImageJ that they are frames.
Stack.getDimensions(width, height, channels, slices, frames);
if (frames == 1 && slices > 1)
	Stack.setDimensions(channels, 1, slices);

// fit_per=channel: one model for a channel, whatever the frame. With fit_per=plane each frame would
// get its own, which is slower and may flicker.
options = "quality=" + quality + " fit_per=channel seed=0";
if (File.exists(model)) {
	print("Using " + model + ". Delete it to train a new model.");
	options = options + " apply_model=[" + model + "]";
} else
	options = options + " save_model=[" + model + "]";
run("Zero-Shot Denoise...", options);

saveAs("Tiff", stem + "-denoised.tif");
print(stem + "-denoised.tif");

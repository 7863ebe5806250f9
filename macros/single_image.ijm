// Denoise one image and save the result next to it.
//
// In ImageJ or Fiji:  Plugins > Macros > Run..., then choose an image.
// In a shell:         zsfiji macro single_image.ijm /data/cells.tif

quality = "standard";   // quick for a look, standard for a result, best when time does not matter

path = getArgument();
if (path == "")
	path = File.openDialog("Image to denoise");

open(path);
run("Zero-Shot Denoise...", "quality=" + quality + " seed=0");

// What the command found out about the noise stands in the image's properties, too.
run("Zero-Shot Extensions");
Ext.note(note);
print(note);

result = File.getDirectory(path) + File.getNameWithoutExtension(path) + "-denoised.tif";
saveAs("Tiff", result);
print(result);

// Denoise and deconvolve all TIFF images of a folder. The first image trains a
// model, the others reuse it: right for images of one experiment, taken with the same settings.
// A model that is in the folder for the results already is used for all of them.
// The images have to be calibrated (Image > Properties...).
//
// In ImageJ or Fiji:  Plugins > Macros > Run..., then choose the two folders.
// In a shell:         zsfiji macro deconvolve_folder.ijm "/data/raw;/data/deconvolved"

na = 1.4;            // numerical aperture of the objective
emission = 525;      // wavelength of the fluorescence in nm
quality = "quick";   // of the model: quick or standard

folders = split(getArgument(), ";");
if (folders.length == 2) {
	input = folders[0];
	output = folders[1];
} else {
	input = getDirectory("Folder of the images");
	output = getDirectory("Folder for the results");
}
input = replace(input, File.separator, "/");
output = replace(output, File.separator, "/");
if (!endsWith(input, "/")) input = input + "/";
if (!endsWith(output, "/")) output = output + "/";
if (!File.isDirectory(input))
	exit("There is no folder " + input);
if (input == output)
	exit("Choose a folder for the results that is not the folder of the images.");
File.makeDirectory(output);
psf = output + "psf.tif";
model = output + "model.zsfiji";
if (File.exists(model))
	print("Using " + model + ". Delete it to train a new model.");

setBatchMode(true);   // no windows flicker by
files = getFileList(input);
done = 0;
for (i = 0; i < files.length; i++) {
	lower = toLowerCase(files[i]);
	if (!endsWith(lower, ".tif") && !endsWith(lower, ".tiff")) continue;
	name = File.getNameWithoutExtension(files[i]);
	source = imageOf(files, files[i], "-denoised.tif");
	if (source == "") source = imageOf(files, files[i], "-deconvolved.tif");
	if (source != "") {
		print(files[i] + " left out: it is the result of " + source);
		continue;
	}
	if (lower == "psf.tif") {
		print(files[i] + " left out: it is a PSF");
		continue;
	}
	open(input + files[i]);
	image = getImageID();
	if (File.exists(model)) {
		run("Zero-Shot Deconvolve...", "apply_model=[" + model + "]");
	} else {
		getPixelSize(unit, width, height);
		if (unit == "nm") width = width / 1000;
		else if (indexOf("microns um " + fromCharCode(181) + "m", unit) < 0)
			exit(files[i] + " has no pixel size: set it under Image > Properties...");
		run("PSF Generator...", "microscope=wide-field na=" + na + " emission=" + emission
			+ " pixel_size=" + 1000 * width + " dimensions=2d");
		saveAs("Tiff", psf);
		close();
		selectImage(image);
		run("Zero-Shot Deconvolve...", "psf=[" + psf + "] save_model=[" + model + "] quality="
			+ quality + " dimensions=2d seed=0");
	}
	saveAs("Tiff", output + name + "-deconvolved.tif");
	close();
	selectImage(nImages);   // the last one now, whatever else is open
	saveAs("Tiff", output + name + "-denoised.tif");
	close();
	selectImage(image);
	close();
	done++;
	showProgress(i + 1, files.length);
	print(files[i] + " done");
}
setBatchMode(false);
if (done == 0)
	exit("There is no TIFF image to deconvolve in " + input);
print("Images deconvolved: " + done);

// The image in the folder that a file is the result of; "" for an image of its own.
function imageOf(files, file, ending) {
	if (!endsWith(file, ending)) return "";
	stem = toLowerCase(substring(file, 0, lengthOf(file) - lengthOf(ending)));
	for (j = 0; j < files.length; j++) {
		other = toLowerCase(files[j]);
		if (other == stem + ".tif" || other == stem + ".tiff") return files[j];
	}
	return "";
}

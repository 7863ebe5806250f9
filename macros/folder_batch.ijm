// Denoise all TIFF images of a folder. The first image trains a model, the others reuse it, which
// is many times as fast: right for images of one experiment, taken with the same settings.
// A model that is in the folder for the results already is used for all of them.
//
// In ImageJ or Fiji:  Plugins > Macros > Run..., then choose the two folders.
// In a shell:         zsfiji macro folder_batch.ijm "/data/raw;/data/denoised"

quality = "standard";   // of the model: quick, standard or best
one_model = true;       // false: a model of its own for each image

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
model = output + "model.zsfiji";
if (one_model && File.exists(model))
	print("Using " + model + ". Delete it to train a new model.");

setBatchMode(true);   // no windows flicker by
files = getFileList(input);
done = 0;
for (i = 0; i < files.length; i++) {
	lower = toLowerCase(files[i]);
	if (!endsWith(lower, ".tif") && !endsWith(lower, ".tiff")) continue;
	name = File.getNameWithoutExtension(files[i]);
	source = imageOf(files, files[i], "-denoised.tif");
	if (source != "") {
		print(files[i] + " left out: it is the result of " + source);
		continue;
	}
	open(input + files[i]);
	image = getImageID();
	options = "quality=" + quality + " seed=0";
	if (one_model && File.exists(model))
		options = options + " apply_model=[" + model + "]";
	else if (one_model)
		options = options + " save_model=[" + model + "]";
	run("Zero-Shot Denoise...", options);
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
	exit("There is no TIFF image to denoise in " + input);
print("Images denoised: " + done);

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

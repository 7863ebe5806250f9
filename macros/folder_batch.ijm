// Denoise all TIFF images of a folder. The first image trains a model, the others reuse it, which
// is many times as fast: right for images of one experiment, taken with the same settings.
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
if (!endsWith(input, "/")) input = input + "/";
if (!endsWith(output, "/")) output = output + "/";
if (!File.isDirectory(input))
	exit("There is no folder " + input);
File.makeDirectory(output);
model = output + "model.zsfiji";

setBatchMode(true);   // no windows flicker by
files = getFileList(input);
done = 0;
for (i = 0; i < files.length; i++) {
	if (!endsWith(files[i], ".tif")) continue;
	open(input + files[i]);
	options = "quality=" + quality + " seed=0";
	if (one_model && done == 0)
		options = options + " save_model=[" + model + "]";
	else if (one_model)
		options = options + " apply_model=[" + model + "]";
	run("Zero-Shot Denoise...", options);
	saveAs("Tiff", output + File.getNameWithoutExtension(files[i]) + "-denoised.tif");
	close("*");
	done++;
	showProgress(i + 1, files.length);
	print(files[i] + " done");
}
setBatchMode(false);
if (done == 0)
	exit("There is no .tif image in " + input);
print(done + " images denoised");

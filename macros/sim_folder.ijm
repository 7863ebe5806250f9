// Reconstruct all raw SIM images (TIFF) of a folder. The patterns are found in the first image and
// used for the others: right for images of one microscope and one session, also for dim ones.
// Patterns that are in the folder for the results already are used for all of them.
//
// In ImageJ or Fiji:  Plugins > Macros > Run..., then choose the two folders.
// In a shell:         zsfiji macro sim_folder.ijm "/data/raw;/data/sim"

na = 1.49;             // of the objective
emission = 525;        // nm
pixel = 65;            // nm: width of a raw pixel in the specimen
background = 100;      // grey level of the camera without light
one_pattern = true;    // false: find the patterns in each image

folders = split(getArgument(), ";");
if (folders.length == 2) {
	input = folders[0];
	output = folders[1];
} else {
	input = getDirectory("Folder of the raw images");
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
patterns = output + "patterns.json";
if (one_pattern && File.exists(patterns))
	print("Using " + patterns + ". Delete it to find the patterns again.");

setBatchMode(true);   // no windows flicker by
files = getFileList(input);
done = 0;
for (i = 0; i < files.length; i++) {
	lower = toLowerCase(files[i]);
	if (!endsWith(lower, ".tif") && !endsWith(lower, ".tiff")) continue;
	name = File.getNameWithoutExtension(files[i]);
	source = imageOf(files, files[i], "-sim.tif");
	if (source != "") {
		print(files[i] + " left out: it is the result of " + source);
		continue;
	}
	open(input + files[i]);
	image = getImageID();
	options = "na=" + na + " emission=" + emission + " pixel_size=" + pixel
		+ " background=" + background + " widefield=false filtered=false spectrum=false";
	if (one_pattern && File.exists(patterns))
		options = options + " use_parameters=[" + patterns + "]";
	else if (one_pattern)
		options = options + " save_parameters=[" + patterns + "]";
	run("SIM Reconstruct...", options);
	saveAs("Tiff", output + name + "-sim.tif");
	close();
	selectImage(image);
	close();
	done++;
	showProgress(i + 1, files.length);
	print(files[i] + " done");
}
setBatchMode(false);
if (done == 0)
	exit("There is no TIFF image to reconstruct in " + input);
print("Images reconstructed: " + done);

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

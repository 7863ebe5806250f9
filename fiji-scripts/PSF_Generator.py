#@script(label="PSF Generator", description="Calculate the point spread function (PSF) of a microscope from its optics.", language="python", headless=true)
#@ String (label="Microscope", description="How the image was taken.", choices={"wide-field", "confocal", "light-sheet", "TIRF"}, value="wide-field", persistKey="zsfiji.psf_generator.microscope") microscope
#@ Double (label="Numerical aperture", description="Of the objective: the number after its magnification, such as 1.4.", value=1.4, persistKey="zsfiji.psf_generator.na", min=0.02, max=1.7) na
#@ Double (label="Emission (nm)", description="Wavelength of the fluorescence that was recorded.", value=525, persistKey="zsfiji.psf_generator.emission", min=200, max=2000) emission
#@ Double (label="Pixel size (nm)", description="Width of a pixel in the specimen. The dialog takes it from the active image.", value=65, persistKey="zsfiji.psf_generator.pixel_size", min=0.1, max=100000) pixel_size
#@ String (label="Dimensions", description="2d: the slice in focus, for single images and for stacks that are restored slice by slice. 3d: a stack.", choices={"2d", "3d"}, value="2d", persistKey="zsfiji.psf_generator.dimensions") dimensions
#@ Double (label="Slice spacing (nm)", description="Distance between the slices of a 3D PSF (z step). The dialog takes it from the active image.", value=200, persistKey="zsfiji.psf_generator.slice_spacing", min=0.1, max=100000) slice_spacing
#@ Double (label="Refractive index of the immersion", description="Refractive index between objective and cover glass: air 1, water 1.333, glycerol 1.47, oil 1.515.", value=1.515, persistKey="zsfiji.psf_generator.immersion", min=1, max=1.8) immersion
#@ String (label="Refractive index of the specimen", description="Refractive index of the medium around the specimen. Empty: that of the immersion, so no aberration; for TIRF that of water.", required=false, persist=false) specimen
#@ Double (label="Depth in the specimen (microns)", description="Distance of the structure from the cover glass. It matters only where the two refractive indices differ.", value=0, persistKey="zsfiji.psf_generator.depth", min=0, max=1000) depth
#@ String (label="Excitation (confocal) (nm)", description="Wavelength of the laser, which a confocal PSF needs.", required=false, persist=false) excitation
#@ Double (label="Pinhole (confocal) (Airy units)", description="Diameter of the confocal pinhole in Airy units.", value=1, persistKey="zsfiji.psf_generator.pinhole", min=0.05, max=20) pinhole
#@ String (label="Thickness of the sheet (light-sheet) (microns)", description="Full width at half maximum of the light sheet, which its PSF needs.", required=false, persist=false) thickness
#@ Double (label="Penetration depth (TIRF) (nm)", description="Depth at which the evanescent light has fallen to 1/e.", value=100, persistKey="zsfiji.psf_generator.penetration", min=10, max=2000) penetration
#@ Integer (label="Width and height (0 = auto) (px)", description="Edge of the PSF, an odd number. 0: as large as needed.", value=0, persistKey="zsfiji.psf_generator.width", min=0, max=1023) width
#@ Integer (label="Slices (0 = auto)", description="Slices of a 3D PSF, an odd number. 0: as many as needed.", value=0, persistKey="zsfiji.psf_generator.slices", min=0, max=1023) slices

# Calculate the point spread function (PSF) of a microscope from its optics.
# Written from zsfiji's table of commands by: python -m zsfiji.bridge.scripts

from zsfiji.bridge.scripts import call

call("PSF Generator...", None, {"microscope": microscope, "na": na, "emission": emission, "pixel_size": pixel_size, "dimensions": dimensions, "slice_spacing": slice_spacing, "immersion": immersion, "specimen": specimen, "depth": depth, "excitation": excitation, "pinhole": pinhole, "thickness": thickness, "penetration": penetration, "width": width, "slices": slices})

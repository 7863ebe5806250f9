"""Image formation of structured illumination microscopy (SIM): patterns, optics, grids."""

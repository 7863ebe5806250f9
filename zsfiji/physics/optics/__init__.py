"""Point spread functions: from optics, a file or beads; put on a grid, measured, applied."""

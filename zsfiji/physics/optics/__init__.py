"""Point spread functions: calculated, from files or beads; resampled, measured and applied."""

"""What methods whose networks denoise and then deconvolve have in common."""

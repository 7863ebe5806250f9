"""ZS-DeconvNet: denoise and deconvolve with a network trained on the image itself."""

"""Our own zero-shot denoiser: noise calibration, a DCT filter, and a network of the one image."""

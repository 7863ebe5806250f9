"""Our own zero-shot denoiser: noise calibration, filters, and a network trained on the image."""

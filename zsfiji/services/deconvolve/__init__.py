"""Our own deconvolution: noise calibration, and small networks trained on the image itself."""

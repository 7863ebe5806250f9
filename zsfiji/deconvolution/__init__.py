"""Classical deconvolution, and checks that a result is consistent with the image."""

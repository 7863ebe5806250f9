"""Classical deconvolution, and what keeps the results of a network true to the image."""

"""Image quality: figures against a truth, and figures that need none."""

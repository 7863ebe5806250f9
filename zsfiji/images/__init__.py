"""Images as labelled arrays: axes, calibration, metadata, TIFF files and provenance."""

"""Images as labelled arrays: axes, calibration, metadata and files."""

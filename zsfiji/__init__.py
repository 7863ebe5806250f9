"""Zero-shot microscopy restoration inside Fiji and ImageJ."""

__version__ = "0.1.0"

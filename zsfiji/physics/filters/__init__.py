"""Denoising without training: variance stabilisation, and filters that use the measured noise."""

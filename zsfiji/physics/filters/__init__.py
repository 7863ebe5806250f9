"""Denoising without training: a transform that evens the noise out, and filters that know it."""

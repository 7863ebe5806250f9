"""FM2S: a very small network that learns from synthetic noise on a pre-denoised image.

Liu et al., "FM2S: Towards Spatially-Correlated Noise Modeling in Zero-Shot Fluorescence Microscopy
Image Denoising", arXiv:2412.10031.
"""

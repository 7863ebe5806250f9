"""Cameras and detectors: their noise measured in an image, their defects, simulated captures."""

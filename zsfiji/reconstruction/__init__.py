"""Reconstruction of raw SIM images: pattern search, linear (Wiener) and iterative."""

"""Reconstruction of 3D-SIM stacks as a whole, with an OTF for each order of the pattern."""

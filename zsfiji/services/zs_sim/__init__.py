"""ZS-SIM: a small network that learns from four reconstructions of one raw SIM image.

The published description is a summary without numbers and a figure; docs/methods/zs-sim.md says
what is known, what we chose, and why.
"""

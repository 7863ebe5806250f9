"""Our own zero-shot SIM: a network that learns from one raw image to improve its reconstruction."""

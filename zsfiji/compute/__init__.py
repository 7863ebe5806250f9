"""Computing on arrays, whatever they show: devices, tiles, flips and rotations, large results."""

"""Computing on arrays in general: devices, tiles, flips and rotations, large arrays."""

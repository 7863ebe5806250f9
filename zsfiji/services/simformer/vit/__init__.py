"""The vision transformer of SIMFormer, of the published size and smaller."""

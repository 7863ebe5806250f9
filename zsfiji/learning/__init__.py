"""The torch parts that services share: training loop, tiling, checkpoints, device choice."""

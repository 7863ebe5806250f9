"""Image quality: metrics with a ground truth, and notes on results without one."""

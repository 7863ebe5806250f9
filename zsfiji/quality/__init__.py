"""Image quality: metrics against a truth, and what can be said of a result without one."""

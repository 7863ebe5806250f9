"""What the methods share for training: loop, networks, examples, losses, model files."""

"""What the training of every method shares: loop, networks, examples, losses, model files."""

"""Networks that rectify the picture before the backbone: one paper a file."""

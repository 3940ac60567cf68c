"""Pictures to feature maps: one paper a file."""

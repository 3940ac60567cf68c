"""Images to feature maps: one paper a file."""

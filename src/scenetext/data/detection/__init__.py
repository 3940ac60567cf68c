"""Photos for detectors: the size at which they are searched, outlines of texts, and crops of them."""

"""Networks that rectify an image before the backbone (PaddleOCR's Transform): one paper a file."""

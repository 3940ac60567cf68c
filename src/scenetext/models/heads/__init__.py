"""Features to logits: one head or auxiliary branch a file."""

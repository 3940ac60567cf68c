"""Feature maps to sequences: one neck or encoder a file."""

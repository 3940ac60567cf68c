"""Feature maps to sequences: one neck a file."""

"""The operating system, files, archives, downloads and processes; knows nothing of text."""

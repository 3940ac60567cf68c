"""The sections of a configuration, a file each; `schema.Config` puts them together."""

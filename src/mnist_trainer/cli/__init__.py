"""The commands: each a table of contents of what it does."""

"""The command `multiface`."""

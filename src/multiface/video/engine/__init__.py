"""The stages of a run and what goes between them."""

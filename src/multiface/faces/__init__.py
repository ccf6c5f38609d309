"""Faces: finding, aligning and embedding them."""

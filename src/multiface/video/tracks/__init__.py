"""Faces followed over frames, and the views that are kept of each."""

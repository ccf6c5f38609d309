"""Margin heads over N slices of the embedding: formulas, the exact loss in blocks, classes over processes."""

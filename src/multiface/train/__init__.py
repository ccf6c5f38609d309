"""Training: networks, heads, recipes, the loop, checkpoints and export. The one room that needs PyTorch."""

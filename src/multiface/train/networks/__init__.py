"""Embedding networks: MobileFaceNet, IR, IR-SE, IResNet, with the parameter names of the published checkpoints; ViT."""

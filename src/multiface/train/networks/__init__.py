"""Embedding networks: MobileFaceNet, IR and IR-SE, with the parameter names of the published checkpoints."""

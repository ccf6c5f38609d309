"""Embeddings that training is measured by."""

import numpy as np
import torch

from multiface.train.building import build_network
from multiface.train.recipe import NetworkConfig
from multiface.train.validation import embed_crops


def test_features_whose_squares_float32_cannot_hold() -> None:
    """As after a few steps, when the running means and variances are not yet those of the faces."""
    torch.manual_seed(0)
    network = build_network(NetworkConfig(width=0.1, embedding=16)).eval()
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    place = torch.device("cpu")
    wanted = {flip: embed_crops(network, crops, "rgb", flip, place) for flip in (False, True)}
    last = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm1d)][-1]
    with torch.no_grad():
        last.weight *= 1e30
        last.bias *= 1e30
    for flip, embeddings in wanted.items():
        torch.testing.assert_close(embed_crops(network, crops, "rgb", flip, place), embeddings)
        torch.testing.assert_close(torch.linalg.vector_norm(embeddings, dim=1), torch.ones(3))

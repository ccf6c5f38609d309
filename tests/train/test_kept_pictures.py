"""Pictures in memory: the same batches as from files, smaller; and the network that takes them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from multiface.datasets.identities import identities_from_records
from multiface.errors import UsageError
from multiface.train.augment import AugmentConfig
from multiface.train.batches import Share, batches
from multiface.train.crops import decode_crops
from multiface.train.export import TrainedNetwork, check_agreement, input_spec, to_onnx
from multiface.train.kept_pictures import keep_pictures
from multiface.train.networks.plain import PlainNet
from multiface.train.recipe import NetworkConfig
from multiface.train.step import to_input


def test_batches_are_those_of_the_files_shrunk(records: Path) -> None:
    """Same order, labels and flips; a pixel is the mean of 4 x 4, rounded."""
    pictures = identities_from_records(records)
    share, config = Share(8, 1, 0, 1), AugmentConfig(flip=0.5)
    whole = list(batches(pictures, config, share, 3, range(6), 0))
    small = list(batches(keep_pictures(pictures, 4), config, share, 3, range(6), 0))
    assert len(whole) == len(small) == 6
    for one, other in zip(whole, small, strict=True):
        assert torch.equal(one.labels, other.labels) and np.array_equal(one.samples, other.samples)
        assert other.pixels.shape == (8, 28, 28, 3) and other.pixels.dtype == torch.uint8
        means = one.pixels.numpy().reshape(8, 28, 4, 28, 4, 3).mean(axis=(2, 4))
        assert np.abs(other.pixels.numpy() - means).max() <= 0.51
    flipped = [
        batch.pixels
        for batch in batches(keep_pictures(pictures, 4), AugmentConfig(flip=0), share, 3, range(6), 0)
    ]
    same = [bool(torch.equal(a, b.pixels)) for a, b in zip(flipped, small, strict=True)]
    assert not all(same)


def test_files_stay_readable(records: Path) -> None:
    pictures = identities_from_records(records)
    kept = keep_pictures(pictures, 4)
    assert kept.read(3) == pictures.read(3) and len(kept) == len(pictures)


def test_a_side_that_cannot_be_shrunk_is_refused(records: Path) -> None:
    with pytest.raises(UsageError, match="divide 112"):
        keep_pictures(identities_from_records(records), 5)


def test_the_plain_network_takes_both_sizes_and_can_be_exported(records: Path) -> None:
    pictures = identities_from_records(records)
    crops = decode_crops([pictures.read(i) for i in range(6)], "records")
    torch.manual_seed(0)
    network = PlainNet(24, 0.5)
    network.train()
    given = to_input(torch.from_numpy(crops), torch.device("cpu"), "rgb", False)
    for _ in range(3):
        network.features(given)  # moves the batch norms' statistics
    network.eval()
    means = given.view(6, 3, 28, 4, 28, 4).mean(dim=(3, 5))
    assert torch.allclose(network.features(given), network.features(means), atol=1e-5)
    assert torch.allclose(network(given).norm(dim=1), torch.ones(6), atol=1e-5)
    network.requires_grad_(False)
    trained = TrainedNetwork(
        network, NetworkConfig(name="plain", embedding=24, width=0.5), input_spec("rgb", 24)
    )
    assert check_agreement(to_onnx(trained), trained, crops) > 0.99999


@pytest.mark.parametrize(("embedding", "width"), [(0, 1.0), (8, 0.01), (8, 9.0)])
def test_sizes_that_cannot_be_are_refused(embedding: int, width: float) -> None:
    with pytest.raises(UsageError, match="PlainNet"):
        PlainNet(embedding, width)

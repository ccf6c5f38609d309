"""Starting from weights that exist: a run's, or the original MultiFace's.

With few pictures a person, random class centres would first pull a good network apart. So each centre begins
where its person's pictures lie: at the mean of their embeddings, slice by slice. Of K sub-centres each begins at the
mean of every K-th picture.
"""

from pathlib import Path

import numpy as np
import torch

from multiface.arrays import Pixels
from multiface.datasets.identities import IdentitySet
from multiface.errors import DataSetError, WeightsError, about
from multiface.train.arcface_checkpoint import load_onnx
from multiface.train.building import AnyHead, Network, load_weights
from multiface.train.crops import decode_pixels
from multiface.train.export import read_trained
from multiface.train.heads.sharded import ShardedHead
from multiface.train.heads.sliced import split
from multiface.train.networks.arc_iresnet import ArcIResNet
from multiface.train.networks.unit import SMALLEST_NORM
from multiface.train.reference_checkpoint import load_network
from multiface.train.validation import embed_crops

PICTURES_A_PERSON = 10
"""So many of each person's pictures, the first ones, make the centre."""
_BATCH = 64


def load_start(network: Network, weights: Path, colour: str) -> None:
    """Fill a network from a run folder, a .safetensors file of a run, a model file of the original or of arcface_torch
    (.pth, .pt), or an ONNX file of InsightFace's IResNets.

    Raises WeightsError where there is no such file, it does not fit the network, or a run's was fed the other
    colour order (the original's are fed bgr, arcface_torch's and InsightFace's rgb; there it is not checked).
    """
    if weights.suffix in (".pth", ".pt"):
        load_network(network, weights)
        return
    if weights.suffix == ".onnx":
        if not isinstance(network, ArcIResNet):
            raise WeightsError(
                f"{weights}: an ONNX file can be fine-tuned as an iresnet only",
                hint='give name = "iresnet" under [network]',
                path=weights,
            )
        load_onnx(network, weights)
        return
    trained = read_trained(weights)
    with about(weights):
        load_weights(network, trained.network.state_dict(), str(weights))
    if trained.spec.colour != colour:
        raise WeightsError(
            f'{weights}: was trained on {trained.spec.colour} pictures, the recipe says colour = "{colour}" '
            "under [data]",
            path=weights,
        )


def centres_from_pictures(
    network: Network, head: AnyHead, pictures: IdentitySet, colour: str, device: torch.device
) -> None:
    """Each class centre to the mean embedding of its person's first PICTURES_A_PERSON pictures, slices to
    unit length.

    A person none of whose pictures can be used keeps a random centre, and so do sub-centres for which there is no
    picture. The network is in evaluation mode meanwhile.
    """
    start, stop = (head.start, head.stop) if isinstance(head, ShardedHead) else (0, pictures.classes)
    network.eval()
    config = head.config
    several = config.subcentres
    sums = torch.zeros(config.slices, (stop - start) * several, config.slice_size, device=device)
    rows: list[Pixels] = []
    labels: list[int] = []

    def add() -> None:
        embedding = embed_crops(network, np.stack(rows), colour, False, device)[:, : config.embedding_size]
        sums.index_add_(1, torch.tensor(labels, device=device), split(embedding, config.slices, False))
        rows.clear()
        labels.clear()

    for number, rank in _first_pictures(pictures, start, stop):
        try:
            rows.append(decode_pixels(pictures.read(number)))
        except DataSetError:
            continue  # it will be named when its turn comes in the run
        labels.append((int(pictures.labels[number]) - start) * several + rank % several)
        if len(rows) == _BATCH:
            add()
    if rows:
        add()
    lengths = torch.linalg.vector_norm(sums, dim=2, keepdim=True)
    with torch.no_grad():
        first = head.centres.view_as(sums)
        first.copy_(torch.where(lengths > SMALLEST_NORM, sums / lengths, first))


def _first_pictures(pictures: IdentitySet, start: int, stop: int) -> list[tuple[int, int]]:
    """Numbers of the first PICTURES_A_PERSON pictures of the people start..stop - 1, each with its place among those of
    its person, from 0.
    """
    order = np.argsort(pictures.labels, kind="stable")
    sorted_labels = pictures.labels[order]
    rank = np.arange(len(order)) - np.searchsorted(sorted_labels, sorted_labels)
    wanted = (rank < PICTURES_A_PERSON) & (sorted_labels >= start) & (sorted_labels < stop)
    return [(int(number), int(place)) for number, place in zip(order[wanted], rank[wanted], strict=True)]

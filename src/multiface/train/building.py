"""From the settings of a recipe to a network, a head and an optimiser."""

from collections.abc import Mapping

import torch
import torch.distributed as dist
from torch import Tensor, nn

from multiface.errors import WeightsError
from multiface.train.heads.head import Head, HeadConfig
from multiface.train.heads.sharded import ShardedHead
from multiface.train.networks.arc_iresnet import ArcIResNet
from multiface.train.networks.iresnet import IResNet
from multiface.train.networks.mobilefacenet import MobileFaceNet
from multiface.train.networks.plain import PlainNet
from multiface.train.networks.vit import VisionTransformer
from multiface.train.recipe import HeadSettings, NetworkConfig

Network = MobileFaceNet | IResNet | ArcIResNet | VisionTransformer | PlainNet
AnyHead = Head | ShardedHead
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def build_network(config: NetworkConfig) -> Network:
    """The network with torch's own random weights. Raises UsageError."""
    if config.name == "mobilefacenet":
        return MobileFaceNet(config.embedding, config.width, config.squeeze_excitation)
    if config.name == "plain":
        return PlainNet(config.embedding, config.width)
    if config.name == "iresnet":
        return ArcIResNet(config.depth, config.embedding, config.dropout)
    if config.name == "vit":
        return VisionTransformer(config.depth, config.embedding, config.width, config.drop_path)
    return IResNet(config.depth, config.name == "ir_se", config.dropout)


def head_config(settings: HeadSettings, embedding: int, classes: int) -> HeadConfig:
    """What the head of an embedding of this length is; its own embedding may be shorter (see
    drop_remainder).
    """
    seen = embedding // settings.slices * settings.slices
    return HeadConfig(
        classes=classes,
        margin=settings.margin,
        embedding_size=seen,
        slices=settings.slices,
        scale=settings.scale,
        normalise_slices=settings.normalise_slices,
        average=settings.average,
        subcentres=settings.subcentres,
    )


def build_head(config: HeadConfig, sample_rate: float, seed: int, group: dist.ProcessGroup | None) -> AnyHead:
    """The head: with its classes divided over a group of processes where there is one, else whole.

    The first centres follow from the seed and are the same however they are divided.
    """
    if group is None:
        return Head(config, torch.Generator().manual_seed(seed))
    return ShardedHead(config, group, sample_rate, seed)


def embedding_layers(network: Network) -> tuple[nn.Module, ...]:
    """The layers that make the embedding of the last feature map; all before are the backbone."""
    if isinstance(network, MobileFaceNet | PlainNet):
        return network.linear, network.bn
    if isinstance(network, ArcIResNet):
        return network.fc, network.norm
    if isinstance(network, VisionTransformer):
        return (network.feature,)
    return (network.output_layer,)


def load_weights(network: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Fill a network; `name` is how errors call the file.

    Raises WeightsError, and leaves the network as it was, where names or shapes differ.
    """
    check_weights(network, {key: tuple(value.shape) for key, value in state.items()}, name)
    network.load_state_dict(dict(state))


def check_weights(network: nn.Module, shapes: Mapping[str, tuple[int, ...]], name: str) -> None:
    """Raises WeightsError where tensors of these names and shapes are not this network's; `name` is how errors call
    the file.
    """
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    for key in (*wanted, *shapes):
        if wanted.get(key) != shapes.get(key):
            raise WeightsError(
                f"{name}: does not fit the network of the recipe: {key} is {shapes.get(key, 'nothing')}, wanted "
                f"{wanted.get(key, 'nothing')}",
                hint="give the recipe the [network] that the file was made with",
            )

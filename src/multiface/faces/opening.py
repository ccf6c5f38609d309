"""Detectors and embedders by the names that users give them: the one place where a name becomes a class."""

from typing import assert_never

from multiface.errors import WeightsError
from multiface.faces.detector import Detector, check_limits
from multiface.faces.embedder import Embedder
from multiface.faces.mtcnn import Mtcnn, MtcnnSessions
from multiface.faces.onnx_network import OnnxNetwork
from multiface.faces.scrfd import Scrfd
from multiface.faces.yunet import YuNet
from multiface.faces.yunet_onet import YuNetOnet
from multiface.weights.session import Engine, open_session
from multiface.weights.store import Store

MIN_FACE = 20.0
"""Shorter side, in pixels, of the smallest face that is looked for unless another size is asked."""


def open_detector(store: Store, name: str, engine: Engine, min_face: float = MIN_FACE) -> Detector:
    """The detector of this name, with its networks from the store.

    Raises WeightsMissing for a name that no detector has and when its weights are not in the store, UsageError for
    the name of an embedder or a `min_face` that cannot be meant.
    """
    check_limits(name, 0.0, min_face)
    found = store.detector(name)
    engine = engine.for_detectors()
    match found.family:
        case "mtcnn":
            sessions = {role: open_session(path, engine) for role, path in found.files}
            return Mtcnn(MtcnnSessions(**sessions), min_face=min_face)
        case "scrfd":
            return Scrfd(open_session(store.any_size(found), engine), found.name, min_face=min_face)
        case "yunet":
            return YuNet(open_session(store.any_size(found), engine), found.name, min_face=min_face)
        case "yunet_onet":
            networks = {role: open_session(path, engine) for role, path in found.files}
            return YuNetOnet(YuNet(networks["yunet"], found.name, min_face=min_face), networks["onet"])
        case None:
            raise WeightsError(
                f"{name}: nothing says which kind of detector this file is",
                hint="pull it by its name",
                name=name,
            )
        case _:
            assert_never(found.family)


def open_embedder(store: Store, name_or_path: str, engine: Engine) -> Embedder:
    """The embedder of this catalogue name, ONNX file or training run."""
    file = store.embedder(name_or_path)
    session = open_session(store.any_batch(file), engine)
    return Embedder(OnnxNetwork(session, file.spec, file.name, file.fingerprint, file.flip))

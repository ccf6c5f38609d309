"""MultiFace: face recognition that states the error behind every number.

`Recognizer` is the whole path from a picture to names; the rest are the parts it is made of. Names are loaded
when they are first used, so that `import multiface` is quick.
"""

from os import environ as _environ
from typing import TYPE_CHECKING, Any

from multiface.version import __version__

if TYPE_CHECKING:
    from multiface.album import Album
    from multiface.client import AsyncClient, Client
    from multiface.decision import Calibration
    from multiface.decision.calibration import read_calibration
    from multiface.errors import MultifaceError
    from multiface.faces.align import align
    from multiface.faces.detector import Detector
    from multiface.faces.embedder import Embedder, EmbeddingNetwork
    from multiface.faces.face import Faces
    from multiface.gallery import Gallery
    from multiface.images import from_bgr, load_picture
    from multiface.recognition import Identification, Recognizer, RecognizerSettings, Verification
    from multiface.video.engine.engine import VideoEngine
    from multiface.video.engine.video_settings import VideoSettings
    from multiface.video.results import Event
    from multiface.video.sources.opening import open_source
    from multiface.weights.spec import InputSpec

__all__ = [
    "Album",
    "AsyncClient",
    "Calibration",
    "Client",
    "Detector",
    "Embedder",
    "EmbeddingNetwork",
    "Event",
    "Faces",
    "Gallery",
    "Identification",
    "InputSpec",
    "MultifaceError",
    "Recognizer",
    "RecognizerSettings",
    "Verification",
    "VideoEngine",
    "VideoSettings",
    "__version__",
    "align",
    "from_bgr",
    "load_picture",
    "open_source",
    "read_calibration",
]

# ONNX Runtime sends telemetry and keeps a device id unless this is set before it is first imported, also by a library
# that we use; worker processes inherit it.
_environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {
    "Album": "multiface.album",
    "AsyncClient": "multiface.client",
    "Client": "multiface.client",
    "Calibration": "multiface.decision",
    "Detector": "multiface.faces.detector",
    "Embedder": "multiface.faces.embedder",
    "EmbeddingNetwork": "multiface.faces.embedder",
    "Event": "multiface.video.results",
    "Faces": "multiface.faces.face",
    "Gallery": "multiface.gallery",
    "Identification": "multiface.recognition",
    "InputSpec": "multiface.weights.spec",
    "MultifaceError": "multiface.errors",
    "Recognizer": "multiface.recognition",
    "RecognizerSettings": "multiface.recognition",
    "Verification": "multiface.recognition",
    "VideoEngine": "multiface.video.engine.engine",
    "VideoSettings": "multiface.video.engine.video_settings",
    "align": "multiface.faces.align",
    "from_bgr": "multiface.images",
    "load_picture": "multiface.images",
    "open_source": "multiface.video.sources.opening",
    "read_calibration": "multiface.decision.calibration",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'multiface' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)

"""MultiFace: face recognition that states the error behind every number.

`Recognizer` is the whole path from a picture to names; the rest are the parts it is made of. Names are loaded
when they are first used, so that `import multiface` is quick.
"""

from os import environ as _environ
from typing import TYPE_CHECKING, Any

from multiface.version import __version__

if TYPE_CHECKING:
    from multiface.errors import MultifaceError
    from multiface.faces.align import align
    from multiface.faces.detector import Detector
    from multiface.faces.embedder import Embedder
    from multiface.faces.face import Faces
    from multiface.gallery import Gallery
    from multiface.images import from_bgr, load_picture
    from multiface.recognition import Identification, Recognizer, Verification

__all__ = [
    "Detector",
    "Embedder",
    "Faces",
    "Gallery",
    "Identification",
    "MultifaceError",
    "Recognizer",
    "Verification",
    "__version__",
    "align",
    "from_bgr",
    "load_picture",
]

# ONNX Runtime sends telemetry and keeps a device id unless this is set before it is first imported, also by a library
# that we use; worker processes inherit it.
_environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {
    "Detector": "multiface.faces.detector",
    "Embedder": "multiface.faces.embedder",
    "Faces": "multiface.faces.face",
    "Gallery": "multiface.gallery",
    "Identification": "multiface.recognition",
    "MultifaceError": "multiface.errors",
    "Recognizer": "multiface.recognition",
    "Verification": "multiface.recognition",
    "align": "multiface.faces.align",
    "from_bgr": "multiface.images",
    "load_picture": "multiface.images",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'multiface' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)

"""Vectors written to files: .npz for NumPy, .jsonl for everything else. Never pickled.

Vectors are biometric data, so only the owner may read the files.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from multiface.arrays import Floats
from multiface.atomic_write import write_whole
from multiface.errors import UsageError
from multiface.faces.analysis import Analysis
from multiface.images import load_picture
from multiface.recognition import Recognizer
from multiface.recognition.documents import embedding_documents


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """The faces of one picture; `features` float32 (n, d) are the raw ones, None unless asked for."""

    path: Path
    analysis: Analysis
    features: Floats | None


@dataclass(frozen=True, slots=True)
class VectorTable:
    """The faces of all pictures, and which embedder made their vectors."""

    weights: str
    fingerprint: str
    rows: list[Row]

    def add(self, path: Path, recognizer: Recognizer, raw: bool) -> Row:
        """Read a picture and add its faces. Raises PictureError."""
        image = load_picture(path)
        cut = recognizer.analyser.cut(image)
        (analysis,) = recognizer.analyser.embed([cut])
        features = recognizer.embedder.features(cut.crops) if raw else None
        row = Row(path, analysis, features)
        self.rows.append(row)
        return row

    def documents(self) -> list[dict[str, Any]]:
        """A JSON document a face."""
        return [document for row in self.rows for document in embedding_documents(row.path, row.analysis)]


def write_npz(path: Path, table: VectorTable) -> None:
    """Write beside, then rename. Raises UsageError when the place cannot be written."""
    arrays: dict[str, Any] = {
        "embeddings": np.concatenate([row.analysis.embeddings for row in table.rows])
        if table.rows
        else np.zeros((0, 0), np.float32),
        "boxes": np.concatenate(
            [row.analysis.faces.boxes for row in table.rows] or [np.zeros((0, 4), np.float32)]
        ),
        "scores": np.concatenate(
            [row.analysis.faces.scores for row in table.rows] or [np.zeros(0, np.float32)]
        ),
        "paths": np.array(
            [str(row.path) for row in table.rows for _ in row.analysis.embeddings], dtype=np.str_
        ),
        "weights": np.array(table.weights),
        "fingerprint": np.array(table.fingerprint),
    }
    if table.rows and table.rows[0].features is not None:
        raw = np.concatenate([row.features for row in table.rows if row.features is not None])
        arrays |= {"features": raw, "norms": np.linalg.norm(raw, axis=1)}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    _write(path, buffer.getvalue())


def write_jsonl(path: Path, table: VectorTable) -> None:
    """A line a face; written beside, then renamed. Raises UsageError when the place cannot be written."""
    head = {"weights": table.weights, "fingerprint": table.fingerprint}
    lines = [json.dumps(document | head, ensure_ascii=False) + "\n" for document in table.documents()]
    # Bytes of a file name that are no text become JSON's own \udcXX.
    _write(path, "".join(lines).encode("utf-8", "backslashreplace"))


def _write(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content, private=True)
    except OSError as error:
        raise UsageError(f"--out {path}: cannot be written ({error.strerror})", path=path) from error

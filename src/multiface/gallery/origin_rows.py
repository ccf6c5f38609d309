"""Whose vectors a gallery holds, in SQL, and whether others may be compared with them."""

from multiface.errors import FingerprintMismatch
from multiface.gallery.clock import utc_now
from multiface.gallery.connection import BadContent
from multiface.gallery.engine import VectorOrigin
from multiface.gallery.sql import Connection

GONE = "dlib"
"""Weights that were the default once, in galleries that are still about."""


def write_origin(connection: Connection, origin: VectorOrigin) -> None:
    """Write down whose vectors a new gallery will hold."""
    connection.execute(
        """
        INSERT INTO origin (id, fingerprint, weights, detector, dimension, flip, created)
        VALUES (1, ?, ?, ?, ?, ?, ?)
        """,
        (origin.fingerprint, origin.weights, origin.detector, origin.dimension, int(origin.flip), utc_now()),
    )


def read_origin(connection: Connection) -> VectorOrigin:
    """Whose vectors a gallery holds."""
    row = connection.execute("SELECT fingerprint, weights, detector, dimension, flip FROM origin").fetchone()
    try:
        fingerprint, weights, detector, dimension, flip = row
        return VectorOrigin(str(fingerprint), str(weights), str(detector), int(dimension), bool(int(flip)))
    except (TypeError, ValueError) as error:
        raise BadContent("it is damaged: it does not say which weights its vectors are of") from error


def require_same_embedder(place: str, held: VectorOrigin, used: VectorOrigin) -> None:
    """Raises FingerprintMismatch where vectors of the two cannot be compared. place: the gallery, as messages begin."""
    if (held.fingerprint, held.dimension) == (used.fingerprint, used.dimension):
        if held.flip == used.flip:
            return
        how, option = ("together with", "--flip") if held.flip else ("without", "--no-flip")
        raise FingerprintMismatch(
            f"{place}: holds vectors of faces embedded {how} their mirror images, and others "
            f"cannot be compared with them; use {option}, or make a new gallery from the pictures"
        )
    if held.weights == GONE:
        raise FingerprintMismatch(
            f"{place}: holds vectors of dlib's network, which is no longer part of MultiFace; make a new "
            f"gallery from the pictures: multiface facebank FOLDER --gallery NEW"
        )
    raise FingerprintMismatch(
        f"{place}: holds vectors of the weights {held.weights!r} ({held.fingerprint[:12]}, "
        f"{held.dimension} numbers), but {used.weights!r} ({used.fingerprint[:12]}, {used.dimension} "
        f"numbers) is in use, and these cannot be compared; use --weights {held.weights}, or make a new "
        "gallery from the pictures with the weights in use"
    )

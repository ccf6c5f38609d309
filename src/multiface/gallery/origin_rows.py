"""Whose vectors a gallery holds, in SQL, and whether others may be compared with them."""

from collections.abc import Callable

from multiface.errors import FingerprintMismatch
from multiface.gallery.clock import utc_now
from multiface.gallery.connection import BadContent
from multiface.gallery.contents import VectorOrigin
from multiface.gallery.sql import Connection

GONE = "dlib"
"""Weights that were the default once, in galleries that are still about."""

_ORIGIN = "SELECT fingerprint, weights, detector, dimension, flip"


def write_origin(connection: Connection, origin: VectorOrigin) -> None:
    """Write down whose vectors a new gallery will hold."""
    connection.execute(
        """
        INSERT INTO origin (id, fingerprint, weights, detector, dimension, flip, created)
        VALUES (1, ?, ?, ?, ?, ?, ?)
        """,
        (*values(origin), utc_now()),
    )


def replace_origin(connection: Connection, origin: VectorOrigin) -> None:
    """Write down that the gallery holds vectors of another origin from now on."""
    connection.execute(
        "UPDATE origin SET fingerprint = ?, weights = ?, detector = ?, dimension = ?, flip = ?",
        values(origin),
    )


def values(origin: VectorOrigin) -> tuple[str, str, str, int, int]:
    """Fingerprint, weights, detector, dimension and flip, as tables hold them."""
    return origin.fingerprint, origin.weights, origin.detector, origin.dimension, int(origin.flip)


def origin_of(row: tuple[str, str, str, int, int]) -> VectorOrigin:
    """The origin that `values` gave."""
    fingerprint, weights, detector, dimension, flip = row
    return VectorOrigin(str(fingerprint), str(weights), str(detector), int(dimension), bool(int(flip)))


def read_origin(connection: Connection) -> VectorOrigin:
    """Whose vectors a gallery holds."""
    row = connection.execute(f"{_ORIGIN} FROM origin").fetchone()
    try:
        return origin_of(row)
    except (TypeError, ValueError) as error:
        raise BadContent("it is damaged: it does not say which weights its vectors are of") from error


def holding(place: str, opened: VectorOrigin) -> Callable[[Connection], None]:
    """What raises FingerprintMismatch once a gallery holds other vectors than when it was opened.

    place: the gallery, as messages begin.
    """

    def look(connection: Connection) -> None:
        now = read_origin(connection)
        if not same_embedder(now, opened):
            raise FingerprintMismatch(
                f"{place}: was embedded again with {in_words(now)} since it was opened, and vectors of "
                f"{in_words(opened)} cannot be compared with them",
                hint="open it again",
            )

    return look


def same_embedder(one: VectorOrigin, other: VectorOrigin) -> bool:
    """Whether vectors of the two can be compared."""
    return (one.fingerprint, one.dimension, one.flip) == (other.fingerprint, other.dimension, other.flip)


def in_words(origin: VectorOrigin) -> str:
    """An origin, for people to read."""
    flips = "with" if origin.flip else "without"
    return f"the weights {origin.weights!r} ({origin.fingerprint[:12]}, {flips} mirror images)"


def require_same_embedder(place: str, held: VectorOrigin, used: VectorOrigin) -> None:
    """Raises FingerprintMismatch where vectors of the two cannot be compared. place: the gallery, as messages begin."""
    if same_embedder(held, used):
        return
    again = "embed it again with the weights in use (`multiface people reembed`)"
    if (held.fingerprint, held.dimension) == (used.fingerprint, used.dimension):
        how, option = ("together with", "--flip") if held.flip else ("without", "--no-flip")
        raise FingerprintMismatch(
            f"{place}: holds vectors of faces embedded {how} their mirror images, and others "
            "cannot be compared with them",
            hint=f"use {option}, or {again}",
        )
    if held.weights == GONE:
        raise FingerprintMismatch(
            f"{place}: holds vectors of dlib's network, which is no longer part of MultiFace; {again}, or make a "
            "new gallery from the pictures: multiface facebank FOLDER --gallery NEW"
        )
    raise FingerprintMismatch(
        f"{place}: holds vectors of the weights {held.weights!r} ({held.fingerprint[:12]}, "
        f"{held.dimension} numbers), but {used.weights!r} ({used.fingerprint[:12]}, {used.dimension} "
        "numbers) is in use, and these cannot be compared",
        hint=f"use --weights {held.weights}, or {again}",
        name=held.weights,
    )

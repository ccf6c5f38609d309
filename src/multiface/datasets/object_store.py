"""Objects of an S3 store, `s3://BUCKET/KEY`: of Amazon's, or of any that speaks its protocol (MinIO, Ceph, R2).

pyarrow's client reads them. Where the store is and who asks stands where every client of S3 looks: AWS_ENDPOINT_URL,
AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, or the profile that AWS_PROFILE names. Nothing is written there.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from multiface.errors import (
    DataSetError,
    ExtraMissing,
    NotAvailable,
    PictureTooLarge,
    UsageError,
    how_to_install,
)

SCHEME = "s3://"
_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 30.0


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object. address: s3://BUCKET/KEY."""

    address: str

    def __str__(self) -> str:
        return self.address

    @property
    def suffix(self) -> str:
        """The ending of its name, such as ".jpg"; "" for none."""
        return PurePosixPath(self.address).suffix

    def read(self, most: int) -> bytes:
        """Its content. Raises PictureTooLarge over `most` bytes, and as `open` does."""
        with object_errors(self.address), self.open() as file:
            size = int(file.size())
            if size > most:
                raise PictureTooLarge(
                    f"{self.address}: has {size:,} bytes, at most {most:,} are read", picture=self.address
                )
            content: bytes = file.read()
        return content

    def open(self) -> Any:
        """A pyarrow NativeFile, which reads only what it is asked for.

        Raises DataSetError where there is no such object, NotAvailable where the store does not hand it out,
        ExtraMissing without pyarrow.
        """
        with object_errors(self.address):
            return _store().open_input_file(_inside(self.address))


@dataclass(frozen=True, slots=True)
class Listed:
    """An object in a listing. size: bytes. changed: nanoseconds since 1970."""

    object: StoredObject
    size: int
    changed: int


def is_object_address(text: str) -> bool:
    """Whether this is an address of an object store, not a path."""
    return text.startswith(SCHEME)


def listed(address: str) -> tuple[Listed, ...]:
    """The object at an address, or all objects below it, by address.

    Raises UsageError for an address without a bucket, and as `StoredObject.open` does.
    """
    inside = _inside(address)
    if not inside:
        raise UsageError(f"{address}: names no bucket; wanted {SCHEME}BUCKET/PREFIX")
    with object_errors(address):
        from pyarrow.fs import FileSelector, FileType

        store = _store()
        there = store.get_file_info(inside)
        if there.type == FileType.NotFound:
            raise DataSetError(f"{address}: there is no such object, and none below it")
        found = (
            [there]
            if there.type == FileType.File
            else store.get_file_info(FileSelector(inside, recursive=True))
        )
        return tuple(
            sorted(
                (
                    Listed(StoredObject(SCHEME + one.path), int(one.size), int(one.mtime_ns or 0))
                    for one in found
                    if one.type == FileType.File
                ),
                key=lambda one: one.object.address,
            )
        )


@contextmanager
def object_errors(address: str) -> Iterator[None]:
    """What pyarrow raises about an object, in our words; ExtraMissing where there is no pyarrow or no S3 in it."""
    try:
        import pyarrow
        from pyarrow.fs import S3FileSystem  # noqa: F401
    except ImportError as error:
        raise ExtraMissing(f"{address}: reading it needs pyarrow", hint=how_to_install("parquet")) from error
    try:
        yield
    except FileNotFoundError as error:
        raise DataSetError(f"{address}: there is no such object") from error
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise not_handed_out(address, error) from error


def not_handed_out(address: str, error: Exception) -> NotAvailable:
    """What is said of a store that is away or refuses: nothing is known of the object, so the work must stop."""
    reason = str(error).split("\n")[0].split(" (Request ID")[0].strip()
    return NotAvailable(
        f"{address}: the store does not hand it out ({reason})",
        hint="look at AWS_ENDPOINT_URL, AWS_REGION and the credentials, and run it again",
    )


@lru_cache(maxsize=1)
def _store() -> Any:
    from pyarrow.fs import S3FileSystem

    # pyarrow looks for the endpoint by itself only where it parses an address, and addresses cannot hold every key.
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return S3FileSystem(
        endpoint_override=endpoint, connect_timeout=_CONNECT_SECONDS, request_timeout=_ANSWER_SECONDS
    )


def _inside(address: str) -> str:
    return address.removeprefix(SCHEME).strip("/")

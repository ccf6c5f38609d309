"""Parquet files of pictures: opening, the checks of their columns, and errors in our words.

The layout is that of Hugging Face `datasets`: a column `image`, a struct of the fields `bytes` and `path` or plain
bytes, and for training a column `label`. Source: `datasets` 5.2, features `Image` and `ClassLabel`; the names of
classes stand in the schema's metadata under `huggingface`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multiface.datasets.object_store import StoredObject, not_handed_out
from multiface.errors import DataSetError, ExtraMissing, how_to_install
from multiface.images.path_text import path_text
from multiface.regular_file import open_regular

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

Location = Path | StoredObject
"""Where a Parquet file is."""

GROUP_LIMIT = 1 << 30
"""A row group has at most this many bytes: it can only be read whole."""


@contextmanager
def parquet_errors(path: Location) -> Iterator[None]:
    """What pyarrow raises about a file, as DataSetError; ExtraMissing where there is no pyarrow, NotAvailable where a
    store does not hand out its object.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise ExtraMissing(
            f"{location_text(path)}: reading Parquet needs pyarrow",
            hint=how_to_install("parquet"),
            path=file_of(path),
        ) from error
    try:
        yield
    except (
        pyarrow.ArrowException,
        OSError,
        ValueError,
    ) as error:  # a broken name in it is a UnicodeDecodeError
        if isinstance(path, StoredObject) and "AWS Error" in str(error):
            raise not_handed_out(path.address, error) from error
        reason = (
            error.strerror if isinstance(error, OSError) and error.strerror else str(error).split("\n")[0]
        )
        raise DataSetError(
            f"{location_text(path)}: cannot be read as Parquet ({reason})",
            path=file_of(path),
            hint="fetch or write it again",
        ) from error


def location_text(location: Location) -> str:
    """As messages name it."""
    return location.address if isinstance(location, StoredObject) else path_text(location)


def file_of(location: Location) -> Path | None:
    """Its path; None for an object of a store."""
    return None if isinstance(location, StoredObject) else location


def open_parquet(path: Location) -> "ParquetFile":
    """The file, checked to be one with pictures in row groups of a size that can be read.

    Raises DataSetError where it is not, ExtraMissing where pyarrow is not installed.
    """
    with parquet_errors(path):
        file = _opened(path)
        if not _has_pictures(file.schema_arrow):
            raise DataSetError(
                f"{location_text(path)}: wanted a column `image` of bytes, or of a struct with `bytes` (the layout of "
                f"Hugging Face datasets); its columns are {_columns(file.schema_arrow)}",
                path=file_of(path),
            )
        for number in range(file.metadata.num_row_groups):
            size = group_bytes(file, number)
            if size > GROUP_LIMIT:
                raise DataSetError(
                    f"{location_text(path)}: row group {number} has {size:,} bytes; wanted "
                    f"{GROUP_LIMIT:,} at most, since a group is read whole",
                    path=file_of(path),
                    hint="write it again with smaller groups (row_group_size=1000)",
                )
    return file


def holds_pictures(path: Location) -> bool:
    """Whether a Parquet file has a column of pictures; vectors, say, are no pictures.

    Raises DataSetError where it cannot be read, ExtraMissing where pyarrow is not installed.
    """
    with parquet_errors(path):
        return _has_pictures(_opened(path).schema_arrow)


def _opened(path: Location) -> "ParquetFile":
    from pyarrow.parquet import ParquetFile

    if isinstance(path, StoredObject):
        return ParquetFile(path.open(), pre_buffer=False)
    open_regular(path).close()
    return ParquetFile(str(path), memory_map=True, pre_buffer=False)


def _has_pictures(schema: Any) -> bool:
    from pyarrow import types

    image = schema.field("image").type if "image" in schema.names else None
    if image is not None and types.is_struct(image) and image.get_field_index("bytes") >= 0:
        image = image.field("bytes").type
    return image is not None and (types.is_binary(image) or types.is_large_binary(image))


def picture_column(file: "ParquetFile") -> str:
    """The name under which pyarrow reads the pictures' bytes alone."""
    from pyarrow import types

    return "image.bytes" if types.is_struct(file.schema_arrow.field("image").type) else "image"


def group_bytes(file: "ParquetFile", group: int) -> int:
    """Bytes of a row group, before compression. (Those of the pictures alone would take a call of pyarrow that ends the
    process at some damaged files.)
    """
    return int(file.metadata.row_group(group).total_byte_size)


def read_pictures(file: "ParquetFile", group: int) -> Any:
    """The pictures' bytes of a row group, a pyarrow array; an entry may be null."""
    from pyarrow import types

    table = file.read_row_group(group, columns=[picture_column(file)], use_threads=False)
    column = table.column("image").combine_chunks()
    return column.field("bytes") if types.is_struct(column.type) else column


def _columns(schema: Any) -> str:
    return ", ".join(f"{field.name} ({str(field.type)[:60]})" for field in schema) or "none"

"""Writers of tar shards and Parquet files for tests: Python's tarfile and pyarrow, as other programs use them."""

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest


def write_tar(path: Path, files: Sequence[tuple[str, bytes]], kind: int = tarfile.USTAR_FORMAT) -> Path:
    """A tar of these files, in this order."""
    with tarfile.open(path, "w", format=kind) as tar:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def write_samples(path: Path, samples: Sequence[tuple[str, object, bytes]]) -> Path:
    """A WebDataset shard of (key, label, JPEG file)."""
    files = [
        file
        for key, label, picture in samples
        for file in ((f"{key}.jpg", picture), (f"{key}.cls", str(label).encode()))
    ]
    return write_tar(path, files)


def write_parquet(
    path: Path,
    labels: Sequence[object],
    pictures: Sequence[bytes | None],
    names: Sequence[str] = (),
    group: int = 7,
) -> Path:
    """A file as Hugging Face `datasets` writes it; with a ClassLabel where names are given."""
    pa = pytest.importorskip("pyarrow", reason="the extra [parquet] is not installed")
    from pyarrow import parquet

    image = pa.StructArray.from_arrays(
        [pa.array(pictures, pa.binary()), pa.array([f"{k}.jpg" for k in range(len(pictures))])],
        names=["bytes", "path"],
    )
    label = {"names": list(names), "_type": "ClassLabel"} if names else {"dtype": "int64", "_type": "Value"}
    told = {"info": {"features": {"image": {"_type": "Image"}, "label": label}}}
    table = pa.table({"image": image, "label": pa.array(labels)})
    parquet.write_table(
        table.replace_schema_metadata({"huggingface": json.dumps(told)}), path, row_group_size=group
    )
    return path

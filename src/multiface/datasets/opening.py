"""Any training set by its place: record files, tar shards, Parquet files, or a folder a person."""

from dataclasses import replace
from pathlib import Path

from multiface.datasets.identities import IdentitySet, identities_from_folders, identities_from_records
from multiface.datasets.parquet_identities import identities_from_parquet
from multiface.datasets.shard_names import find_shards
from multiface.datasets.tar_identities import identities_from_tars
from multiface.errors import DataSetError
from multiface.images.path_text import path_text


def open_identities(place: Path) -> IdentitySet:
    """The set there.

    Raises DataSetError where there is none or it is broken, ExtraMissing for Parquet without pyarrow.
    """
    if (place / "train.rec").exists():
        return identities_from_records(place)
    shards = find_shards(place)
    if shards is None:
        if not place.is_dir():
            raise DataSetError(
                f"{path_text(place)}: no such folder; wanted one with train.rec, or with a folder per person, or .tar "
                "or .parquet files",
                path=place,
            )
        return identities_from_folders(place)
    missing = next((file for file in shards.files if not file.exists()), None)
    if missing is not None:
        raise DataSetError(
            f"{path_text(missing)}: there is no such file", path=missing, hint="check the path"
        )
    opened = (identities_from_tars if shards.kind == ".tar" else identities_from_parquet)(shards.files)
    if not shards.left_out:
        return opened
    note = (
        f"{path_text(place)}: {len(shards.left_out):,} files that do not begin with `train` are left out, such as "
        f"{path_text(shards.left_out[0].name)}"
    )
    return replace(opened, notes=(note, *opened.notes))

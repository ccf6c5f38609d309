"""Shards into record files."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from multiface.datasets.identities import identities_from_records
from multiface.datasets.opening import open_identities
from multiface.datasets.pack_identities import pack_identities
from multiface.errors import DataSetError
from tests.datasets.shard_files import write_samples


def picture(number: int, side: int = 8, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def test_the_same_set_comes_back(tmp_path: Path) -> None:
    labels = [5, 3, 9, 3, 5, 9, 9]
    files = [picture(k) for k in range(7)]
    files[2], files[4], files[6] = b"none", picture(2, 9), picture(6, kind="WEBP")
    write_samples(tmp_path / "a.tar", [(str(k), labels[k], files[k]) for k in range(7)])
    told: list[tuple[int, int]] = []
    packed = pack_identities(
        open_identities(tmp_path / "a.tar"), tmp_path / "out", lambda done, of: told.append((done, of))
    )
    assert (packed.people, packed.pictures, packed.width, packed.height) == (3, 4, 8, 8)
    assert [reason[:10] for reason in packed.left_out] == ["picture 2:", "picture 4:", "picture 6:"]
    assert "WebP" in packed.left_out[2] and "9x9" in packed.left_out[1]
    found = identities_from_records(tmp_path / "out")
    assert found.labels.tolist() == [1, 0, 0, 2]
    assert [found.read(k) for k in range(4)] == [files[k] for k in (0, 1, 3, 5)]
    assert (tmp_path / "out" / "property").read_text() == "3,8,8\n"
    assert told[-1] == (7, 7)


def test_nothing_stays_of_a_set_without_pictures(tmp_path: Path) -> None:
    write_samples(tmp_path / "a.tar", [("a", 0, b"none")])
    with pytest.raises(DataSetError, match=r"no picture can be used \(picture 0: "):
        pack_identities(open_identities(tmp_path / "a.tar"), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []

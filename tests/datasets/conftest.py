"""A training set that a second writer made."""

from pathlib import Path

import pytest

from tests.datasets.literal_records import write_training_set


@pytest.fixture(scope="session")
def emore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.rec, train.idx and property: 8 people, 40 pictures."""
    return write_training_set(tmp_path_factory.mktemp("records") / "emore")

"""Names beside a pack: read, checked against the pack, and used by the intervals."""

from pathlib import Path

import numpy as np
import pytest

from multiface.datasets.pack_people import pack_people
from multiface.errors import DataSetError
from multiface.evaluate.protocol import PairSet, evaluate_pairs

SAME = np.array([True, False, True, False])


def written(folder: Path, text: str) -> Path:
    (folder / "some.people").write_text(text, encoding="utf-8")
    return folder / "some.bin"


def test_lines_become_numbers_of_people(tmp_path: Path) -> None:
    found = pack_people(written(tmp_path, "Åsa\nÅsa\nBo\nÅsa\nBo\nBo\n7\nBo\n"), SAME)
    assert found is not None
    assert [int(a == b) for a, b in zip(found[::2], found[1::2], strict=True)] == [1, 0, 1, 0]
    assert len(set(found.tolist())) == 3
    assert found.dtype == np.int64 and found.shape == (8,)


def test_without_a_file_nothing_is_said(tmp_path: Path) -> None:
    assert pack_people(tmp_path / "some.bin", SAME) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\na\nb\na\n", "wanted 8 lines"),
        ("a\na\nb\na\nb\nb\n\nc\n", "empty"),
        ("a\na\nb\na\nb\nb\nc\nc\n", "number 3"),
        ("a\nb\nb\na\nb\nb\nc\na\n", "number 0"),
    ],
)
def test_what_does_not_fit_the_pack_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataSetError, match=message):
        pack_people(written(tmp_path, text), SAME)


def test_the_names_of_people_are_not_in_the_message(tmp_path: Path) -> None:
    with pytest.raises(DataSetError) as caught:
        pack_people(written(tmp_path, "Zaphod\nBo\n" * 4), SAME)
    assert "Zaphod" not in str(caught.value)


def test_one_person_in_many_pairs_widens_the_interval() -> None:
    """200 genuine pairs of 4 people say less than 200 of 200; without names they count the same."""
    random = np.random.default_rng(0)
    same = np.arange(400) % 2 == 0
    person = np.repeat(random.integers(0, 4, 400), 2)
    person[1::2][~same] = (person[::2][~same] + 1) % 4
    hard = np.isin(person[::2], [0])
    scores = np.where(same, 0.8, 0.2) + random.normal(0, 0.05, 400)
    scores[hard & same] = 0.1
    plain = evaluate_pairs(scores, PairSet.from_pack("p", same), replicates=200)
    named = evaluate_pairs(scores, PairSet.from_pack("p", same, person), replicates=200)
    assert plain.people is None and named.people == 4
    assert plain.accuracy == named.accuracy
    width = [one.accuracy_interval.high - one.accuracy_interval.low for one in (plain, named)]
    assert width[1] > 2 * width[0]

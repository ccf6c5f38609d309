"""LFW's real pairs file and pictures, and files that are broken in every way that matters."""

from pathlib import Path

import numpy as np
import pytest

from multiface.datasets.lfw import LfwFolder, read_pairs
from multiface.errors import DataSetError

GOOD = ["2\t1", "Ann\t1\t2", "Ann\t1\tBob\t3", "Bob\t1\t3", "Cyd\t10\tAnn\t2"]


def write(folder: Path, lines: list[str], encoding: str = "utf-8") -> Path:
    path = folder / "pairs.txt"
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path


def test_the_real_set_is_complete(shared):
    root = shared / "data" / "lfw"
    folder = LfwFolder.open(root)
    pairs = folder.pairs
    assert (len(pairs), len(pairs.pictures), len(folder.paths), len(pairs.people)) == (6000, 7701, 7701, 4281)
    assert set(folder.paths) == set(root.glob("*/*.jpg"))
    assert pairs.folds == 10
    np.testing.assert_array_equal(pairs.fold, np.repeat(np.arange(10), 600))
    np.testing.assert_array_equal(pairs.issame, np.arange(6000) % 600 < 300)
    np.testing.assert_array_equal(pairs.left_subject == pairs.right_subject, pairs.issame)
    for column in (pairs.left, pairs.right, pairs.left_subject, pairs.right_subject, pairs.fold):
        assert column.dtype == np.int64
        assert column.shape == (6000,)


def test_the_real_file_can_be_written_again_from_what_was_read(shared):
    path = shared / "data" / "lfw" / "pairs.txt"
    pairs = read_pairs(path)
    lines = ["10\t300"]
    for left, right, same in zip(pairs.left, pairs.right, pairs.issame, strict=True):
        (name, i), (other, j) = pairs.pictures[left], pairs.pictures[right]
        lines.append(f"{name}\t{i}\t{j}" if same else f"{name}\t{i}\t{other}\t{j}")
    assert lines == path.read_text(encoding="utf-8").split("\n")[:6001]
    owner = [pairs.people.index(name) for name, _ in pairs.pictures[:50]]
    for position in range(50):
        assert np.all(pairs.left_subject[pairs.left == position] == owner[position])
        assert np.all(pairs.right_subject[pairs.right == position] == owner[position])


@pytest.mark.parametrize("form", ["tabs", "blanks", "crlf", "bom", "blank lines at the end"])
def test_forms_of_the_file(tmp_path, form):
    lines = {
        "tabs": GOOD,
        "blanks": [line.replace("\t", "  ") for line in GOOD],
        "crlf": [line + "\r" for line in GOOD],
        "bom": ["\ufeff" + GOOD[0], *GOOD[1:]],
        "blank lines at the end": [*GOOD, "", "  "],
    }[form]
    pairs = read_pairs(write(tmp_path, lines))
    assert pairs.people == ("Ann", "Bob", "Cyd")
    assert pairs.pictures == (("Ann", 1), ("Ann", 2), ("Bob", 3), ("Bob", 1), ("Cyd", 10))
    assert pairs.left.tolist() == [0, 0, 3, 4]
    assert pairs.right.tolist() == [1, 2, 2, 1]
    assert pairs.issame.tolist() == [True, False, True, False]
    assert pairs.fold.tolist() == [0, 0, 1, 1]
    assert pairs.left_subject.tolist() == [0, 0, 1, 2]
    assert pairs.right_subject.tolist() == [0, 1, 1, 0]


def test_one_number_in_the_first_line_is_a_single_fold(tmp_path):
    pairs = read_pairs(write(tmp_path, ["2", GOOD[1], GOOD[3], GOOD[2], GOOD[4]]))
    assert pairs.folds == 1
    assert pairs.issame.tolist() == [True, True, False, False]


def test_odd_names(tmp_path):
    names = ["José_Ñandú", "O'Neil", "Mary Jane", "李_小龙", "a.b-c", "x\u2028y", "7"]
    lines = [f"{name}\t1\t2" for name in names]
    lines += [f"{name}\t1\t{other}\t2" for name, other in zip(names, names[1:] + names[:1], strict=True)]
    assert read_pairs(write(tmp_path, [f"1\t{len(names)}", *lines])).people == tuple(names)


def test_pictures_are_found_as_jpg_or_png(tmp_path):
    write(tmp_path, GOOD)
    names = ["Ann_0001.jpg", "Ann_0002.png", "Bob_0003.jpg", "Bob_0001.jpg", "Cyd_0010.png"]
    for name in names:
        (tmp_path / name[:3]).mkdir(exist_ok=True)
        (tmp_path / name[:3] / name).touch()
    folder = LfwFolder.open(str(tmp_path))
    assert [path.name for path in folder.paths] == names

    (tmp_path / "Bob" / "Bob_0001.jpg").unlink()
    (tmp_path / "Cyd" / "Cyd_0010.png").unlink()
    with pytest.raises(DataSetError, match=r"2 of the 5 pictures .* first is Bob/Bob_0001\.jpg") as caught:
        LfwFolder.open(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("number", "line", "message"),
    [
        (1, "ten\t300", "line 1: wanted the number of folds"),
        (1, "1\t2\t3", "line 1: wanted the number of folds"),
        (1, "0\t300", "line 1: wanted the number of folds"),
        (1, "2\t2", "announces 2 x 2 pairs .* so 8 pairs, but 4 lines follow"),
        (1, "1", "announces 1 x 1 .* but 4 lines"),
        (2, "Ann\t1", "line 2: wanted NAME i j"),
        (3, "Ann\t1\tBob\t3\t4", "line 3: wanted NAME i j"),
        (4, "Bob\t1\tx", "line 4: wanted NAME i j"),
        (4, "Bob\t-1\t2", "line 4: wanted NAME i j"),
        (4, "Bob\t0\t2", "line 4: wanted NAME i j"),
        (4, "Bob\t1\t²", "line 4: wanted NAME i j"),
        (4, "Bob\t1\t99999999999999999999", "line 4: wanted NAME i j"),
        (4, "", "line 4: wanted NAME i j"),
        (4, "Bob\t1\t1", "line 4: compares picture 1 of Bob with itself"),
        (5, "Ann\t1\tAnn\t2", "line 5: .* both are Ann"),
        (5, "Cyd\t1\t2", r"lines 4 to 5 \(fold 2\): wanted 1 pairs .* got 2 and 0"),
        (2, "../Ann\t1\t2", "line 2: '../Ann' cannot be the name"),
        (2, "..\t1\t2", "line 2: '..' cannot be the name"),
        (2, ".hidden\t1\t2", "line 2: '.hidden' cannot be the name"),
        (2, "\t1\t2", "line 2: '' cannot be the name"),
    ],
)
def test_broken_lines_are_named(tmp_path, number, line, message):
    lines = [line if row == number else good for row, good in enumerate(GOOD, start=1)]
    path = write(tmp_path, lines)
    with pytest.raises(DataSetError, match=message) as caught:
        read_pairs(path)
    assert str(path) in str(caught.value)


def test_files_that_are_no_text_or_not_there(tmp_path):
    with pytest.raises(DataSetError, match=r"pairs\.txt: cannot be read"):
        LfwFolder.open(tmp_path)
    with pytest.raises(DataSetError, match="line 1"):
        read_pairs(write(tmp_path, [""]))
    with pytest.raises(DataSetError, match="not UTF-8"):
        read_pairs(write(tmp_path, ["1\t1", "José\t1\t2", "José\t1\tAnn\t1"], encoding="latin-1"))

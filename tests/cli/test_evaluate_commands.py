"""`evaluate` and `calibrate` on small sets made of pictures of LFW."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multiface.images import load_picture, save_picture

Call = Callable[..., Any]


def people_with_two(lfw: Path, count: int) -> list[Path]:
    found = []
    for folder in sorted(lfw.iterdir()):
        if (
            folder.is_dir()
            and (folder / f"{folder.name}_0001.jpg").is_file()
            and (folder / f"{folder.name}_0002.jpg").is_file()
        ):
            found.append(folder)
            if len(found) == count:
                return found
    raise AssertionError("too few people")


@pytest.fixture(scope="module")
def small_lfw(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten people, two folds of five genuine and five impostor pairs, in LFW's shape."""
    root = tmp_path_factory.mktemp("sets") / "small"
    folders = people_with_two(shared / "data" / "lfw", 10)
    for folder in folders:
        (root / folder.name).mkdir(parents=True)
        for number in (1, 2):
            shutil.copy(folder / f"{folder.name}_000{number}.jpg", root / folder.name)
    names = [folder.name for folder in folders]
    lines = ["2\t5"]
    for fold in (names[:5], names[5:]):
        lines += [f"{name}\t1\t2" for name in fold]
        lines += [f"{name}\t1\t{other}\t2" for name, other in zip(fold, fold[1:] + fold[:1], strict=True)]
    (root / "pairs.txt").write_text("\n".join(lines) + "\n")
    return root


def test_evaluate(call: Call, small_lfw: Path) -> None:
    done = call("evaluate", small_lfw, "--json")
    assert done.code == 0, done
    (result,) = done.document()["sets"]
    assert (result["name"], result["pairs"], result["pictures"]) == ("small", 20, 20)
    low, high = result["accuracy_interval"]
    assert 0 <= low <= result["accuracy"] <= high <= 1
    assert result["accuracy"] >= 0.8
    assert result["tar_at_far"] is not None
    assert (result["weights"], result["detector"], result["flip"]) == (
        "mobilefacenet_128_ms1m",
        "yunet_n",
        True,
    )
    assert result["without_face"] == []


def test_evaluate_scores_every_pair(call: Call, small_lfw: Path, tmp_path: Path) -> None:
    """A picture without a face is said, and its pairs are not left out."""
    root = tmp_path / "wall"
    shutil.copytree(small_lfw, root)
    picture = min(root.glob("*/*_0001.jpg"))
    save_picture(load_picture(picture) * 0 + 128, picture)
    done = call("evaluate", root, small_lfw, "--json")
    first, second = done.document()["sets"]
    assert first["pairs"] == second["pairs"] == 20
    assert first["without_face"] == [str(picture.relative_to(root))]
    assert first["accuracy"] < second["accuracy"]
    assert picture.name in done.err


def test_evaluate_shows_a_table(call: Call, small_lfw: Path) -> None:
    done = call("evaluate", small_lfw, "--no-flip", "--threads", "1", env={"COLUMNS": "160"})
    assert done.code == 0
    assert "small" in done.out and "20" in done.out


def test_evaluate_names_what_is_missing(call: Call, small_lfw: Path, tmp_path: Path) -> None:
    root = tmp_path / "holes"
    shutil.copytree(small_lfw, root)
    picture = min(root.glob("*/*_0001.jpg"))
    content = picture.read_bytes()
    picture.write_bytes(content[:500])
    broken = call("evaluate", root)
    assert broken.code == 3 and picture.name in broken.err
    picture.unlink()
    missing = call("evaluate", root)
    assert missing.code == 3 and picture.name in missing.err
    (root / "pairs.txt").write_text("nonsense\n")
    assert call("evaluate", root).code == 3


def test_calibrate_refuses_a_small_set(call: Call, small_lfw: Path, store: Path) -> None:
    done = call("calibrate", small_lfw, "--json")
    assert done.code == 3
    assert (
        "10 people with 20 pictures; a calibration needs 100 people or more"
        in done.document()["error"]["message"]
    )
    assert not (store / "calibrations").exists()


@pytest.fixture(scope="module")
def hundred(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred people with two pictures each: the smallest set that is taken."""
    root = tmp_path_factory.mktemp("sets") / "own_set"
    for folder in people_with_two(shared / "data" / "lfw", 100):
        (root / folder.name).mkdir(parents=True)
        for number in (1, 2):
            shutil.copy(folder / f"{folder.name}_000{number}.jpg", root / folder.name)
    return root


@pytest.fixture(scope="module")
def own_store(store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables for a store in which calibrations may be put."""
    folder = tmp_path_factory.mktemp("own") / "store"
    shutil.copytree(store, folder)
    return {"MULTIFACE_STORE": str(folder)}


@pytest.fixture
def calibrated(call: Call, hundred: Path, own_store: dict[str, str]) -> dict[str, str]:
    """The store with a calibration of one's own, made once."""
    if not list(Path(own_store["MULTIFACE_STORE"]).glob("calibrations/*.json")):
        done = call("calibrate", hundred, "--json", env=own_store)
        assert done.code == 0, done
        document = done.document()
        assert document["source"] == "own_set: 100 people, 200 pictures, 19,800 impostor pairs"
        assert Path(document["file"]).parent == Path(own_store["MULTIFACE_STORE"]) / "calibrations"
        assert "false-match rate" in done.err
    return own_store


def test_a_calibration_of_ones_own_decides_from_then_on(
    call: Call, calibrated: dict[str, str], people: Path
) -> None:
    pictures = (people / "obama" / "obama.jpg", people / "obama" / "obama2.jpg")
    document = call("verify", *pictures, "--rate", "0.01", "--json", env=calibrated).document()
    assert document["same"] is True
    assert document["calibration"].startswith("own_set: 100 people")
    assert (document["caveat"], document["extrapolated"]) == (None, False)
    strict = call("verify", *pictures, "--rate", "0.0005", "--json", env=calibrated)
    assert strict.document()["extrapolated"] is True
    assert "extrapolated" in strict.err
    assert call("verify", *pictures, "--rate", "1e-9", env=calibrated).code == 3


def test_a_small_calibration_is_enough_or_refused(
    call: Call, calibrated: dict[str, str], people: Path, tmp_path: Path
) -> None:
    """A rate that a hundred people cannot show for one person enrolled: an answer or a sentence."""
    gallery = tmp_path / "g.sqlite"
    assert call("enroll", "obama", people / "obama" / "obama.jpg", "--gallery", gallery).code == 0
    done = call("identify", people / "obama" / "obama2.jpg", "--gallery", gallery, env=calibrated)
    assert done.code in (0, 3)


def test_calibrate_says_where_it_cannot_write(call: Call, hundred: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    few = tmp_path / "few"
    shutil.copytree(min(hundred.iterdir()), few / "one")
    done = call("calibrate", few, "--out", tmp_path / "file" / "x.json")
    assert done.code in (2, 3)

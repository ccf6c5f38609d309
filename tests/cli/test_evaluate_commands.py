"""`evaluate` and `calibrate` on small sets made of pictures of LFW."""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multiface.datasets.bin_pack import read_bin, write_bin
from multiface.images import load_picture, save_picture
from multiface.weights.catalogue import find
from tests.evaluate.test_ijb import made
from tests.weights.linear_network import make_network

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
        "sface",
        "yunet_onet",
        False,
    )
    assert result["without_face"] == []


def test_evaluate_scores_every_pair(call: Call, small_lfw: Path, tmp_path: Path) -> None:
    """A picture without a face is said, and its pairs are not left out."""
    root = tmp_path / "wall"
    shutil.copytree(small_lfw, root)
    picture = min(root.glob("*/*_0001.jpg"))
    save_picture(load_picture(picture) * 0 + 128, picture)
    done = call("evaluate", root, small_lfw, "--json", "--no-quiet")
    first, second = done.document()["sets"]
    assert first["pairs"] == second["pairs"] == 20
    assert first["without_face"] == [str(picture.relative_to(root))]
    assert first["accuracy"] < second["accuracy"]
    assert picture.name in done.err


def test_evaluate_shows_a_table(call: Call, small_lfw: Path) -> None:
    """Each cell stands under its header and says what the document says."""
    arguments = ("evaluate", small_lfw, "--no-flip", "--threads", "1")
    done = call(*arguments, env={"COLUMNS": "200"})
    assert done.code == 0
    (result,) = call(*arguments, "--json").document()["sets"]
    rows = [re.split("[│┃]", line) for line in done.out.splitlines() if "│" in line or "┃" in line]
    header, cells = ([cell.strip() for cell in row[1:-1]] for row in rows)
    row = dict(zip(header, cells, strict=True))
    assert (row["set"], row["weights"], row["flips"], row["pairs"]) == (
        "small",
        "sface",
        "no",
        "20",
    )
    low, high = (100 * end for end in result["accuracy_interval"])
    accuracy, std = 100 * result["accuracy"], 100 * result["accuracy_std"]
    numbers = [float(number) for number in re.findall(r"[0-9.]+", row["accuracy"])]
    assert numbers == pytest.approx([accuracy, low, high, std], abs=0.006)
    for far, tar in result["tar_at_far"].items():
        assert float(row[f"TAR at FAR {far}"].split()[0]) == pytest.approx(100 * tar, abs=0.006)
        assert row[f"TAR at FAR {far}"].endswith("*") == (far in result["unsupported_fars"])
    assert float(row["EER"]) == pytest.approx(100 * result["eer"], abs=0.006)
    assert float(row["AUC"]) == pytest.approx(result["auc"], abs=0.000006)


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


@pytest.fixture(scope="module")
def named_pack(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty pairs of the held-out pack with the people of each, and groups."""
    whole = read_bin(shared / "data" / "train" / "heldout.bin")
    who = json.loads((shared / "data" / "train" / "heldout.json").read_text())
    taken = [200 * fold + kind + k for fold in range(10) for kind in (0, 100) for k in range(2)]
    path = tmp_path_factory.mktemp("pack") / "forty.bin"
    write_bin(path, [whole.pictures[2 * q + side] for q in taken for side in (0, 1)], whole.issame[taken])
    people = [str(who[2 * q + side]["identity"]) for q in taken for side in (0, 1)]
    path.with_suffix(".people").write_text("\n".join(people) + "\n")
    path.with_suffix(".groups").write_text(
        "\n".join("even" if int(one) % 2 == 0 else "odd" for one in people)
    )
    return path


def test_two_weights_are_compared_and_everything_is_written(
    call: Call, named_pack: Path, shared: Path, tmp_path: Path
) -> None:
    other = shared / "data" / "weights" / "mobilefacenet_128_ms1m.onnx"
    done = call(
        "evaluate", named_pack, "--weights", "sface", "--weights", other, "--no-flip", "--far", "0.5",
        "--scores", tmp_path / "scores", "--page", tmp_path / "page.html", "--json",
    )  # fmt: skip
    assert done.code == 0, done
    document = done.document()
    first, second = document["sets"]
    assert first["people"] is not None and list(first["tar_at_far"]) == ["0.5"]
    (comparison,) = document["differences"]
    assert (comparison["first"], comparison["second"]) == ("mobilefacenet_128_ms1m", "sface")
    accuracy, tar = comparison["differences"]
    assert accuracy["difference"] == pytest.approx(second["accuracy"] - first["accuracy"], abs=1e-5)
    assert tar["measure"] == "TAR at FAR 0.5"
    assert [group["group"] for group in first["groups"]] == ["even", "odd"]
    files = [Path(one) for one in document["scores"]]
    assert len(files) == 2 and all(len(file.read_text().splitlines()) == 41 for file in files)
    page = (tmp_path / "page.html").read_text()
    assert page.count("<svg") == 3 and "DET" in page and "<script" not in page


def test_a_folder_of_ijb_is_measured_in_pairs_and_in_galleries(call: Call, tmp_path: Path) -> None:
    (tmp_path / "IJBB").mkdir()
    root = made(tmp_path / "IJBB")
    done = call("evaluate", root, "--no-flip", "--far", "0.1", "--page", tmp_path / "page.html", "--json")
    assert done.code == 0, done
    (result,) = done.document()["sets"]
    assert (result["name"], result["pairs"], result["genuine"], result["people"]) == ("ijbb 1:1", 144, 12, 12)
    assert (result["faces"], result["templates"], result["weights"]) == (60, 24, "sface")
    first, second = result["identification"]
    assert (first["gallery"], first["mated"], first["strangers"]) == ("S1", 8, 4)
    assert [rank for rank, _ in second["ranks"]] == [1, 5, 10]
    shown = call("evaluate", root, "--no-flip", env={"COLUMNS": "200"})
    assert shown.code == 0 and "TPIR at FPIR 0.01" in shown.out
    assert "ijbb 1:1" in (tmp_path / "page.html").read_text()


def test_a_far_beyond_the_set_is_refused_before_anything_is_embedded(call: Call, named_pack: Path) -> None:
    done = call("evaluate", named_pack, "--far", "0.0001")
    assert done.code == 3 and "20 pairs of two people" in done.err and "ask for 0.5" in done.err
    assert call("evaluate", named_pack, "--far", "2").code == 2


def test_a_page_does_not_take_the_place_of_another_file(call: Call, named_pack: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.html").write_text("a letter")
    assert call("evaluate", named_pack, "--page", tmp_path / "mine.html").code == 2
    assert (tmp_path / "mine.html").read_text() == "a letter"


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
    """130 people with two pictures each: a little more than the smallest set that is taken."""
    root = tmp_path_factory.mktemp("sets") / "own_set"
    for folder in people_with_two(shared / "data" / "lfw", 130):
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
def calibrated(call: Call, hundred: Path, own_store: dict[str, str], people: Path) -> dict[str, str]:
    """The store with a calibration of one's own in force, made once."""
    folder = Path(own_store["MULTIFACE_STORE"]) / "calibrations"
    if not (folder / "own_set.json").exists():
        done = call("calibrate", hundred, "--json", "--no-quiet", "--people", people, env=own_store)
        assert done.code == 0, done
        document = done.document()
        assert document["source"] == "own_set: 130 people, 260 pictures, 33,540 impostor pairs"
        assert Path(document["file"]) == folder / "own_set.json"
        assert document["name"] == "own_set" and document["before"].startswith("LFW")
        row = next(row for row in document["rates"] if row["rate"] == 0.001)
        assert row["new"]["interval"] is not None and row["in_force"]["interval"] is not None
        gallery = document["gallery"]
        assert (gallery["people"], gallery["new"]["tried"]) == (4, 6)
        assert "false-match rate" in done.err and "not in force" in done.err
        assert not (folder / "in_force.json").exists()
        answer = call("verify", *ada(people), "--json", env=own_store).document()
        assert answer["calibration"].startswith("LFW")
    assert call("calibrate", "--use", "--name", "own_set", env=own_store).code == 0
    return own_store


def ada(people: Path) -> tuple[Path, Path]:
    return people / "ada" / "ada1.jpg", people / "ada" / "ada2.jpg"


def test_what_is_in_force_is_shown_and_undone(call: Call, calibrated: dict[str, str], people: Path) -> None:
    for command in (("weights", "list"), ("doctor",)):
        shown = call(*command, env=calibrated)
        assert "calibration own_set: in force" in shown.out and "calibrate --undo" in shown.out
    (own,) = call("weights", "list", "--json", env=calibrated).document()["own_calibrations"]
    assert (own["name"], own["in_force"], own["detector"]) == ("own_set", True, "yunet_onet")
    assert call("calibrate", "--undo", "--json", env=calibrated).document() == {"undone": "own_set"}
    assert "not in force" in call("weights", "list", env=calibrated).out
    answer = call("verify", *ada(people), "--json", env=calibrated).document()
    assert answer["calibration"].startswith("LFW")
    by_name = calibrated | {"MULTIFACE_CALIBRATION": "own_set"}
    answer = call("verify", *ada(people), "--json", env=by_name).document()
    assert answer["calibration"].startswith("own_set")
    absent = call("verify", *ada(people), env=calibrated | {"MULTIFACE_CALIBRATION": "none"})
    assert absent.code == 2 and "own_set" in absent.err


def test_calibrate_without_a_folder(call: Call) -> None:
    assert call("calibrate").code == 2
    assert call("calibrate", "--use").code == 2
    assert call("calibrate", "--use", "--undo").code == 2


def test_verify_states_two_rates_and_bounds(call: Call, people: Path) -> None:
    """Of two strangers and of one picture with itself, whose similarity no impostor pair reached."""
    done = call("verify", people / "bob" / "bob1.jpg", people / "dora" / "dora1.jpg", "--json")
    answer = done.document()
    assert answer["false_match_rate_at_similarity_bound"] == "measured"
    assert 0.02 < answer["false_match_rate_at_similarity"] < 1
    assert answer["alike_chosen_by"] == "mobilefacenet_128_ms1m"
    assert answer["false_match_rate_alike_at_similarity"] > answer["false_match_rate_at_similarity"]
    same = call("verify", *[people / "bob" / "bob1.jpg"] * 2, "--json").document()
    assert same["false_match_rate_at_similarity_bound"] == "at most"
    assert same["false_match_rate_at_similarity"] < 2e-6
    said = call("verify", *[people / "bob" / "bob1.jpg"] * 2).out
    assert "at large" in said and "resemble each other" in said and "at most" in said


def test_a_calibration_of_ones_own_decides_from_then_on(
    call: Call, calibrated: dict[str, str], people: Path
) -> None:
    pictures = (people / "ada" / "ada1.jpg", people / "ada" / "ada2.jpg")
    document = call("verify", *pictures, "--rate", "0.01", "--json", env=calibrated).document()
    assert document["same"] is True
    assert document["calibration"].startswith("own_set: 130 people")
    assert (document["caveat"], document["extrapolated"]) == (None, False)
    strict = call("verify", *pictures, "--rate", "0.0005", "--json", env=calibrated)
    assert strict.document()["extrapolated"] is True
    assert "extrapolated" in strict.err
    assert call("verify", *pictures, "--rate", "1e-9", env=calibrated).code == 3


def test_a_small_calibration_says_when_it_reaches_its_end(
    call: Call, calibrated: dict[str, str], people: Path, tmp_path: Path
) -> None:
    """What a hundred people can show for one person enrolled, what only extrapolation gives, and what not."""
    gallery = tmp_path / "g.sqlite"
    assert call("enroll", "ada", people / "ada" / "ada1.jpg", "--gallery", gallery).code == 0
    arguments = ("identify", people / "ada" / "ada2.jpg", "--gallery", gallery, "--json")
    faces = {}
    for rate in ("0.5", "0.01"):
        done = call(*arguments, "--rate", rate, env=calibrated)
        assert done.code == 0, done
        ((faces[rate],),) = [picture["faces"] for picture in done.document()["pictures"]]
        assert faces[rate]["calibration"].startswith("own_set: 130 people")
        assert faces[rate]["name"] == "ada"
    measured, stretched = faces["0.5"], faces["0.01"]
    assert (measured["extrapolated"], stretched["extrapolated"]) == (False, True)
    assert measured["rate_interval"] is not None and stretched["rate_interval"] is None
    assert measured["threshold"] < stretched["threshold"]
    refused = call(*arguments, "--rate", "0.001", env=calibrated)
    assert (refused.code, refused.document()["error"]["kind"]) == (3, "RateNotSupported")


def test_a_calibration_says_how_it_was_made(
    call: Call, hundred: Path, own_store: dict[str, str], tmp_path: Path
) -> None:
    """The command in the file makes the same file again. The network is a small one: how good it is matters not."""
    (tmp_path / "net.onnx").write_bytes(make_network(112, 128))
    spec = find("sface").spec
    assert spec is not None
    (tmp_path / "spec.json").write_text(spec.to_json())
    arguments = ("weights", "import", "net.onnx", "--name", "linear", "--spec", "spec.json")
    assert call(*arguments, env=own_store).code == 0
    options = ("--name", "my set", "--min-face", "40", "--weights", "linear", "--no-flip")
    done = call("calibrate", hundred, *options, "--out", tmp_path / "a.json", env=own_store)
    assert done.code == 0, done
    made = json.loads((tmp_path / "a.json").read_text())
    words = shlex.split(made["made_by"])
    assert words[:3] == ["multiface", "calibrate", hundred.name]
    for option in (options[:2], options[2:4], options[4:6], options[6:], ("--detector", "yunet_onet")):
        assert any(tuple(words[k : k + len(option)]) == option for k in range(len(words))), option
    again = call(words[1], *words[2:], "--out", tmp_path / "b.json", cwd=hundred.parent, env=own_store)
    assert again.code == 0, again
    assert (tmp_path / "b.json").read_bytes() == (tmp_path / "a.json").read_bytes()


def test_calibrate_says_where_it_cannot_write(call: Call, hundred: Path, tmp_path: Path) -> None:
    """Before the pictures are read, not after."""
    (tmp_path / "file").touch()
    done = call("calibrate", hundred, "--out", tmp_path / "file" / "x.json", "--json")
    assert done.code == 2
    error = done.document()["error"]
    assert error["kind"] == "UsageError" and "cannot be written" in error["message"]
    assert "x.json" in error["message"]
    assert (tmp_path / "file").read_bytes() == b""
    done = call("calibrate", hundred, "--out", tmp_path)
    assert done.code == 2 and "is a folder" in done.err

"""`identify` and `verify` on real pictures."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageFilter

from multiface.images import load_picture

FACE_FIELDS = {
    "box",
    "score",
    "name",
    "similarity",
    "runner_up",
    "threshold",
    "threshold_at_large",
    "rate",
    "calibration",
}


def names_of(picture: dict[str, Any]) -> list[str | None]:
    """Names from left to right."""
    return [face["name"] for face in sorted(picture["faces"], key=lambda face: face["box"][0])]


def test_names_in_a_picture(call: Callable[..., Any], people: Path, groups: Path, tmp_path: Path) -> None:
    source, out = groups / "two_people.jpg", tmp_path / "out.png"
    # No calibration of the package is of this detector with flips.
    how = ("--detector", "yunet", "--flip")
    done = call("identify", source, "--people", people, "--out", out, *how, "--json", "--no-quiet")
    assert done.code == 0, done
    (picture,) = done.document()["pictures"]
    assert (picture["path"], picture["width"], picture["height"]) == (str(source), 1000, 300)
    assert names_of(picture) == ["ada", "bob"]
    for face in picture["faces"]:
        assert face.keys() >= FACE_FIELDS
        assert face["similarity"] >= face["threshold"] > face["runner_up"]["similarity"]
        assert face["threshold"] >= face["threshold_at_large"]
        assert f"in this gallery {face['threshold']:.3f}" in done.err or face is not picture["faces"][0]
        assert face["runner_up"]["name"] in {"bob", "cleo", "ada", "dora"} - {face["name"]}
        x0, y0, x1, y1 = face["box"]
        assert 0 <= x0 < x1 <= 1000 and 0 <= y0 < y1 <= 300
        assert face["rate"] == 0.01
    caveat = done.document()["caveat"]
    assert "thresholds for sface were measured with the detector" in caveat
    assert caveat in " ".join(done.err.split())
    assert picture["bordered"] is False

    before, after = load_picture(source), load_picture(out)
    changed = np.argwhere((before != after).any(axis=2))
    assert len(changed) > 500
    far = np.ones(before.shape[:2], bool)
    for face in picture["faces"]:
        x0, y0, x1, y1 = (round(edge) for edge in face["box"])
        side = max(x1 - x0, y1 - y0)
        far[max(0, y0 - side) : y1 + side, max(0, x0 - side) : x1 + side] = False
    assert far.sum() > 0.2 * far.size
    assert not far[tuple(changed.T)].any()


def test_strangers_are_unknown(call: Callable[..., Any], people: Path, groups: Path) -> None:
    done = call("identify", groups / "couple.jpg", "--people", people, "--json")
    (picture,) = done.document()["pictures"]
    assert names_of(picture) == [None, None]
    for face in picture["faces"]:
        assert face["best"]["similarity"] == face["similarity"] < face["threshold"]
        assert face["reason"] == "below threshold"


def test_words_for_people(call: Callable[..., Any], people: Path, groups: Path) -> None:
    done = call("identify", groups / "two_people.jpg", "--people", people)
    assert done.code == 0
    assert "two_people.jpg: 2 faces" in done.out
    assert "ada  similarity" in done.out and "bob  similarity" in done.out
    assert "at most 1 % of strangers are given a name among 4 people" in done.out


def test_the_people_folder_is_embedded_once(
    call: Callable[..., Any], people: Path, groups: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(people, mine)
    first = call("identify", groups / "cleo_with_dora.jpg", "--people", mine)
    assert "4 people: 7 added" in first.err
    again = call("identify", groups / "cleo_with_dora.jpg", "--people", mine)
    assert "added" not in again.err
    assert again.out == first.out

    shutil.rmtree(mine / "dora")
    third = call("identify", groups / "cleo_with_dora.jpg", "--people", mine, "--json", "--no-quiet")
    assert set(names_of(third.document()["pictures"][0])) == {"cleo", None}
    assert "removed" in third.err


def test_forget_deletes_the_cached_vectors(
    call: Callable[..., Any], people: Path, portrait: Path, cache: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(people / "bob", mine / "bob")
    before = set((cache / "people").rglob("*")) if (cache / "people").exists() else set()
    assert call("identify", portrait, "--people", mine).code == 0
    assert set((cache / "people").rglob("*")) > before
    done = call("people", "forget", mine, "--json")
    assert done.document()["deleted"] >= 1
    assert set((cache / "people").rglob("*")) == before
    assert call("people", "forget", mine, "--json").document()["deleted"] == 0
    assert (mine / "bob" / "bob1.jpg").is_file()


def test_a_gallery_instead_of_a_folder(call: Callable[..., Any], gallery: Path, groups: Path) -> None:
    done = call("identify", groups / "two_people.jpg", "--gallery", gallery, "--json")
    assert names_of(done.document()["pictures"][0]) == ["ada", "bob"]
    by_setting = call(
        "identify", groups / "two_people.jpg", "--json", env={"MULTIFACE_GALLERY": str(gallery)}
    )
    assert by_setting.document() == done.document()


def test_the_option_gallery_wins_over_the_setting_people(
    call: Callable[..., Any], gallery: Path, groups: Path
) -> None:
    done = call(
        "identify",
        groups / "two_people.jpg",
        "--gallery",
        gallery,
        "--json",
        env={"MULTIFACE_PEOPLE": "missing"},
    )
    assert done.code == 0


def test_vectors_of_other_weights_never_meet(
    call: Callable[..., Any], gallery: Path, portrait: Path, shared: Path
) -> None:
    assert shared.is_dir()  # has the other weights
    other = "mobilefacenet_128_ms1m"
    done = call("identify", portrait, "--gallery", gallery, "--json", env={"MULTIFACE_WEIGHTS": other})
    assert done.code == 3
    error = done.document()["error"]
    assert error["kind"] == "FingerprintMismatch"
    assert "--weights sface" in error["message"]
    assert call("enroll", "x", portrait, "--gallery", gallery, "--weights", other).code == 3
    assert call("identify", portrait, "--gallery", gallery).code == 0


def test_a_folder_of_pictures_into_a_folder(call: Callable[..., Any], people: Path, tmp_path: Path) -> None:
    """Two pictures of one name each get a file of their own."""
    pictures = tmp_path / "pictures"
    for name in ("a", "b"):
        (pictures / name).mkdir(parents=True)
        shutil.copy(people / "ada" / "ada1.jpg", pictures / name / "same.jpg")
    (pictures / "notes.txt").write_text("x")
    done = call(
        "identify", pictures, "--people", people, "--out", tmp_path / "out" / "deep", "--json", "--no-quiet"
    )
    assert done.code == 0
    assert [names_of(one) for one in done.document()["pictures"]] == [["ada"], ["ada"]]
    assert sorted(path.name for path in (tmp_path / "out" / "deep").iterdir()) == ["same-2.png", "same.png"]
    assert "passed over 1 file" in done.err


def test_a_stricter_rate_asks_for_more(call: Callable[..., Any], people: Path, portrait: Path) -> None:
    thresholds = []
    for rate in ("0.1", "0.01"):
        done = call("identify", portrait, "--people", people, "--rate", rate, "--json")
        (face,) = done.document()["pictures"][0]["faces"]
        thresholds.append(face["threshold"])
        assert face["rate"] == float(rate)
    assert thresholds[0] < thresholds[1]


def test_verify_same_and_different(call: Callable[..., Any], people: Path) -> None:
    ada = people / "ada"
    same = call("verify", ada / "ada1.jpg", ada / "ada2.jpg", "--json")
    document = same.document()
    assert (same.code, document["same"]) == (0, True)
    assert document["similarity"] >= document["threshold"]
    assert document["false_match_rate"] == 0.001
    other = call("verify", ada / "ada1.jpg", people / "bob" / "bob1.jpg", "--json")
    document = other.document()
    assert (other.code, document["same"]) == (1, False)
    assert document["similarity"] < document["threshold"]
    words = call("verify", ada / "ada1.jpg", ada / "ada2.jpg")
    assert words.out.startswith("the same person: similarity ")
    assert "false-match rate 0.001" in words.out


def test_verify_with_several_faces(
    call: Callable[..., Any], people: Path, portrait: Path, tmp_path: Path
) -> None:
    a, b = PIL.Image.open(people / "ada" / "ada1.jpg"), PIL.Image.open(portrait).convert("RGB")
    b = b.resize((230, 230))
    both = PIL.Image.new("RGB", (a.width + b.width, max(a.height, b.height)), "grey")
    both.paste(a, (0, 0))
    both.paste(b, (a.width, 0))
    both.save(tmp_path / "both.png")
    done = call("verify", people / "ada" / "ada1.jpg", "both.png", "--json", "--no-quiet")
    look = done.document()["pictures"][1]
    assert done.code == 0 and look["faces"] == 2
    assert (
        f"both.png: compared face {look['face']} of 2, clearly the largest; --face N takes another"
        in done.err
    )
    other = call("verify", "both.png", portrait, "--face", 3 - look["face"])
    assert other.code == 0 and f"both.png: compared face {3 - look['face']} of 2\n" in other.err
    assert call("verify", "both.png", portrait, "--face", "0").code == 2
    listed = call("detect", "both.png").out
    assert "\n  1: " in listed and "\n  2: " in listed


def test_two_poor_pictures_are_not_compared(call: Callable[..., Any], people: Path, tmp_path: Path) -> None:
    poor = {}
    for name in ("ada", "bob"):
        poor[name] = tmp_path / f"{name}.png"
        picture = PIL.Image.open(people / name / f"{name}1.jpg")
        picture.filter(PIL.ImageFilter.GaussianBlur(7)).save(poor[name])
    done = call("verify", poor["ada"], poor["bob"], "--json")
    document = done.document()
    assert (done.code, document["same"]) == (3, None)
    assert all(one["too_poor"].startswith("blurred: sharpness 0.0") for one in document["pictures"])
    words = call("verify", poor["ada"], poor["bob"])
    assert words.code == 3 and words.out.startswith("unknown, too poor for this rate: ")
    assert all(f"{path}: picture too poor (blurred" in words.err for path in poor.values())
    assert "people at large" not in words.out
    one = call("verify", people / "ada" / "ada1.jpg", poor["ada"], "--json")
    assert one.document()["same"] is (one.code == 0)
    assert [bool(picture["too_poor"]) for picture in one.document()["pictures"]] == [False, True]


def test_an_unknown_poor_face_says_why(
    call: Callable[..., Any], people: Path, portrait: Path, tmp_path: Path
) -> None:
    poor = tmp_path / "poor.png"
    PIL.Image.open(portrait).filter(PIL.ImageFilter.GaussianBlur(4)).save(poor)
    done = call("identify", poor, "--people", people, "--json")
    (face,) = done.document()["pictures"][0]["faces"]
    assert (face["name"], face["reason"]) == (None, "picture too poor")
    assert face["too_poor"].startswith("blurred: sharpness 0.0")
    assert f"(picture too poor: {face['too_poor']}; box " in call("identify", poor, "--people", people).out


def test_verify_is_the_same_both_ways(call: Callable[..., Any], people: Path) -> None:
    a, b = people / "ada" / "ada1.jpg", people / "bob" / "bob1.jpg"
    one, other = call("verify", a, b, "--json").document(), call("verify", b, a, "--json").document()
    assert abs(one["similarity"] - other["similarity"]) < 1e-5


def test_a_picture_is_the_same_person_as_itself(call: Callable[..., Any], portrait: Path) -> None:
    document = call("verify", portrait, portrait, "--json").document()
    assert document["same"] and abs(document["similarity"] - 1) < 1e-5


def test_the_real_command(run: Callable[..., Any], people: Path, groups: Path) -> None:
    done = run("identify", groups / "two_people.jpg", "--people", people, "--json")
    assert done.code == 0
    assert names_of(done.document()["pictures"][0]) == ["ada", "bob"]
    assert run("verify", people / "ada" / "ada1.jpg", people / "bob" / "bob1.jpg").code == 1

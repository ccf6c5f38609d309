"""`Recognizer`: from pictures to names."""

import multiprocessing
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageFilter
import pytest

from multiface.decision import Reason
from multiface.errors import (
    FingerprintMismatch,
    GalleryError,
    NoFace,
    PictureError,
    RateNotSupported,
    SeveralFaces,
    UsageError,
)
from multiface.images import load_picture
from multiface.recognition import Recognizer, RecognizerSettings
from multiface.recognition.demo import PORTRAIT

SMALL: dict[str, Any] = {"detector": "yunet_onet", "weights": "sface"}


@pytest.fixture
def with_people(places: dict[str, Any], people: Path) -> Any:
    with Recognizer(people=people, **SMALL, settings=RecognizerSettings(**places)) as opened:
        yield opened


def names_of(found: Any) -> list[str | None]:
    return [face.name for face in sorted(found.faces, key=lambda face: face.box[0])]


def test_identify(with_people: Recognizer, group: Path) -> None:
    found = with_people.identify(group)
    assert (found.width, found.height, found.turn, found.bordered) == (1000, 300, 0, False)
    assert names_of(found) == ["ada", "bob"]
    for face in found.faces:
        assert face.landmarks.shape == (5, 2) and face.landmarks.dtype == np.float32
        assert face.decision.reason is Reason.KNOWN
        assert face.decision.threshold is not None and face.decision.threshold.people == 2
        assert face.decision.best is not None
        assert face.decision.best.similarity >= face.decision.threshold.similarity


def test_a_picture_is_a_path_bytes_or_an_array(with_people: Recognizer, group: Path) -> None:
    wanted = with_people.identify(group)
    for picture in (str(group), group.read_bytes(), load_picture(group)):
        found = with_people.identify(picture)
        assert [(face.name, face.box) for face in found.faces] == [
            (face.name, face.box) for face in wanted.faces
        ]


def test_similarities_are_cosines_of_the_embeddings(
    with_people: Recognizer, people: Path, group: Path
) -> None:
    """The answer of `identify` against the plain formula: the cosine to the mean of the templates."""
    probes = with_people.analyse(group)
    for face, probe in zip(with_people.identify(group).faces, probes.embeddings, strict=True):
        assert face.name is not None and face.decision.best is not None
        pictures = sorted((people / face.name).iterdir())
        centre = np.mean([with_people.analyse(path).embeddings[0] for path in pictures], axis=0)
        cosine = float(centre @ probe / np.linalg.norm(centre) / np.linalg.norm(probe))
        assert abs(face.decision.best.similarity - cosine) < 1e-5


def test_the_embedder_gives_unit_vectors(recognizer: Recognizer) -> None:
    analysis = recognizer.analyse(PORTRAIT)
    assert analysis.embeddings.shape == (1, 128) and analysis.embeddings.dtype == np.float32
    assert abs(np.linalg.norm(analysis.embeddings) - 1) < 1e-6


@pytest.mark.usefixtures("with_people")
def test_the_second_time_nothing_is_embedded(places: dict[str, Any], people: Path) -> None:
    seen: list[tuple[int, int]] = []
    with Recognizer(
        people=people,
        progress=lambda done, total: seen.append((done, total)),
        **SMALL,
        settings=RecognizerSettings(**places),
    ) as again:
        assert again.people_report is not None
        assert (again.people_report.embedded, again.people_report.unchanged) == (0, 3)
    assert seen[-1] == (3, 3)


def test_flips_and_detectors_have_vectors_of_their_own(places: dict[str, Any], people: Path) -> None:
    """With and without mirror images are different vectors, and never meet in one cache."""
    with (
        Recognizer(people=people, **SMALL, settings=RecognizerSettings(flip=True, **places)) as one,
        Recognizer(people=people, **SMALL, settings=RecognizerSettings(flip=False, **places)) as other,
    ):
        assert one.gallery is not None and other.gallery is not None
        assert one.gallery.path != other.gallery.path
        assert np.abs(one.gallery.matrix().vectors - other.gallery.matrix().vectors).max() > 1e-3


def test_a_gallery_must_exist_unless_created(places: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="there is no such file"):
        Recognizer(gallery=tmp_path / "g.sqlite", **SMALL, settings=RecognizerSettings(**places))
    with Recognizer(
        gallery=tmp_path / "g.sqlite", create=True, **SMALL, settings=RecognizerSettings(**places)
    ) as made:
        found = made.identify(PORTRAIT)
        assert [face.decision.reason for face in found.faces] == [Reason.NOBODY_ENROLLED]
        assert made.enroll("Eileen", [PORTRAIT]).added == 1
        assert names_of(made.identify(PORTRAIT)) == ["Eileen"]
    with Recognizer(gallery=tmp_path / "g.sqlite", **SMALL, settings=RecognizerSettings(**places)) as again:
        assert names_of(again.identify(PORTRAIT)) == ["Eileen"]


def test_a_gallery_of_the_other_choice_of_flips(places: dict[str, Any], tmp_path: Path) -> None:
    with Recognizer(
        gallery=tmp_path / "g.sqlite", create=True, **SMALL, settings=RecognizerSettings(flip=True, **places)
    ) as made:
        made.enroll("Eileen", [PORTRAIT])
    with pytest.raises(FingerprintMismatch, match="use --flip"):
        Recognizer(gallery=tmp_path / "g.sqlite", **SMALL, settings=RecognizerSettings(**places))


def test_a_smaller_face_is_looked_for_again(places: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "eileen").mkdir(parents=True)
    shutil.copy(PORTRAIT, folder / "eileen")
    for min_face, people in ((1000, ()), (1000, ()), (20, ("eileen",))):
        with Recognizer(
            gallery=tmp_path / "g.sqlite",
            create=True,
            **SMALL,
            settings=RecognizerSettings(min_face=min_face, **places),
        ) as opened:
            report = opened.sync(folder)
            assert report.people == people
            assert [one.path for one in report.refused] == ([] if people else ["eileen/astronaut.jpg"])
        assert people or "astronaut" not in report.refused[0].reason


def test_a_gallery_is_closed_when_the_people_cannot_be_read(
    places: dict[str, Any], people: Path, tmp_path: Path
) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("looks at descriptors in /proc")

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    cache = tmp_path / "cache"
    with pytest.raises(KeyboardInterrupt):
        Recognizer(
            people=people,
            progress=interrupt,
            **SMALL,
            settings=RecognizerSettings(store=places["store"], cache=cache),
        )
    assert list(cache.rglob("*.sqlite"))
    held = [str(one.readlink()) for one in descriptors.iterdir() if one.is_symlink()]
    assert not [one for one in held if str(cache) in one]


def test_verify(recognizer: Recognizer, people: Path) -> None:
    a, b = people / "ada" / "ada1.jpg", people / "ada" / "ada2.jpg"
    result = recognizer.verify(a, b)
    assert result.same and result.similarity >= result.threshold
    assert result.false_match_rate == 0.001
    assert 0 < result.at_similarity.value < 0.001
    other = recognizer.verify(a, people / "bob" / "bob1.jpg")
    assert not other.same and other.similarity < other.threshold == result.threshold
    assert recognizer.verify(a, b, 0.01).threshold < result.threshold


def test_verify_says_the_same_from_the_threshold_on(
    places: dict[str, Any], people: Path, tmp_path: Path
) -> None:
    """The threshold belongs to "the same", as it does where its error rate is measured."""
    a, b = people / "ada" / "ada1.jpg", people / "ada" / "ada2.jpg"
    store = Path(shutil.copytree(places["store"], tmp_path / "store"))
    with Recognizer(**SMALL, settings=RecognizerSettings(store=store, cache=places["cache"])) as opened:
        similarity = opened.verify(a, b).similarity
        calibration = opened.calibration
    (store / "calibrations").mkdir()
    for name, threshold in (("at", similarity), ("above", np.nextafter(similarity, 1).item())):
        flat = tuple(replace(row, threshold=threshold) for row in calibration.verify)
        made = replace(calibration, verify=flat).to_json()
        (store / "calibrations" / f"{name}.json").write_text(made)
    for name, same in (("at", True), ("above", False)):
        with Recognizer(
            **SMALL, settings=RecognizerSettings(calibration=name, store=store, cache=places["cache"])
        ) as opened:
            result = opened.verify(a, b)
            assert (result.threshold == result.similarity) is same
            assert result.same is same and result.decided


def test_nobody_is_named_where_two_people_fit_about_as_well(
    recognizer: Recognizer, places: dict[str, Any], people: Path, tmp_path: Path
) -> None:
    """One face under two names, in pictures that differ by their compression."""
    picture = people / "ada" / "ada1.jpg"
    PIL.Image.open(picture).convert("RGB").save(tmp_path / "again.jpg", quality=60)
    with Recognizer(
        gallery=tmp_path / "g.sqlite", create=True, **SMALL, settings=RecognizerSettings(**places)
    ) as opened:
        opened.enroll("Ada", picture)
        opened.enroll("Bob", tmp_path / "again.jpg")
        (face,) = opened.identify(people / "ada" / "ada2.jpg").faces
    best, runner_up = face.decision.best, face.decision.runner_up
    assert best is not None and runner_up is not None and face.decision.threshold is not None
    assert 0 < best.similarity - runner_up.similarity < recognizer.calibration.margin
    assert best.similarity > face.decision.threshold.similarity
    assert face.name is None and face.decision.reason is Reason.RUNNER_UP_TOO_NEAR


def test_what_is_taken_for_a_face_in_a_blur_is_compared_with_nothing() -> None:
    """Blurred beyond recognition the portrait still has "a face" for the detector, of a norm that says it is none."""
    picture = PIL.Image.open(PORTRAIT).convert("RGB")
    blurred = np.asarray(picture.filter(PIL.ImageFilter.GaussianBlur(15)))
    with Recognizer() as recognizer:
        result = recognizer.verify(PORTRAIT, blurred)
        assert not result.decided and not result.same
        assert result.first.fault is None and result.second.fault is not None
        less = np.asarray(picture.filter(PIL.ImageFilter.GaussianBlur(3)))
        assert recognizer.verify(PORTRAIT, less).decided and not recognizer.verify(less, less).decided


def test_a_pickled_recogniser_is_opened_anew_elsewhere(
    places: dict[str, Any], people: Path, group: Path, tmp_path: Path
) -> None:
    """In a process that was spawned: the same answers, from the same gallery, at the same rate."""
    with Recognizer(
        gallery=tmp_path / "g.sqlite", create=True, **SMALL, settings=RecognizerSettings(threads=1, **places)
    ) as recognizer:
        recognizer.enroll("ada", people / "ada" / "ada1.jpg")
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            there = pool.apply(identified, (recognizer, group))
        here = recognizer.identify(group)
        assert names_of(here) == ["ada", None]
        assert [face.decision for face in there.faces] == [face.decision for face in here.faces]
        recognizer.enroll("bob", people / "bob" / "bob1.jpg")


def identified(recognizer: Recognizer, picture: Path) -> Any:
    with recognizer:
        return recognizer.identify(picture)


def test_verify_says_which_face_it_took_and_takes_another(
    with_people: Recognizer, people: Path, group: Path
) -> None:
    ada = people / "ada" / "ada1.jpg"
    with pytest.raises(SeveralFaces, match=r"two_people\.jpg has 2 faces .*--face N"):
        with_people.verify(ada, group)
    wanted = {face.name: number for number, face in enumerate(with_people.identify(group).faces, 1)}
    same = with_people.verify(ada, group, faces=[wanted["ada"]])
    other = with_people.verify(group, ada, faces=[wanted["bob"]])
    assert same.same and not other.same
    assert (same.second.face, same.second.faces, same.first.face, same.first.faces) == (
        wanted["ada"],
        2,
        1,
        1,
    )
    both = with_people.verify(group, group, faces=[1, 2])
    assert not both.same and (both.first.face, both.second.face) == (1, 2)
    with pytest.raises(NoFace, match=r"two_people\.jpg: there is no face 3"):
        with_people.verify(ada, group, faces=[3])
    with pytest.raises(UsageError, match="both pictures have several faces"):
        with_people.verify(group, group, faces=[1])
    with pytest.raises(UsageError, match="3 numbers were given"):
        with_people.verify(group, group, faces=[1, 1, 1])


def test_any_kind_of_picture_can_be_enrolled(places: dict[str, Any], people: Path, tmp_path: Path) -> None:
    paths = [people / "ada" / "ada1.jpg", people / "ada" / "ada2.jpg"]
    with Recognizer(
        gallery=tmp_path / "g.sqlite", create=True, **SMALL, settings=RecognizerSettings(**places)
    ) as recognizer:
        gallery = recognizer.gallery
        assert gallery is not None
        assert recognizer.enroll("paths", paths).added == 2
        vectors = [template.vector for template in gallery.templates("paths")]
        gallery.remove("paths")
        with paths[0].open("rb") as file:
            for kind, given in {
                "file": file,
                "bytes": paths[0].read_bytes(),
                "Pillow": PIL.Image.open(paths[0]),
                "array": load_picture(paths[0]),
                "the same twice": np.stack([load_picture(paths[0])] * 2),
                "generator": (PIL.Image.open(path) for path in paths),
            }.items():
                assert recognizer.enroll("again", given).added == (2 if kind == "generator" else 1), kind
                for template, wanted in zip(gallery.templates("again"), vectors, strict=False):
                    assert template.vector @ wanted > 0.9999, kind
                gallery.remove("again")
        refused = recognizer.enroll("wall", [np.zeros((50, 50, 3), np.uint8), paths[0]]).refused
        assert [name for name, _ in refused] == ["picture 1"]
        with pytest.raises(PictureError, match="one picture or several, got int"):
            recognizer.enroll("wall", 3)  # type: ignore[arg-type]


def test_one_picture_to_enrol_is_not_read_letter_by_letter(
    places: dict[str, Any], people: Path, tmp_path: Path
) -> None:
    ada = people / "ada"
    with Recognizer(
        gallery=tmp_path / "g.sqlite", create=True, **SMALL, settings=RecognizerSettings(**places)
    ) as recognizer:
        assert recognizer.enroll("ada", str(ada / "ada1.jpg")).added == 1
        assert recognizer.enroll("ada", ada / "ada2.jpg").added == 1


def test_verify_wants_one_face_each(recognizer: Recognizer, group: Path) -> None:
    with pytest.raises(SeveralFaces, match=r"two_people\.jpg has 2 faces"):
        recognizer.verify(PORTRAIT, group)
    with pytest.raises(NoFace, match="the first picture: no face was found"):
        recognizer.verify(np.zeros((100, 100, 3), np.uint8), PORTRAIT)


def test_enroll_says_what_it_refused(recognizer: Recognizer, group: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("x")
    with recognizer.temporary_gallery() as gallery:
        done = recognizer.enroll("Eileen", [PORTRAIT, group, tmp_path / "text.jpg", tmp_path / "missing.jpg"])
        assert (done.added, done.already_there) == (1, 0)
        assert [path.name for path, _ in done.refused] == ["two_people.jpg", "text.jpg", "missing.jpg"]
        assert not any(path.name in reason for path, reason in done.refused)
        assert recognizer.enroll("Eileen", [PORTRAIT]).already_there == 1
        assert [person.templates for person in gallery.people()] == [1]
    assert recognizer.gallery is None
    assert not gallery.path.exists()


def test_many_pictures_are_read_batch_by_batch(recognizer: Recognizer, tmp_path: Path) -> None:
    """More pictures than a batch: each has its own outcome, in order."""
    image = PIL.Image.open(PORTRAIT).crop((120, 0, 330, 230))
    paths = []
    for k in range(35):
        paths.append(tmp_path / f"{k}.png")
        (image if k % 34 == 0 else PIL.Image.new("RGB", (40, 40), (k, k, k))).save(paths[-1])
    image.rotate(3).save(paths[34])
    with recognizer.temporary_gallery():
        done = recognizer.enroll("Eileen", paths)
    assert done.added == 2
    assert [path for path, _ in done.refused] == paths[1:34]


def test_wrong_use(places: dict[str, Any], recognizer: Recognizer, people: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not both"):
        Recognizer(
            people=people, gallery=tmp_path / "g.sqlite", **SMALL, settings=RecognizerSettings(**places)
        )
    for rate in (0, 1, 2, -1, float("nan")):
        with pytest.raises(UsageError, match="between 0 and 1"):
            Recognizer(**SMALL, settings=RecognizerSettings(rate=rate, **places))
        with pytest.raises(UsageError, match="between 0 and 1"):
            recognizer.verify(PORTRAIT, PORTRAIT, rate)
    with pytest.raises(RateNotSupported):
        recognizer.verify(PORTRAIT, PORTRAIT, 1e-12)
    with pytest.raises(UsageError, match="needs people"):
        recognizer.identify(PORTRAIT)
    with pytest.raises(UsageError, match="needs a gallery"):
        recognizer.enroll("x", [PORTRAIT])
    with pytest.raises(UsageError, match="only into a gallery"):
        recognizer.sync(people)
    with pytest.raises(PictureError):
        Recognizer(people=tmp_path / "missing", **SMALL, settings=RecognizerSettings(**places))
    with pytest.raises(PictureError):
        recognizer.verify(tmp_path / "missing.jpg", PORTRAIT)


def test_closing_twice_is_fine(places: dict[str, Any], people: Path) -> None:
    opened = Recognizer(people=people, **SMALL, settings=RecognizerSettings(**places))
    opened.close()
    opened.close()
    with pytest.raises(GalleryError, match="already closed"):
        opened.identify(PORTRAIT)


def test_a_stranger_detector_is_said(recognizer: Recognizer, places: dict[str, Any]) -> None:
    """Thresholds of these weights with flips are measured with another detector, and that is not kept quiet."""
    assert recognizer.caveat is None
    with Recognizer(detector="yunet", settings=RecognizerSettings(flip=True, **places)) as other:
        assert other.calibration.detector == "yunet_onet"
        assert other.caveat is not None and "yunet_onet" in other.caveat

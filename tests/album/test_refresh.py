"""Who everybody is, and the groups of the unknown: after any changes as from the beginning, on both engines."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest

from multiface.album import hand_work
from multiface.album.groups import alike_groups, unknown_groups
from multiface.album.refresh import is_fresh, refresh
from multiface.errors import GalleryError, NotInGallery, UsageError
from multiface.gallery import Gallery, Sighting, album_faces, album_strangers
from multiface.recognition.deciding import decide_probes
from tests.album.conftest import MadeUp, groups_of


def anew(made_up: MadeUp) -> dict[int, tuple[int, int]]:
    """Everything decided from the beginning, all that was decided before forgotten."""
    with made_up.gallery.database.writing() as connection:
        album_strangers.stale(connection)
        connection.execute("UPDATE album_face SET person_id = NULL WHERE by_hand = 0")
    made_up.refresh()
    return made_up.standing()


def same(one: dict[int, tuple[int, int]], other: dict[int, tuple[int, int]]) -> None:
    assert {face: person for face, (person, _) in one.items()} == {
        face: person for face, (person, _) in other.items()
    }
    assert groups_of(one) == groups_of(other)


def test_known_and_unknown(made_up: MadeUp) -> None:
    anna = made_up.known("Anna", 1)
    with_anna = made_up.photo(1, 5)
    again = made_up.photo(1)
    strangers = [made_up.photo(5)[0], with_anna[1]]
    single = made_up.photo(9)[0]
    made_up.refresh()
    standing = made_up.standing()
    number = made_up.gallery.person(anna).number
    assert [standing[face][0] for face in (with_anna[0], again[0])] == [number] * 2
    assert groups_of(standing) == [sorted(strangers)]
    assert standing[single] == (-1, -1)
    (stranger,) = made_up.gallery.strangers.list()
    assert (stranger.sightings, stranger.views) == (2, 2)
    assert made_up.gallery.check().problems == ()


def test_the_decisions_of_identify(made_up: MadeUp) -> None:
    """Photo by photo what `decide_probes` says."""
    for person in range(1, 7):
        made_up.known(f"P{person}", person, pictures=1 + person % 3)
    random = np.random.default_rng(3)
    for _ in range(60):
        people = random.choice(12, size=int(random.integers(1, 5)), replace=bool(random.integers(0, 2))) + 1
        made_up.photo(
            *people.tolist(), vectors=[made_up.vector(int(one), random.uniform(0.3, 2.5)) for one in people]
        )
    made_up.refresh()
    matrix = made_up.gallery.matrix()
    rows = {person.id: person.number for person in made_up.gallery.people()}
    with made_up.gallery.database.reading() as connection:
        faces = album_faces.vectors(connection, made_up.gallery.origin)
    named = 0
    for picture in np.unique(faces.pictures):
        mine = faces.pictures == picture
        for answer, person in zip(
            decide_probes(faces.vectors[mine], matrix, made_up.threshold), faces.persons[mine], strict=True
        ):
            assert (-1 if answer.person is None else rows[answer.person]) == person
            named += person >= 0
    assert 20 < named < len(faces) - 20


@pytest.mark.parametrize("seed", range(4))
def test_after_any_changes_it_is_what_the_beginning_gives(made_up: MadeUp, seed: int) -> None:
    random = np.random.default_rng(seed)
    for step in range(14):
        for _ in range(3):
            made_up.photo(*(random.choice(8, size=2, replace=False) + 1).tolist())
        match int(random.integers(0, 5)) if step else 0:
            case 0:
                made_up.known(f"N{step}", int(random.integers(1, 9)), pictures=1)
            case 1:
                strangers = made_up.gallery.strangers.list()
                if strangers:
                    made_up.gallery.strangers.name(strangers[0].number, f"S{step}")
            case 2:
                changes = [one for one in made_up.gallery.changes() if one.can_be_undone]
                if changes:
                    try:
                        made_up.gallery.undo(changes[0].id)
                    except GalleryError:
                        continue
            case 3:
                people = made_up.gallery.people()
                if len(people) > 1:
                    made_up.gallery.merge(people[0].id, people[1].id)
            case 4:
                face = int(random.choice(list(made_up.standing())))
                people = made_up.gallery.people()
                if people:
                    hand_work.not_person(made_up.gallery, [face], people[0].id)
        made_up.refresh()
        assert is_fresh(made_up.gallery, made_up.threshold)
    before = made_up.standing()
    same(before, anew(made_up))


def test_the_same_groups_in_any_order_of_scanning(made_up: MadeUp) -> None:
    vectors = [made_up.vector(person, 0.8) for person in np.random.default_rng(1).integers(0, 12, 60)]
    faces = {k: made_up.photo(vectors=[vector])[0] for k, vector in enumerate(vectors)}
    made_up.refresh()
    together = groups_of({k: made_up.standing()[face] for k, face in faces.items()})
    for order in (np.random.default_rng(2).permutation(60), np.arange(60)[::-1]):
        with made_up.gallery.database.writing() as connection:
            connection.execute("DELETE FROM album_picture")
        made_up.refresh()
        assert made_up.gallery.strangers.list() == ()
        for at in range(0, 60, 7):
            for k in order[at : at + 7].tolist():
                faces[k] = made_up.photo(vectors=[vectors[k]])[0]
            made_up.refresh()
        standing = made_up.standing()
        assert groups_of({k: standing[face] for k, face in faces.items()}) == together
    assert sum(map(len, together)) > 30


def test_one_moment_counts_once(made_up: MadeUp) -> None:
    burst = [made_up.photo(3, taken=f"2024-05-01T12:00:{second:02}")[0] for second in (1, 20, 40)]
    made_up.refresh()
    assert groups_of(made_up.standing()) == []  # seen once
    later = made_up.photo(3, taken="2024-05-01T18:00:00")
    made_up.refresh()
    assert groups_of(made_up.standing()) == [sorted(burst + later)]
    (stranger,) = made_up.gallery.strangers.list()
    assert stranger.sightings == 2


def test_copies_count_once(made_up: MadeUp) -> None:
    vector = made_up.vector(3)
    for _ in range(3):
        made_up.photo(vectors=[vector])
    made_up.refresh()
    assert made_up.gallery.strangers.list() == ()


def test_poor_faces_are_in_no_group(made_up: MadeUp) -> None:
    made_up.photo(3)
    poor = made_up.photo(3, fault="blurred")[0]
    made_up.photo(3)
    made_up.refresh()
    assert poor not in groups_of(made_up.standing())[0]


def test_numbers_stay(made_up: MadeUp) -> None:
    first = [made_up.photo(person)[0] for person in (3, 3, 4, 4)]
    made_up.refresh()
    numbers = {face: made_up.standing()[face][1] for face in first}
    for _ in range(3):
        made_up.photo(3, 4, 6)
        made_up.refresh()
    assert {face: made_up.standing()[face][1] for face in first} == numbers


def test_naming_and_back(made_up: MadeUp) -> None:
    faces = [made_up.photo(3)[0] for _ in range(3)]
    hidden = made_up.photo(vectors=[made_up.vector(3, 1.1)])[0]
    made_up.refresh()
    (number,) = {made_up.standing()[face][1] for face in faces}
    named = made_up.gallery.strangers.name(number, "Cleo")
    made_up.refresh()
    person = made_up.gallery.person(named.id)
    assert {made_up.standing()[face][0] for face in [*faces, hidden]} == {person.number}
    assert made_up.gallery.strangers.list() == ()
    change = made_up.gallery.changes()[0]
    made_up.gallery.undo(change.id)
    made_up.refresh()
    assert made_up.gallery.people() == ()
    assert [one.number for one in made_up.gallery.strangers.list()] == [number]
    assert {made_up.standing()[face][1] for face in faces} == {number}


def test_not_this_person_lasts(made_up: MadeUp) -> None:
    made_up.known("Anna", 1)
    face = made_up.photo(1)[0]
    made_up.refresh()
    anna = made_up.gallery.person("Anna").number
    assert made_up.standing()[face][0] == anna
    hand_work.not_person(made_up.gallery, [face], "Anna")
    made_up.refresh()
    assert made_up.standing()[face][0] == -1
    made_up.known("Anna", 1, pictures=5)
    made_up.refresh()
    assert made_up.standing()[face][0] == -1
    made_up.known("Bo", 2)
    made_up.gallery.merge("Bo", "Anna")  # Anna is Bo now, and the face is not Bo's
    made_up.refresh()
    assert made_up.standing()[face][0] == -1
    undo = next(one for one in made_up.gallery.changes() if one.kind == "merge")
    made_up.gallery.undo(undo.id)
    said = next(one for one in made_up.gallery.changes() if one.kind == "album")
    made_up.gallery.undo(said.id)
    made_up.refresh()
    assert made_up.standing()[face][0] == made_up.gallery.person("Anna").number


def test_a_face_named_by_hand_takes_the_person(made_up: MadeUp) -> None:
    made_up.known("Anna", 1)
    like_anna, other = made_up.photo(1, 5)
    made_up.refresh()
    anna = made_up.gallery.person("Anna").number
    assert made_up.standing()[like_anna][0] == anna
    person = hand_work.name_faces(made_up.gallery, [other], "Anna")
    made_up.refresh()
    assert made_up.standing()[other][0] == anna and made_up.standing()[like_anna][0] != anna
    assert made_up.gallery.person(person.id).templates == 4
    with pytest.raises(GalleryError, match="one person cannot be two faces"):
        hand_work.name_faces(made_up.gallery, [like_anna], "Anna")
    hand_work.not_person(made_up.gallery, [other], "Anna")
    assert made_up.gallery.person(person.id).templates == 3  # what was made of the face went


def test_merge_split_ignore_and_back(made_up: MadeUp) -> None:
    first = [made_up.photo(3)[0] for _ in range(3)]
    second = [made_up.photo(4)[0] for _ in range(3)]
    made_up.refresh()
    original = made_up.standing()
    one, two = (original[faces[0]][1] for faces in (first, second))

    hand_work.merge_groups(made_up.gallery, one, two)
    made_up.refresh()
    assert groups_of(made_up.standing()) == [sorted(first + second)]
    made_up.photo(9)
    made_up.refresh()
    assert groups_of(made_up.standing()) == [sorted(first + second)]

    number = hand_work.split_faces(made_up.gallery, second[:2])
    made_up.refresh()
    assert groups_of(made_up.standing()) == [sorted([*first, second[2]]), sorted(second[:2])]
    assert made_up.standing()[second[0]][1] == number

    hand_work.ignore(made_up.gallery, groups=[number])
    with made_up.gallery.database.reading() as connection:
        assert album_strangers.all_of_them(connection)[number].ignored

    for change in [one for one in made_up.gallery.changes() if one.can_be_undone]:
        made_up.gallery.undo(change.id)
        made_up.refresh()
    same(original, {face: standing for face, standing in made_up.standing().items() if face in original})


def test_wrong_hand_work_is_refused(made_up: MadeUp) -> None:
    face = [made_up.photo(3)[0] for _ in range(2)][-1]
    made_up.refresh()
    number = made_up.standing()[face][1]
    for wrong in (
        lambda: hand_work.merge_groups(made_up.gallery, number, 77),
        lambda: hand_work.not_person(made_up.gallery, [9999], "Anna"),
        lambda: hand_work.not_person(made_up.gallery, [face], "Nobody"),
        lambda: hand_work.name_faces(made_up.gallery, [9999], "Anna"),
        lambda: hand_work.ignore(made_up.gallery, groups=[77]),
    ):
        with pytest.raises(GalleryError):
            wrong()
    for senseless in (
        lambda: hand_work.merge_groups(made_up.gallery, number, number),
        lambda: hand_work.split_faces(made_up.gallery, []),
        lambda: hand_work.split_faces(
            made_up.gallery, [f for f, (_, s) in made_up.standing().items() if s == number]
        ),
    ):
        with pytest.raises(UsageError):
            senseless()
    assert made_up.gallery.changes() == ()


def test_a_removed_person_leaves_the_album(made_up: MadeUp) -> None:
    made_up.known("Anna", 1)
    _, other = made_up.photo(1, 5)
    made_up.refresh()
    removed = made_up.gallery.remove("Anna")
    assert removed.faces == 1
    assert set(made_up.standing()) == {other}


def test_a_camera_s_stranger_keeps_the_number(made_up: MadeUp) -> None:
    picture = np.full((40, 40, 3), 9, np.uint8)
    sighting = Sighting(made_up.vector(3), 0.0, 0.5, picture, "2024-05-01T12:00:00+00:00")
    number = made_up.gallery.strangers.find(
        sighting, lambda spread: 0.5 + 0.0 * spread, (), timedelta(days=20000)
    )
    made_up.gallery.strangers.learn(number, sighting, timedelta(days=20000))
    face = made_up.photo(3)[0]
    made_up.refresh()
    assert made_up.standing()[face][1] == number
    with made_up.gallery.database.writing() as connection:
        connection.execute("DELETE FROM album_picture")
    made_up.refresh()
    assert [one.number for one in made_up.gallery.strangers.list()] == [number]  # the camera's again


def test_a_camera_meets_later_who_is_in_one_photo(made_up: MadeUp) -> None:
    face = made_up.photo(3)[0]
    for person in range(10, 15):
        made_up.photo(person)
    made_up.refresh()
    picture = np.full((40, 40, 3), 9, np.uint8)
    sighting = Sighting(made_up.vector(3), 0.0, 0.5, picture, "2024-05-01T12:00:00+00:00")
    number = made_up.gallery.strangers.find(
        sighting, lambda spread: 0.5 + 0.0 * spread, (), timedelta(days=20000)
    )
    made_up.photo(20)
    made_up.refresh()
    before = made_up.standing()
    assert before[face][1] == number and before == anew(made_up)


def test_an_album_s_stranger_is_known_to_a_camera(made_up: MadeUp) -> None:
    face = [made_up.photo(3)[0] for _ in range(2)][-1]
    made_up.refresh()
    picture = np.full((40, 40, 3), 9, np.uint8)
    sighting = Sighting(made_up.vector(3), 0.0, 0.5, picture, "2024-05-01T12:00:00+00:00")
    number = made_up.gallery.strangers.find(
        sighting, lambda spread: 0.5 + 0.0 * spread, (), timedelta(days=20000)
    )
    assert number == made_up.standing()[face][1]


def test_two_at_once(made_up: MadeUp, location: str) -> None:
    """Two programs refresh the same album: neither fails, and the result is the same."""
    for _ in range(10):
        made_up.photo(3, 4)
    with Gallery.open(location) as other, ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda one: refresh(one, made_up.threshold), [made_up.gallery, other] * 4))
    assert [len(group) for group in groups_of(made_up.standing())] == [10, 10]


def test_who_may_be_the_same_comes_first(made_up: MadeUp) -> None:
    """In the order of the cosines of means, by hand; ignored ones too."""
    gallery, mine = made_up.gallery, made_up.vector(1, 0.0)
    faces = {1: [made_up.photo(1)[0] for _ in range(2)]}
    for stranger, share in {2: 0.15, 3: 0.0, 4: 0.25, 5: 0.08}.items():
        near = [share * mine + made_up.vector(stranger) for _ in range(2)]
        faces[stranger] = [made_up.photo(vectors=[one / np.linalg.norm(one)])[0] for one in near]
    made_up.refresh()
    standing = made_up.standing()
    numbers = {standing[of[0]][1]: stranger for stranger, of in faces.items()}
    assert sorted(numbers) == [1, 2, 3, 4, 5]
    hand_work.ignore(gallery, groups=[standing[faces[3][0]][1]], faces=[], ignored=True)
    made_up.refresh()
    own = standing[faces[1][0]][1]
    matrix = gallery.matrix()
    with gallery.database.reading() as connection:
        vectors = album_faces.vectors(connection, gallery.origin)
        groups = unknown_groups(connection, {}, matrix, made_up.threshold, gallery.origin)
        alike = alike_groups(connection, groups, own, gallery.origin)
        with pytest.raises(NotInGallery):
            alike_groups(connection, groups, 999, gallery.origin)
    cosines = {}
    mean = {
        number: np.mean([vectors.vectors[vectors.ids == face][0] for face in faces[stranger]], axis=0)
        for number, stranger in numbers.items()
    }
    for number, other in mean.items():
        cosines[number] = float(other @ mean[own] / np.linalg.norm(other) / np.linalg.norm(mean[own]))
    del cosines[own]
    assert [one.group.number for one in alike] == sorted(cosines, key=lambda number: -cosines[number])
    assert [one.similarity for one in alike] == pytest.approx([cosines[one.group.number] for one in alike])

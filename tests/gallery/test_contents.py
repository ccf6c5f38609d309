"""What is told about a picture that was enrolled."""

import pytest

from multiface.gallery.contents import PictureFacts, PictureNote


@pytest.mark.parametrize(
    ("faces", "turns", "words"),
    [
        (1, 0, None),
        (3, 0, "a.jpg: 3 faces, the clearly largest one was taken"),
        (1, 2, "a.jpg: the face was found after 2 quarter turn(s)"),
        (
            2,
            1,
            "a.jpg: 2 faces, the clearly largest one was taken; the face was found after 1 quarter turn(s)",
        ),
    ],
)
def test_a_note_tells_what_there_is_to_tell(faces: int, turns: int, words: str | None) -> None:
    note = PictureNote.of("a.jpg", PictureFacts(9, 9, (0.0, 0.0, 5.0, 5.0), 0.9, "made up", turns, faces))
    assert words == (None if note is None else str(note))

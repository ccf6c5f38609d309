"""The one face that is meant in a picture of one person: said once, for enrolling and for comparing."""

from collections.abc import Sequence

import numpy as np

from multiface.errors import NoFace, SeveralFaces, UsageError
from multiface.faces.face import Faces
from multiface.faces.main_face import clear_main_face


def only_face(faces: Faces, name: str, number: int | None = None, otherwise: str = "") -> int:
    """The position of the one face, or of the clear main face, of a picture that messages call `name`.

    number: the face to take instead, from 1, in the order of `faces`. otherwise: what to do besides cropping.
    Raises NoFace or SeveralFaces.
    """
    if len(faces) == 0:
        raise NoFace(f"{name}: no face was found, neither upright nor in the quarter turns", picture=name)
    if number is not None:
        if not 1 <= number <= len(faces):
            raise NoFace(
                f"{name}: there is no face {number}, its faces are numbered from 1 to {len(faces)}",
                picture=name,
            )
        return number - 1
    main = clear_main_face(faces)
    if main is None:
        raise SeveralFaces(
            f"{name} has {len(faces)} faces and none of them twice as large as the others, so it is not clear "
            "who is meant",
            hint=f"crop it to one person{otherwise}",
            picture=name,
        )
    return main


def faces_to_compare(
    faces: tuple[Faces, Faces], names: tuple[str, str], numbers: Sequence[int]
) -> tuple[int, int]:
    """The positions of the faces that are meant in two pictures.

    numbers: none; one, for the picture that has several faces; or one for each. From 1, in the order of `faces`.
    Raises NoFace, SeveralFaces, and UsageError where it is open which picture a single number is for.
    """
    if not all(isinstance(number, int | np.integer) for number in numbers):
        raise UsageError("faces are given by their numbers, whole numbers from 1")
    several = [len(one) > 1 for one in faces]
    if len(numbers) > 2:
        raise UsageError(f"two faces are compared, and {len(numbers)} numbers were given")
    if len(numbers) == 1 and all(several):
        raise UsageError("both pictures have several faces", hint="give the number of the face in each")
    wanted: list[int | None] = [*numbers] or [None, None]
    if len(wanted) == 1:
        wanted.insert(0 if several[1] else 1, None)
    first, second = (
        only_face(one, name, number, ", or choose one: --face N")
        for one, name, number in zip(faces, names, wanted, strict=True)
    )
    return first, second

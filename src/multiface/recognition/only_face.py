"""The one face that is meant in a picture of one person: said once, for enrolling and for comparing."""

from multiface.errors import NoFace, SeveralFaces
from multiface.faces.face import Faces
from multiface.faces.main_face import clear_main_face


def only_face(faces: Faces, name: str) -> int:
    """The position of the one face, or of the clear main face, of a picture that messages call `name`.

    Raises NoFace or SeveralFaces.
    """
    if len(faces) == 0:
        raise NoFace(f"{name}: no face was found, neither upright nor in the quarter turns")
    main = clear_main_face(faces)
    if main is None:
        raise SeveralFaces(
            f"{name} has {len(faces)} faces and none of them twice as large as the others, so it is not clear "
            f"who is meant; crop it to one person"
        )
    return main

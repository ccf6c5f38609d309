"""A gallery kept in a file: enrol a folder of people, then search with the faces of a picture.

    python search_gallery.py GALLERY PEOPLE PICTURE

The gallery is made in the first run; later runs embed only pictures that are new in the folder.
"""

import sys
from pathlib import Path

from multiface import Recognizer


def main(gallery: Path, people: Path, picture: Path) -> None:
    with Recognizer(gallery=gallery, create=True) as recognizer:
        report = recognizer.sync(people)
        print(f"{len(report.people)} people, {report.embedded} pictures embedded")
        for face in recognizer.identify(picture).faces:
            best = face.decision.best
            nearest = f"most like {best.name} ({best.similarity:.3f})" if best else "the gallery is empty"
            print(f"{face.name or 'unknown'}: {nearest}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))

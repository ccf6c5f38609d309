"""Who is in the pictures of a folder? People are known by a folder with a folder of pictures for each.

python identify_folder.py PICTURES PEOPLE
"""

import sys
from pathlib import Path

from multiface import Identification, Recognizer


def main(pictures: Path, people: Path) -> None:
    paths = sorted(pictures.iterdir())
    with Recognizer(people=people) as recognizer:
        for path, answer in zip(paths, recognizer.identify_many(paths), strict=True):
            if isinstance(answer, Identification):
                names = ", ".join(face.name or "unknown" for face in answer.faces)
                print(f"{path.name}: {names or 'nobody'}")
            else:
                print(answer)  # not a picture, too large, a package missing: the others go on


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

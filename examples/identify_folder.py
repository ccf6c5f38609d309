"""Who is in the pictures of a folder? People are known by a folder with a folder of pictures for each.

python identify_folder.py PICTURES PEOPLE
"""

import sys
from pathlib import Path

from multiface import MultifaceError, Recognizer


def main(pictures: Path, people: Path) -> None:
    with Recognizer(people=people) as recognizer:
        for path in sorted(pictures.iterdir()):
            try:
                found = recognizer.identify(path)
            except MultifaceError as error:
                print(error)
                continue
            names = ", ".join(face.name or "unknown" for face in found.faces)
            print(f"{path.name}: {names or 'nobody'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

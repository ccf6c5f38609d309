"""Who is in each picture of a verification pack, as the file beside it that `multiface` reads (`NAME.people`).

    python benchmarks/multi/pack_people.py heldout.bin heldout.json FOLDER

heldout.json: a list with `identity`, a number, for each picture of the pack. FOLDER gets a link to the pack, and the
file.
"""

import argparse
import json
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pack", type=Path)
    parser.add_argument("people", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    link = given.folder / given.pack.name
    if not link.exists():
        link.symlink_to(given.pack.resolve())
    lines = [str(one["identity"]) for one in json.loads(given.people.read_text())]
    link.with_suffix(".people").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

"""Who is in a video, from when to when? Needs the extra `video`.

python names_in_video.py VIDEO PEOPLE
"""

import sys
from pathlib import Path

from multiface import MultifaceError, Recognizer, VideoEngine, open_source


def main(video: str, people: Path) -> None:
    with Recognizer(people=people) as recognizer:
        for event in VideoEngine(recognizer).events(open_source(video, live=False)):
            if event.event == "left":
                print(f"{event.name or 'unknown'}: {event.since:.2f} to {event.time:.2f} s")


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except MultifaceError as error:
        sys.exit(str(error))

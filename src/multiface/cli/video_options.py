"""The options that `video` and `camera` share."""

from pathlib import Path
from typing import Annotated

import typer

Update = Annotated[
    Path | None,
    typer.Option(
        "--update", "-u", help="First take this folder of people up into the gallery.", show_default=False
    ),
]
Score = Annotated[bool, typer.Option("--score", "-c", help="Also show the similarity.")]
MaxFaces = Annotated[
    int | None, typer.Option("--max-faces", help="Only the largest faces of a frame.", show_default=False)
]
Every = Annotated[
    int | None,
    typer.Option(
        "--every", help="Look for faces in every so many frames (default: chosen).", show_default=False
    ),
]
MaxFps = Annotated[
    float | None,
    typer.Option("--max-fps", help="At most so many frames a second, to save power.", show_default=False),
]
KeepStrangers = Annotated[
    bool, typer.Option("--strangers", help="Number the unknown, and know them again (needs a gallery).")
]
StrangerDays = Annotated[
    float, typer.Option("--stranger-days", help="How long a stranger is kept after having been seen.")
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        help="Holds the password of an address rtsp://USER@HOST (else MULTIFACE_STREAM_PASSWORD, or a question).",
        show_default=False,
    ),
]

"""The options that `video` and `camera` share."""

from pathlib import Path
from typing import Annotated

import typer

Update = Annotated[
    Path | None,
    typer.Option(
        "--update", "-u", help="First import this folder of people into the gallery.", show_default=False
    ),
]
Score = Annotated[bool, typer.Option("--score", "-c", help="Also show the similarity.")]
MaxFaces = Annotated[
    int | None,
    typer.Option(
        "--max-faces", help="Use at most this many faces of a frame, the largest first.", show_default=False
    ),
]
Every = Annotated[
    int | None,
    typer.Option(
        "--every",
        help="Full-frame detection every n-th frame (default: chosen by frame rate).",
        show_default=False,
    ),
]
MaxFps = Annotated[
    float | None,
    typer.Option(
        "--max-fps", help="Process at most this many frames a second, to save power.", show_default=False
    ),
]
KeepStrangers = Annotated[
    bool,
    typer.Option("--strangers", help="Number unknown people and recognise them again (needs a gallery)."),
]
StrangerDays = Annotated[
    float, typer.Option("--stranger-days", help="Days a stranger is kept after the last sighting.")
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        help="File with the password of rtsp://USER@HOST (else MULTIFACE_STREAM_PASSWORD, or a prompt).",
        show_default=False,
    ),
]

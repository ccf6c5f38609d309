"""Albums: photos and films of folders, searchable by person; unknown people are grouped, and corrections last."""

from multiface.album.album import Album
from multiface.album.groups import Near, UnknownGroup
from multiface.album.questions import Hit, HitFace
from multiface.album.scanning import LeftOut, ScanReport

__all__ = ["Album", "Hit", "HitFace", "LeftOut", "Near", "ScanReport", "UnknownGroup"]

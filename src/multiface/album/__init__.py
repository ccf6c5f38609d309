"""Albums: photos and films of folders, searchable by person; unknown people are grouped, and corrections last."""

from multiface.album.album import Album
from multiface.album.groups import AlikeGroup, Near, UnknownGroup
from multiface.album.names_export import ExportReport
from multiface.album.names_import import ImportReport
from multiface.album.questions import Hit, HitFace
from multiface.album.scanning import LeftOut, ScanReport

__all__ = [
    "Album",
    "AlikeGroup",
    "ExportReport",
    "Hit",
    "HitFace",
    "ImportReport",
    "LeftOut",
    "Near",
    "ScanReport",
    "UnknownGroup",
]

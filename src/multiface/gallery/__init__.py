"""People and their templates kept in one SQLite file, searched exactly in memory.

The room knows no network and decodes no picture: whoever calls hands in unit vectors (`contents.NewTemplate`).
"""

from multiface.gallery.archive.exporting import export_people
from multiface.gallery.archive.importing import differences, import_people
from multiface.gallery.archive.reading import opened_archive
from multiface.gallery.changes import Change
from multiface.gallery.contents import (
    Crop,
    NewTemplate,
    Person,
    PictureFacts,
    PictureNote,
    Template,
    VectorOrigin,
)
from multiface.gallery.folder_import import FolderProgress, FolderReport, Refusal, sync_folder
from multiface.gallery.folder_vanished import drop_vanished
from multiface.gallery.gallery import Added, Check, Gallery, Removed
from multiface.gallery.matrix import Matrix
from multiface.gallery.nearest import exact_similarities, nearest_people
from multiface.gallery.reembed_rows import Reembedding
from multiface.gallery.reembedding import MissingTemplate, Reembedded, WantedFaces, reembed
from multiface.gallery.search import Rule, score_people
from multiface.gallery.stranger_rows import Stranger
from multiface.gallery.strangers import Named, Sighting, Strangers

__all__ = [
    "Added",
    "Change",
    "Check",
    "Crop",
    "FolderProgress",
    "FolderReport",
    "Gallery",
    "Matrix",
    "MissingTemplate",
    "Named",
    "NewTemplate",
    "Person",
    "PictureFacts",
    "PictureNote",
    "Reembedded",
    "Reembedding",
    "Refusal",
    "Removed",
    "Rule",
    "Sighting",
    "Stranger",
    "Strangers",
    "Template",
    "VectorOrigin",
    "WantedFaces",
    "differences",
    "drop_vanished",
    "exact_similarities",
    "export_people",
    "import_people",
    "nearest_people",
    "opened_archive",
    "reembed",
    "score_people",
    "sync_folder",
]

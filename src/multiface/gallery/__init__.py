"""People and their templates kept in one SQLite file, searched exactly in memory.

The room knows no network and decodes no picture: whoever calls hands in unit vectors (`engine.NewTemplate`).
"""

from multiface.gallery.changes import Change
from multiface.gallery.engine import NewTemplate, Person, PictureFacts, PictureNote, Template, VectorOrigin
from multiface.gallery.folder_import import FolderProgress, FolderReport, Refusal, sync_folder
from multiface.gallery.folder_vanished import drop_vanished
from multiface.gallery.gallery import Added, Check, Gallery, Removed
from multiface.gallery.matrix import Matrix
from multiface.gallery.nearest import exact_similarities, nearest_people
from multiface.gallery.search import Rule, score_people
from multiface.gallery.stranger_rows import Stranger
from multiface.gallery.strangers import Named, Sighting, Strangers

__all__ = [
    "Added",
    "Change",
    "Check",
    "FolderProgress",
    "FolderReport",
    "Gallery",
    "Matrix",
    "Named",
    "NewTemplate",
    "Person",
    "PictureFacts",
    "PictureNote",
    "Refusal",
    "Removed",
    "Rule",
    "Sighting",
    "Stranger",
    "Strangers",
    "Template",
    "VectorOrigin",
    "drop_vanished",
    "exact_similarities",
    "nearest_people",
    "score_people",
    "sync_folder",
]

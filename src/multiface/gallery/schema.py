"""The tables of a gallery file, as numbered steps.

`PRAGMA user_version` holds the number of the last step taken; each step and that record are one
transaction. `PRAGMA application_id` marks the file as ours ("MFgl"). A step that has been released is
never edited: a change is a new step. Source: SQLite's documentation of these two pragmas.
"""

import sqlite3

from multiface.gallery.connection import BadContent, table_version
from multiface.gallery.person_ids import new_id

APPLICATION_ID = int.from_bytes(b"MFgl", "big")

_PEOPLE_AND_TEMPLATES = (
    """
    CREATE TABLE origin (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        fingerprint TEXT NOT NULL,
        weights TEXT NOT NULL,
        detector TEXT NOT NULL,
        dimension INTEGER NOT NULL CHECK (dimension > 0),
        created TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE person (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        created TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE template (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        person_id INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
        vector BLOB NOT NULL CHECK (typeof(vector) = 'blob'),  -- d float32, little-endian
        source_digest TEXT NOT NULL CHECK (length(source_digest) = 64),
        source TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        x0 REAL NOT NULL,
        y0 REAL NOT NULL,
        x1 REAL NOT NULL,
        y1 REAL NOT NULL,
        score REAL NOT NULL,
        detector TEXT NOT NULL,
        quarter_turns INTEGER NOT NULL,
        faces_in_picture INTEGER NOT NULL,
        added TEXT NOT NULL
    )
    """,
    "CREATE INDEX template_person ON template (person_id)",
    "CREATE INDEX template_digest ON template (source_digest)",
)

_FOLDER_PICTURES = (
    # See folder_rows.py for what a row means.
    """
    CREATE TABLE folder_picture (
        folder TEXT NOT NULL,
        path TEXT NOT NULL,
        digest TEXT NOT NULL,
        size INTEGER NOT NULL,
        modified_ns INTEGER NOT NULL,
        person TEXT NOT NULL,
        template_id INTEGER REFERENCES template (id) ON DELETE CASCADE,
        owned INTEGER NOT NULL,
        refusal TEXT,
        detector TEXT NOT NULL,
        PRIMARY KEY (folder, path, digest),
        CHECK (template_id IS NOT NULL OR refusal IS NOT NULL)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX folder_picture_template ON folder_picture (template_id)",
    "CREATE INDEX folder_picture_digest ON folder_picture (digest)",
)

_FLIP = (
    # Vectors with and without mirror images never meet; galleries from before did not say, and had them.
    "ALTER TABLE origin ADD COLUMN flip INTEGER NOT NULL DEFAULT 1 CHECK (flip IN (0, 1))",
)

_STRANGERS = (
    # See strangers.py; the ids are the numbers that people see, and AUTOINCREMENT never gives one twice.
    """
    CREATE TABLE stranger (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        first_seen TEXT NOT NULL,
        last_seen TEXT NOT NULL,
        kept_until TEXT NOT NULL,
        sightings INTEGER NOT NULL,
        quality REAL NOT NULL,
        picture BLOB NOT NULL CHECK (typeof(picture) = 'blob')  -- JPEG, the best one
    )
    """,
    """
    CREATE TABLE stranger_view (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        stranger_id INTEGER NOT NULL REFERENCES stranger (id) ON DELETE CASCADE,
        vector BLOB NOT NULL CHECK (typeof(vector) = 'blob'),  -- d float32, little-endian
        spread REAL NOT NULL,
        quality REAL NOT NULL,
        picture_digest TEXT NOT NULL CHECK (length(picture_digest) = 64),
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        seen TEXT NOT NULL
    )
    """,
    "CREATE INDEX stranger_view_stranger ON stranger_view (stranger_id)",
)

_IDS = (
    # SQLite cannot drop a UNIQUE, so the table is made anew. See person_ids.py.
    """
    CREATE TABLE new_person (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        public_id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        created TEXT NOT NULL,
        external_id TEXT UNIQUE,
        note TEXT NOT NULL DEFAULT '',
        cover INTEGER REFERENCES template (id) ON DELETE SET NULL
    )
    """,
    "INSERT INTO new_person (id, public_id, name, created) SELECT id, new_id(), name, created FROM person",
    # Numbers of people who were removed are not given again.
    "DELETE FROM sqlite_sequence WHERE name = 'new_person'",
    "INSERT INTO sqlite_sequence (name, seq) SELECT 'new_person', seq FROM sqlite_sequence WHERE name = 'person'",
    "DROP TABLE person",
    "ALTER TABLE new_person RENAME TO person",
    "CREATE INDEX person_name ON person (name)",
    "CREATE INDEX person_cover ON person (cover) WHERE cover IS NOT NULL",
    """
    CREATE TABLE person_group (
        person_id INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        PRIMARY KEY (name, person_id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX person_group_person ON person_group (person_id)",
)

_TOUCHED = (
    # Whose name or templates changed, for those who hold everybody in memory; see people_index.py. The newest 20,000
    # rows are kept.
    "CREATE TABLE touched (id INTEGER PRIMARY KEY AUTOINCREMENT, person_id INTEGER NOT NULL)",
    """
    CREATE TRIGGER touched_kept AFTER INSERT ON touched
    BEGIN DELETE FROM touched WHERE id <= new.id - 20000; END
    """,
    """
    CREATE TRIGGER template_added AFTER INSERT ON template
    BEGIN INSERT INTO touched (person_id) VALUES (new.person_id); END
    """,
    """
    CREATE TRIGGER template_changed AFTER UPDATE OF person_id, vector ON template
    BEGIN INSERT INTO touched (person_id) VALUES (old.person_id), (new.person_id); END
    """,
    """
    CREATE TRIGGER template_removed AFTER DELETE ON template
    BEGIN INSERT INTO touched (person_id) VALUES (old.person_id); END
    """,
    """
    CREATE TRIGGER person_renamed AFTER UPDATE OF name, public_id ON person
    BEGIN INSERT INTO touched (person_id) VALUES (new.id); END
    """,
)

_CHANGES = (
    # What people did, and what undoing it needs; see changes.py. The facts are JSON; a picture or vector of a stranger
    # who was named is a blob. A person who was removed leaves the id alone.
    """
    CREATE TABLE change (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        made TEXT NOT NULL,
        kind TEXT NOT NULL,
        facts TEXT NOT NULL,
        undone TEXT
    )
    """,
    """
    CREATE TABLE change_person (
        change_id INTEGER NOT NULL REFERENCES change (id) ON DELETE CASCADE,
        person TEXT NOT NULL,
        PRIMARY KEY (person, change_id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX change_person_change ON change_person (change_id)",
    """
    CREATE TABLE change_blob (
        change_id INTEGER NOT NULL REFERENCES change (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        data BLOB NOT NULL CHECK (typeof(data) = 'blob'),
        PRIMARY KEY (change_id, number)
    ) WITHOUT ROWID
    """,
    "CREATE TABLE removed_person (person TEXT PRIMARY KEY, removed TEXT NOT NULL) WITHOUT ROWID",
)

_ALBUMS = (
    # Photos and films, the files that hold them, and the faces in them; see album_pictures.py and album_faces.py.
    """
    CREATE TABLE album_picture (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        digest TEXT NOT NULL UNIQUE CHECK (length(digest) = 64),
        film INTEGER NOT NULL CHECK (film IN (0, 1)),
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        taken TEXT NOT NULL,
        dated INTEGER NOT NULL,
        searched TEXT NOT NULL,
        refusal TEXT,
        vanished TEXT
    )
    """,
    "CREATE INDEX album_picture_taken ON album_picture (taken)",
    """
    CREATE TABLE album_file (
        folder TEXT NOT NULL,
        name TEXT NOT NULL,
        size INTEGER NOT NULL,
        modified_ns INTEGER NOT NULL,
        picture_id INTEGER NOT NULL REFERENCES album_picture (id) ON DELETE CASCADE,
        PRIMARY KEY (folder, name)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX album_file_picture ON album_file (picture_id)",
    """
    CREATE TABLE album_face (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        picture_id INTEGER NOT NULL REFERENCES album_picture (id) ON DELETE CASCADE,
        x0 REAL NOT NULL,
        y0 REAL NOT NULL,
        x1 REAL NOT NULL,
        y1 REAL NOT NULL,
        begins REAL,
        ends REAL,
        score REAL NOT NULL,
        quality REAL NOT NULL,
        fault TEXT,
        alone INTEGER NOT NULL,
        vector BLOB CHECK (vector IS NULL OR typeof(vector) = 'blob'),  -- d float32, little-endian
        crop BLOB CHECK (crop IS NULL OR typeof(crop) = 'blob'),  -- JPEG
        drawn INTEGER NOT NULL,
        person_id INTEGER REFERENCES person (id) ON DELETE SET NULL,
        stranger_id INTEGER REFERENCES stranger (id) ON DELETE SET NULL,
        by_hand INTEGER NOT NULL,
        ignored INTEGER NOT NULL
    )
    """,
    "CREATE INDEX album_face_picture ON album_face (picture_id)",
    "CREATE INDEX album_face_person ON album_face (person_id)",
    "CREATE INDEX album_face_stranger ON album_face (stranger_id)",
    """
    CREATE TABLE album_not (
        face_id INTEGER NOT NULL REFERENCES album_face (id) ON DELETE CASCADE,
        person_id INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
        PRIMARY KEY (face_id, person_id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX album_not_person ON album_not (person_id)",
    # Strangers who are in the album; see album_strangers.py.
    """
    CREATE TABLE album_stranger (
        stranger_id INTEGER PRIMARY KEY REFERENCES stranger (id) ON DELETE CASCADE,
        made INTEGER NOT NULL,
        ignored INTEGER NOT NULL
    )
    """,
    # Up to which row of `touched` and which face, and with what else (in words), the faces were decided.
    """
    CREATE TABLE album_state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        touched INTEGER NOT NULL,
        face INTEGER NOT NULL,
        settings TEXT NOT NULL
    )
    """,
)

_KEYS = (
    # Keys of a service; see access_keys.py.
    """
    CREATE TABLE access_key (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        digest TEXT NOT NULL CHECK (length(digest) = 64),
        scopes TEXT NOT NULL,
        made TEXT NOT NULL,
        expires TEXT,
        used TEXT,
        revoked TEXT
    ) WITHOUT ROWID
    """,
)

_REEMBED = (
    # The face of a template as JPEG, where it is kept: see contents.Crop.
    """
    CREATE TABLE crop (
        template_id INTEGER PRIMARY KEY REFERENCES template (id) ON DELETE CASCADE,
        picture BLOB NOT NULL CHECK (typeof(picture) = 'blob'),
        aligned INTEGER NOT NULL CHECK (aligned IN (0, 1))
    )
    """,
    # A gallery that is being embedded again with other weights: see reembed_rows.py.
    """
    CREATE TABLE reembedding (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        fingerprint TEXT NOT NULL,
        weights TEXT NOT NULL,
        detector TEXT NOT NULL,
        dimension INTEGER NOT NULL CHECK (dimension > 0),
        flip INTEGER NOT NULL CHECK (flip IN (0, 1)),
        started TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE reembedded_template (
        template_id INTEGER PRIMARY KEY REFERENCES template (id) ON DELETE CASCADE,
        vector BLOB NOT NULL CHECK (typeof(vector) = 'blob'),  -- d float32, little-endian
        from_crop INTEGER NOT NULL CHECK (from_crop IN (0, 1))
    )
    """,
    """
    CREATE TABLE reembedded_face (
        face_id INTEGER PRIMARY KEY REFERENCES album_face (id) ON DELETE CASCADE,
        vector BLOB NOT NULL CHECK (typeof(vector) = 'blob')  -- d float32, little-endian
    )
    """,
    """
    CREATE TABLE reembedded_stranger (
        stranger_id INTEGER PRIMARY KEY REFERENCES stranger (id) ON DELETE CASCADE,
        picture_digest TEXT NOT NULL CHECK (length(picture_digest) = 64),
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        vector BLOB NOT NULL CHECK (typeof(vector) = 'blob')  -- d float32, little-endian
    )
    """,
)

_SERVICE = (
    # What a key is: one of a program, a link that is good once, or a browser's session, which ends with its parent.
    # people_groups: JSON, the groups of people it is limited to; empty for everybody.
    "ALTER TABLE access_key ADD COLUMN kind TEXT NOT NULL DEFAULT 'key' CHECK (kind IN ('key', 'link', 'session'))",
    "ALTER TABLE access_key ADD COLUMN parent TEXT",
    "ALTER TABLE access_key ADD COLUMN people_groups TEXT NOT NULL DEFAULT '[]'",
    # Long work of a service; see jobs.py. asked, result, problem: JSON. owner: the process that works on it; beat: when
    # that was last heard of.
    """
    CREATE TABLE job (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        asked TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
        done INTEGER NOT NULL DEFAULT 0,
        total INTEGER,
        made TEXT NOT NULL,
        began TEXT,
        ended TEXT,
        result TEXT,
        problem TEXT,
        cancelled INTEGER NOT NULL DEFAULT 0 CHECK (cancelled IN (0, 1)),
        owner TEXT,
        beat TEXT
    ) WITHOUT ROWID
    """,
    # Answers to writes that had an Idempotency-Key; see service/kept_answers.py. digest: of the request. status: NULL
    # while it is worked on.
    """
    CREATE TABLE kept_answer (
        access_key TEXT NOT NULL,
        idempotency_key TEXT NOT NULL,
        digest TEXT NOT NULL CHECK (length(digest) = 64),
        made TEXT NOT NULL,
        status INTEGER,
        headers TEXT,
        body BLOB,
        PRIMARY KEY (access_key, idempotency_key)
    ) WITHOUT ROWID
    """,
    # Who changed what over HTTP, without the names of people; see audit.py.
    """
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        made TEXT NOT NULL,
        access_key TEXT NOT NULL,
        request TEXT NOT NULL,
        method TEXT NOT NULL,
        route TEXT NOT NULL,
        status INTEGER NOT NULL,
        ids TEXT NOT NULL
    )
    """,
    # The folders that were scanned, and when last: UTC, ISO 8601; NULL before this step.
    "CREATE TABLE album_folder (folder TEXT PRIMARY KEY, scanned TEXT) WITHOUT ROWID",
    """
    INSERT INTO album_folder (folder)
    SELECT one.folder FROM (SELECT DISTINCT folder FROM album_file) AS one
    WHERE NOT EXISTS (
        SELECT 1 FROM (SELECT DISTINCT folder FROM album_file) AS other
        WHERE substr(one.folder, 1, length(other.folder) + 1) = other.folder || '/'
    )
    """,
)

_CAMERAS = (
    # Cameras of a service; see camera_rows.py. state, detail, since and webhook_problem: what became of it.
    """
    CREATE TABLE camera (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        source TEXT NOT NULL,
        password TEXT,
        webhook TEXT,
        keep_strangers REAL,
        unknown_alert INTEGER NOT NULL CHECK (unknown_alert IN (0, 1)),
        paused INTEGER NOT NULL CHECK (paused IN (0, 1)),
        made TEXT NOT NULL,
        state TEXT NOT NULL,
        detail TEXT,
        since TEXT NOT NULL,
        webhook_problem TEXT
    ) WITHOUT ROWID
    """,
    # Which process runs them.
    """
    CREATE TABLE camera_lease (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        owner TEXT NOT NULL,
        beat INTEGER NOT NULL,
        beaten TEXT NOT NULL
    )
    """,
    # What happened before them; see camera_events.py. No names of people stand here. decided: the id of the person as
    # whom the face was recognised, so that a merge can be undone.
    """
    CREATE TABLE camera_event (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        camera_id TEXT NOT NULL REFERENCES camera (id) ON DELETE CASCADE,
        run TEXT NOT NULL,
        happened TEXT NOT NULL,
        stored TEXT NOT NULL,
        kind TEXT NOT NULL,
        track INTEGER NOT NULL,
        person_id INTEGER REFERENCES person (id) ON DELETE SET NULL,
        decided TEXT,
        stranger INTEGER,
        similarity REAL,
        threshold REAL,
        x0 REAL NOT NULL,
        y0 REAL NOT NULL,
        x1 REAL NOT NULL,
        y1 REAL NOT NULL
    )
    """,
    "CREATE INDEX camera_event_camera ON camera_event (camera_id, number)",
    "CREATE INDEX camera_event_person ON camera_event (person_id, camera_id, happened) WHERE person_id IS NOT NULL",
    "CREATE INDEX camera_event_decided ON camera_event (decided) WHERE decided IS NOT NULL",
    "CREATE INDEX camera_event_stranger ON camera_event (stranger) WHERE stranger IS NOT NULL",
    "CREATE INDEX camera_event_stored ON camera_event (stored)",
    # Up to which event a webhook, named by a digest of its address, was told.
    """
    CREATE TABLE camera_told (
        camera_id TEXT NOT NULL REFERENCES camera (id) ON DELETE CASCADE,
        target TEXT NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (camera_id, target)
    ) WITHOUT ROWID
    """,
)

_NUMBERS = (
    # Numbers that faces had before, at which rates; see album_numbers.py. ignored: of the number's stranger.
    """
    CREATE TABLE album_number (
        face_id INTEGER NOT NULL REFERENCES album_face (id) ON DELETE CASCADE,
        lowest REAL NOT NULL,
        highest REAL NOT NULL,
        number INTEGER NOT NULL,
        ignored INTEGER NOT NULL,
        PRIMARY KEY (face_id, lowest)
    ) WITHOUT ROWID
    """,
    # Where the last file of a picture was, once it vanished; NULL for one that vanished before this step.
    "ALTER TABLE album_picture ADD COLUMN last_folder TEXT",
    # `settings` held texts joined by ";": words of which the last was the rate, a level, and faces with blanks between.
    "ALTER TABLE album_state ADD COLUMN rate REAL",
    "ALTER TABLE album_state ADD COLUMN level INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE album_state ADD COLUMN changed TEXT NOT NULL DEFAULT '[]'",
    """
    UPDATE album_state SET changed = ltrim(substr(settings, instr(settings, ';') + 1), '0123456789'),
        level = CAST(substr(settings, instr(settings, ';') + 1) AS INTEGER),
        settings = substr(settings, 1, instr(settings, ';') - 1)
    WHERE settings <> ''
    """,
    """
    UPDATE album_state SET changed = '[' || replace(ltrim(changed, ';'), ' ', ', ') || ']',
        rate = CAST(substr(settings, length(rtrim(settings, replace(settings, ' ', ''))) + 1) AS REAL),
        settings = rtrim(rtrim(settings, replace(settings, ' ', '')), ', ')
    WHERE settings <> ''
    """,
    # Faces of files that are missing count no more.
    "UPDATE album_state SET settings = '' WHERE EXISTS (SELECT 1 FROM album_picture WHERE vanished IS NOT NULL)",
)

STEPS: tuple[tuple[str, ...], ...] = (
    _PEOPLE_AND_TEMPLATES,
    _FOLDER_PICTURES,
    _FLIP,
    _STRANGERS,
    _IDS,
    _TOUCHED,
    _CHANGES,
    _ALBUMS,
    _KEYS,
    _REEMBED,
    _SERVICE,
    _CAMERAS,
    _NUMBERS,
)
VERSION = len(STEPS)


def version(connection: sqlite3.Connection) -> int:
    """The number of the last step that this file has taken; 0 for an empty file.

    Raises BadContent if the file is a SQLite database of another program or of a newer version.
    """
    found = table_version(
        connection, APPLICATION_ID, "it is a SQLite database of another program, not a MultiFace gallery"
    )
    if found > VERSION:
        raise BadContent(
            f"it was written by a newer MultiFace (schema {found}; this one knows up to {VERSION}); "
            "update MultiFace"
        )
    return found


def take_step(connection: sqlite3.Connection, number: int) -> None:
    """Take step `number` (1-based) and record it. The caller holds a write transaction with foreign keys off, so that
    a table that others refer to can be made anew.
    """
    connection.create_function("new_id", 0, new_id)
    for statement in STEPS[number - 1]:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {number}")

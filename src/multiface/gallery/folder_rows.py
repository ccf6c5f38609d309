"""What a gallery remembers of the folders it was filled from: a row for each content of each path.

A row is one of three things:
- kept: it has a template. `owned` says that a folder brought the template in; a template that was there
  before by hand is never removed with its picture.
- refused: no template, and a lasting reason why; tried again only by another detector or with other settings.
- blocked: a reason and the template, of another person, that is in the way.
A row goes away with its template. Functions run inside the caller's transaction.
"""

from dataclasses import dataclass

from multiface.gallery import people_rows
from multiface.gallery.sql import Connection


@dataclass(frozen=True, slots=True)
class FolderRow:
    """One content (sha256 `digest`) that one path of one folder has or had.

    folder: the folder's absolute path. path: relative to it, with forward slashes.
    size, modified_ns: bytes and time of change (ns), for the quick comparison.
    person: the person's name as the folder has it; renaming in the gallery does not change it.
    """

    folder: str
    path: str
    digest: str
    size: int
    modified_ns: int
    person: str
    template_id: int | None
    owned: bool
    refusal: str | None
    detector: str

    @property
    def kept(self) -> bool:
        """Whether this content is a template of the gallery."""
        return self.template_id is not None and self.refusal is None

    @property
    def blocked(self) -> bool:
        """Whether another person has this picture."""
        return self.template_id is not None and self.refusal is not None


@dataclass(frozen=True, slots=True)
class Holder:
    """A template with a given digest: its id, the number and name of its person, and whether folders brought it in."""

    template_id: int
    person: int
    name: str
    owned: bool


_COLUMNS = "folder, path, digest, size, modified_ns, person, template_id, owned, refusal, detector"


def rows_of(connection: Connection, folder: str) -> list[FolderRow]:
    """All rows of a folder, by path."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM folder_picture WHERE folder = ? ORDER BY path, digest", (folder,)
    )
    return [_row(row) for row in rows.fetchall()]


def put(connection: Connection, row: FolderRow) -> None:
    """Write a row, in place of the one with the same folder, path and digest."""
    connection.execute(
        f"""
        INSERT INTO folder_picture ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (folder, path, digest) DO UPDATE SET size = excluded.size, modified_ns = excluded.modified_ns,
            person = excluded.person, template_id = excluded.template_id, owned = excluded.owned,
            refusal = excluded.refusal, detector = excluded.detector
        """,
        (
            row.folder,
            row.path,
            row.digest,
            row.size,
            row.modified_ns,
            row.person,
            row.template_id,
            int(row.owned),
            row.refusal,
            row.detector,
        ),
    )


def touch(connection: Connection, row: FolderRow) -> None:
    """Write down a row's size and time of change, unless the row went away with its template."""
    connection.execute(
        "UPDATE folder_picture SET size = ?, modified_ns = ? WHERE folder = ? AND path = ? AND digest = ?",
        (row.size, row.modified_ns, row.folder, row.path, row.digest),
    )


def drop(connection: Connection, row: FolderRow) -> None:
    """Delete a row; its template stays."""
    connection.execute(
        "DELETE FROM folder_picture WHERE folder = ? AND path = ? AND digest = ?",
        (row.folder, row.path, row.digest),
    )


def forget_refusals(connection: Connection, person: str) -> None:
    """Delete the rows without a template that stand under a person's name."""
    connection.execute("DELETE FROM folder_picture WHERE person = ? AND template_id IS NULL", (person,))


def people_numbers(connection: Connection, folder: str) -> dict[str, int]:
    """For names in the folder the person of the gallery, by number, where all kept pictures agree on one."""
    rows = connection.execute(
        """
        SELECT folder_picture.person, min(template.person_id)
        FROM folder_picture JOIN template ON template.id = folder_picture.template_id
        WHERE folder_picture.folder = ? AND folder_picture.refusal IS NULL
        GROUP BY folder_picture.person HAVING count(DISTINCT template.person_id) = 1
        """,
        (folder,),
    )
    return {str(here): int(there) for here, there in rows.fetchall()}


def kept_people(connection: Connection, folder: str) -> dict[tuple[str, str], str]:
    """For (path, digest) of the folder's kept rows the person's name in the gallery."""
    rows = connection.execute(
        """
        SELECT folder_picture.path, folder_picture.digest, person.name
        FROM folder_picture
        JOIN template ON template.id = folder_picture.template_id
        JOIN person ON person.id = template.person_id
        WHERE folder_picture.folder = ? AND folder_picture.refusal IS NULL
        """,
        (folder,),
    )
    return {(str(path), str(digest)): str(name) for path, digest, name in rows.fetchall()}


def refusal_of(connection: Connection, digest: str, detector: str) -> str | None:
    """Why this detector refused this content before, anywhere."""
    row = connection.execute(
        """
        SELECT refusal FROM folder_picture
        WHERE digest = ? AND detector = ? AND template_id IS NULL AND refusal IS NOT NULL LIMIT 1
        """,
        (digest, detector),
    ).fetchone()
    return None if row is None else str(row[0])


def holders(connection: Connection, digest: str) -> list[Holder]:
    """The templates made from this content, oldest first."""
    rows = connection.execute(
        """
        SELECT template.id, person.id, person.name
        FROM template JOIN person ON person.id = template.person_id
        WHERE template.source_digest = ? ORDER BY template.id
        """,
        (digest,),
    ).fetchall()
    return [
        Holder(int(number), int(person), str(name), is_owned(connection, number))
        for number, person, name in rows
    ]


def is_owned(connection: Connection, template_id: int) -> bool:
    """Whether a folder brought this template in."""
    (owned,) = connection.execute(
        "SELECT count(*) FROM folder_picture WHERE template_id = ? AND refusal IS NULL AND owned = 1",
        (template_id,),
    ).fetchone()
    return bool(owned)


def keepers(connection: Connection, template_id: int) -> list[FolderRow]:
    """The rows that keep a template, by folder and path."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM folder_picture WHERE template_id = ? AND refusal IS NULL "
        "ORDER BY folder, path, digest",
        (template_id,),
    )
    return [_row(row) for row in rows.fetchall()]


def hand_over(connection: Connection, template_id: int, person: int) -> None:
    """Give a template to another person; a person who is left without any is removed."""
    (before,) = connection.execute("SELECT person_id FROM template WHERE id = ?", (template_id,)).fetchone()
    connection.execute("UPDATE template SET person_id = ? WHERE id = ?", (person, template_id))
    _remove_if_empty(connection, int(before))


def remove_template(connection: Connection, template_id: int, with_person: bool = True) -> bool:
    """Remove a template and the rows that name it; `with_person`, a person who is left without any is removed.

    False if it was not there.
    """
    row = connection.execute("SELECT person_id FROM template WHERE id = ?", (template_id,)).fetchone()
    if row is None:
        return False
    connection.execute("DELETE FROM template WHERE id = ?", (template_id,))
    if with_person:
        _remove_if_empty(connection, int(row[0]))
    return True


def _remove_if_empty(connection: Connection, person: int) -> None:
    row = connection.execute("SELECT 1 FROM template WHERE person_id = ? LIMIT 1", (person,)).fetchone()
    if row is None:
        people_rows.remove_person(connection, person)


def _row(row: tuple[str, str, str, int, int, str, int | None, int, str | None, str]) -> FolderRow:
    folder, path, digest, size, modified_ns, person, template_id, owned, refusal, detector = row
    return FolderRow(
        folder, path, digest, size, modified_ns, person, template_id, bool(owned), refusal, detector
    )

"""Links that are good once, and sessions that end with their key: the same in both engines."""

from multiface.gallery import Gallery
from multiface.gallery.service import access_keys
from multiface.gallery.service.access_keys import SCOPES

LONG_AGO = "2001-01-01T00:00:00+00:00"


def test_a_link_is_used_up(gallery: Gallery) -> None:
    database = gallery.database
    with database.writing() as connection:
        text = access_keys.new_link(connection)
        link = access_keys.found_link(connection, text)
        assert link is not None and link.scopes == SCOPES
        assert access_keys.use_link(connection, link)
        assert not access_keys.use_link(connection, link)
        assert access_keys.found_link(connection, text) is None


def test_a_session_is_for_what_its_key_is_for_and_ends_with_it(gallery: Gallery) -> None:
    database = gallery.database
    with database.writing() as connection:
        key, _ = access_keys.new_key(connection, "door", ["recognise"], groups=["staff"])
        session, text = access_keys.new_session(connection, key)
        assert (session.name, session.scopes, session.groups) == ("door", ("recognise",), ("staff",))
        assert access_keys.found_session(connection, text) == session
        assert access_keys.found_key(connection, text.replace("mfs_", "mf_")) is None
        assert [one.id for one in access_keys.keys(connection)] == [key.id]
        access_keys.revoke_key(connection, key.id, "here")
        assert access_keys.found_session(connection, text) is None


def test_a_session_ends_when_its_key_expires_and_when_it_is_ended(gallery: Gallery) -> None:
    database = gallery.database
    with database.writing() as connection:
        key, _ = access_keys.new_key(connection, "door", ["recognise"], days=1)
        _, text = access_keys.new_session(connection, key)
        connection.execute("UPDATE access_key SET expires = ? WHERE id = ?", (LONG_AGO, key.id))
        assert access_keys.found_session(connection, text) is None
        session, text = access_keys.new_session(connection, None)
        assert access_keys.found_session(connection, text) == session
        access_keys.end_session(connection, session.id)
        assert access_keys.found_session(connection, text) is None


def test_what_is_over_does_not_pile_up(gallery: Gallery) -> None:
    database = gallery.database
    with database.writing() as connection:
        key, _ = access_keys.new_key(connection, "door", ["recognise"], days=1)
        for _ in range(3):
            access_keys.new_link(connection)
            access_keys.new_session(connection, key)
        connection.execute("UPDATE access_key SET expires = ?", (LONG_AGO,))
        access_keys.new_link(connection)
        (count,) = connection.execute("SELECT count(*) FROM access_key").fetchone()
        assert count == 2  # the new link, and the key, which is kept for the list

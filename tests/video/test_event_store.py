"""The store of events: numbers, order, durability, forgetting, and files that are none."""

import multiprocessing
import os
import sqlite3
import stat
import threading
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from multiface.errors import GalleryError, InputError
from multiface.video.events.event_store import EventStore, Forgotten
from multiface.video.results import Event

BOX = (1.0, 2.0, 3.0, 4.0)


def event(time: float, name: str | None = None) -> Event:
    return Event(time, "recognised", 1, name, 0.5, BOX, ("B", 0.25), 0.4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


def held(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def test_events_come_back_by_number(path: Path) -> None:
    with EventStore(path) as store:
        assert store.last() == 0 and list(store.since(0)) == [] and store.next_after(0) is None
        added = [store.add(f"s{k % 2}", event(k, f"name {k} \udcff")) for k in range(600)]
    with EventStore(path) as store:
        assert list(store.since(0)) == added
        assert [one.number for one in added] == list(range(1, 601)) and store.last() == 600
        assert list(store.since(597)) == added[597:] and list(store.since(600)) == []
        assert store.next_after(10) == added[10]
        assert added[3].document() == {
            "number": 4,
            "session": "s1",
            "stored": added[3].stored,
            **event(3, "name 3 \udcff").document(),
        }


def test_the_file_is_as_durable_and_private_as_a_gallery(path: Path) -> None:
    EventStore(path).close()
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with EventStore(path) as store, store._database.reading() as connection:
        pragmas = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "secure_delete", "trusted_schema", "application_id")
        ]
    assert pragmas == ["wal", 2, 1, 0, 0x4D466576]


def test_old_events_are_forgotten_with_their_bytes_and_numbers_go_on(path: Path) -> None:
    with EventStore(path) as store:
        for k in range(50):
            store.add("old session", event(k, f"Old Name {k:03}"))
        time.sleep(0.3)
        new = store.add("new", event(1, "New Name"))
        assert held(path).count(b"Old Name") >= 50
        forgotten = store.forget(timedelta(seconds=0.2))
        assert (forgotten.events, forgotten.purged) == (50, True)
        assert b"Old Name" not in held(path) and b"old session" not in held(path)
        assert b"New Name" in held(path)
        assert list(store.since(0)) == [new] and new.number == 51
        store.forget(timedelta(days=-1))
        assert list(store.since(0)) == [] and store.last() == 51
    with EventStore(path) as store:
        assert store.add("s", event(1)).number == 52


def test_the_clock_takes_no_event_that_is_still_to_be_told(path: Path) -> None:
    with EventStore(path) as store:
        added = [store.add("s", event(k)) for k in range(10)]
        store.set_delivered("quick", 9)
        store.set_delivered("slow", 4)
        jumped = timedelta(days=-9999)  # every event looks older than it may be, as after a jump of the clock
        assert store.forget(jumped) == Forgotten(events=4, dropped=0, waiting=6, purged=True)
        assert list(store.since(0)) == added[4:]
        assert store.forget(jumped, most_waiting=2) == Forgotten(events=4, dropped=4, waiting=2, purged=True)
        assert list(store.since(0)) == added[8:]
        assert store.forget(timedelta(days=1), most_waiting=0) == Forgotten(0, 0, 0, True)
        store.set_delivered("slow", 10)
        assert store.forget(jumped).events == 1 and store.next_after(0) == added[9]
        store.set_delivered("quick", 10)
        assert store.forget(jumped) == Forgotten(1, 0, 0, True)


def test_an_event_that_comes_after_later_ones_says_so(path: Path) -> None:
    with EventStore(path) as store:
        told = [
            store.add(session, event(time), "camera").document().get("late")
            for session, time in [("a", 1.0), ("a", 4.5), ("b", 2.0), ("a", 2.0), ("a", 4.5), ("a", 4.25)]
        ]
        assert told == [None, None, None, 2.5, None, 0.25]
        assert [one.event.get("late") for one in store.since(0)] == told


def test_targets_have_their_own_place(path: Path) -> None:
    with EventStore(path) as store:
        assert store.delivered("a") is None
        store.set_delivered("a", 3)
        store.set_delivered("b", 5)
        store.set_delivered("a", 4)
    with EventStore(path) as store:
        assert (store.delivered("a"), store.delivered("b"), store.delivered("c")) == (4, 5, None)


def test_waiting_ends_with_an_event(path: Path) -> None:
    with EventStore(path) as store:
        timer = threading.Timer(0.2, store.add, ("s", event(1)))
        timer.start()
        begin = time.monotonic()
        store.wait(0, 20)
        assert time.monotonic() - begin < 10 and store.last() == 1
        timer.join()
        store.wait(0, 20)
        begin = time.monotonic()
        store.wait(1, 0.1)
        assert 0.05 < time.monotonic() - begin < 10


def _add_many(path: Path) -> None:
    with EventStore(path) as store:
        for k in range(30):
            store.add("s", event(k))


def test_threads_and_processes_share_the_numbers(path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_add_many, args=(path,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    with EventStore(path) as store:
        threads = [
            threading.Thread(target=lambda: [store.add("t", event(k)) for k in range(30)]) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for one in (*threads, *workers):
            one.join(60)
        assert [one.number for one in store.since(0)] == list(range(1, 121))


def test_what_is_no_store(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"hello" * 100)
    with pytest.raises(InputError, match="not a file of events"):
        EventStore(path)
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE t (a)")
    with pytest.raises(InputError, match="no events of MultiFace") as caught:
        EventStore(other)
    assert not isinstance(caught.value, GalleryError) and "gallery" not in str(caught.value)
    with pytest.raises(InputError, match="folder"):
        EventStore(tmp_path)
    newer = tmp_path / "newer.db"
    EventStore(newer).close()
    with closing(sqlite3.connect(newer)) as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(InputError, match="newer"):
        EventStore(newer)
    closed = EventStore(tmp_path / "closed.db")
    closed.close()
    with pytest.raises(InputError, match="already closed"):
        closed.add("s", event(1))


def test_a_damaged_event_is_said(path: Path) -> None:
    with EventStore(path) as store:
        store.add("s", event(1))
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("UPDATE event SET document = '{'")
        with pytest.raises(InputError, match="event 1 cannot be read"):
            list(store.since(0))

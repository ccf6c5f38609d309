"""Jobs: taken once, cancelled, let go when the service ends, and gone on with after a process died."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from multiface import Recognizer
from multiface.album import Album
from multiface.errors import UsageError
from multiface.gallery import Gallery, changes, export_people
from multiface.gallery.archive.format import Manifest
from multiface.gallery.service import audit, jobs, kept_answers
from multiface.gallery.service.jobs import Job
from multiface.progress import Progress
from multiface.serve import job_kinds, tidying
from multiface.serve import jobs as serve_jobs
from multiface.serve.jobs import Jobs
from tests.album.conftest import gallery, location, new_database, origin, path, postgres_server
from tests.gallery.conftest import pytest_generate_tests

__all__ = [
    "gallery",
    "location",
    "new_database",
    "origin",
    "path",
    "postgres_server",
    "pytest_generate_tests",
]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_jobs, "_LOOK", 0.05)
    monkeypatch.setattr(serve_jobs, "_BEAT", 0.1)


def state(gallery: Gallery, job: Job) -> Job:
    with gallery.database.reading() as connection:
        found = jobs.found(connection, job.id)
    assert found is not None
    return found


def until(wanted: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


def test_a_job_tells_how_far_it_is_and_ends(gallery: Gallery) -> None:
    go_on = threading.Event()

    def do(job: Job, progress: Progress) -> Mapping[str, Any]:
        progress(3, 10)
        go_on.wait(10)
        progress(10, 10)
        return {"asked": job.asked}

    work = Jobs(gallery, do)
    work.start()
    job = work.ask("any", {"folder": "x"})
    until(lambda: state(gallery, job).done == 3)
    assert state(gallery, job).state == "running"
    go_on.set()
    until(lambda: state(gallery, job).has_ended)
    ended = state(gallery, job)
    assert (ended.state, ended.done, ended.total) == ("done", 10, 10)
    assert ended.result == {"asked": {"folder": "x"}}
    work.close()


def test_the_same_order_twice_is_one_job_while_it_waits(gallery: Gallery) -> None:
    with gallery.database.writing() as connection:
        first, again = (jobs.ask(connection, "any", {"a": 1}) for _ in range(2))
        other = jobs.ask(connection, "any", {"a": 2})
        assert first.id == again.id != other.id
        assert jobs.next_one(connection, "me") == first
        assert (
            jobs.ask(connection, "any", {"a": 1}).id != first.id
        )  # what is new since it began is not left out


def test_what_goes_wrong_is_said(gallery: Gallery) -> None:
    def do(job: Job, _progress: Progress) -> Mapping[str, Any]:
        if job.kind == "ours":
            raise UsageError("the folder is gone")
        raise ValueError("secret insides")

    work = Jobs(gallery, do)
    work.start()
    ours, other = work.ask("ours", {}), work.ask("other", {})
    until(lambda: state(gallery, ours).has_ended and state(gallery, other).has_ended)
    assert state(gallery, ours).problem == {
        "type": "urn:multiface:usage_error", "detail": "the folder is gone",
    }  # fmt: skip
    assert "secret" not in str(state(gallery, other).problem) and state(gallery, other).state == "failed"
    work.close()


def test_cancelled_at_once_where_it_waits_and_soon_where_it_runs(gallery: Gallery) -> None:
    begun = threading.Event()

    def do(_job: Job, progress: Progress) -> Mapping[str, Any]:
        for k in range(100_000):
            progress(k, None)
            begun.set()
            time.sleep(0.01)
        return {}

    work = Jobs(gallery, do)
    work.start()
    runs, waits = work.ask("any", {"a": 1}), work.ask("any", {"a": 2})
    assert begun.wait(10)
    with gallery.database.writing() as connection:
        jobs.cancel(connection, waits.id)
        jobs.cancel(connection, runs.id)
    assert state(gallery, waits).state == "cancelled"
    until(lambda: state(gallery, runs).state == "cancelled")
    work.close()


def test_a_service_that_ends_lets_go_of_its_job(gallery: Gallery) -> None:
    begun = threading.Event()

    def slow(_job: Job, progress: Progress) -> Mapping[str, Any]:
        while True:
            progress(1, 2)
            begun.set()
            time.sleep(0.01)

    work = Jobs(gallery, slow)
    work.start()
    job = work.ask("any", {})
    assert begun.wait(10)
    work.close()
    assert state(gallery, job).state == "waiting"
    after = Jobs(gallery, lambda _job, _progress: {"by": "the next"})
    after.start()
    until(lambda: state(gallery, job).has_ended)
    assert state(gallery, job).result == {"by": "the next"}
    after.close()


def test_two_processes_do_each_job_once(gallery: Gallery) -> None:
    done = list[str]()
    lock = threading.Lock()

    def do(job: Job, progress: Progress) -> Mapping[str, Any]:
        with lock:
            done.append(job.id)
        time.sleep(0.02)
        progress(1, 1)
        return {}

    both = [Jobs(gallery, do), Jobs(gallery, do)]
    for one in both:
        one.start()
    asked = [both[0].ask("any", {"k": k}) for k in range(12)]
    until(lambda: all(state(gallery, job).has_ended for job in asked))
    assert sorted(done) == sorted(job.id for job in asked)
    for one in both:
        one.close()


def test_the_job_of_a_process_that_died_is_taken_when_it_has_been_silent(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gallery.database.writing() as connection:
        job = jobs.ask(connection, "any", {})
        assert jobs.next_one(connection, "dead") == job
        assert jobs.next_one(connection, "me") is None
        monkeypatch.setattr(jobs, "SILENT", timedelta(seconds=0))
        time.sleep(0.01)
        assert jobs.next_one(connection, "me") is not None
        # The dead one, if it was only asleep, is told to stop, and what it says counts no more.
        assert jobs.beat(connection, job.id, "dead", 9, 9) is False
        jobs.end(connection, job.id, "dead", "done", {"wrong": True})
        assert jobs.beat(connection, job.id, "me", 1, 2) is True
        jobs.end(connection, job.id, "me", "done", {})
        found = jobs.found(connection, job.id)
        assert found is not None and found.result == {} and found.done == 1


def test_the_job_of_a_process_that_died_before_the_clock_was_set_back(gallery: Gallery) -> None:
    with gallery.database.writing() as connection:
        job = jobs.ask(connection, "a", {})
        assert jobs.next_one(connection, "one that dies") is not None
        assert jobs.next_one(connection, "another") is None
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="microseconds")
        connection.execute("UPDATE job SET beat = ?", (later,))
        taken = jobs.next_one(connection, "another")
    assert taken is not None and taken.id == job.id


def test_what_is_over_goes_while_a_service_runs(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "EVERY_SECONDS", 0.1)
    work = tidying.Tidying(gallery, None)
    work.start()
    try:
        time.sleep(0.3)
        with gallery.database.writing() as connection:
            audit.add_entry(connection, "", "r", "POST", "/v1/people", 201, {})
            changes.record(connection, "enrol", [], {"templates": [], "made": []})
            kept_answers.begun(connection, "", "k", "d" * 64)
            for table in ("audit", "change", "kept_answer"):
                connection.execute(f"UPDATE {table} SET made = '2020-01-01T00:00:00+00:00'")

        def left() -> int:
            with gallery.database.reading() as connection:
                return sum(
                    connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                    for table in ("audit", "change", "kept_answer")
                )

        until(lambda: left() == 0)
    finally:
        work.close()


def test_others_are_answered_while_a_backup_is_written(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def long(given: Gallery, path: Path) -> Manifest:
        with given.database.reading():
            begun.set()
            go_on.wait(20)
        return export_people(given, path)

    monkeypatch.setattr(job_kinds, "export_people", long)
    do = job_kinds.doing(cast(Recognizer, None), gallery, cast(Album, None), tmp_path / "backups")
    work = Jobs(gallery, do)
    work.start()
    try:
        job = work.ask("backup", {})
        assert begun.wait(10)
        answered = threading.Thread(target=gallery.people, daemon=True)
        answered.start()
        answered.join(5)
        assert not answered.is_alive()
        go_on.set()
        until(lambda: state(gallery, job).state == "done")
    finally:
        go_on.set()
        work.close()

"""What goes wrong around a service: it is killed, the disk is full, its database goes, clients are slow or leave."""

import json
import random
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np
import pytest

from benchmarks.service_kills import rounds
from multiface import Client, Gallery, Recognizer, RecognizerSettings
from multiface.errors import MultifaceError
from multiface.gallery.service import jobs as job_rows
from multiface.serve.serve_settings import ServeSettings
from tests.cli.conftest import Command, cache, call, environment, run, store
from tests.drawn_faces import drawn_face, save_people
from tests.gallery.conftest import new_database, postgres_server
from tests.gallery.postgres_server import Server
from tests.serve.conftest import Client as MakeClient
from tests.serve.conftest import encoded, key_for, serving

__all__ = ["cache", "call", "environment", "new_database", "postgres_server", "run", "store"]

IMAGE = {"Content-Type": "image/jpeg"}
OPEN = ServeSettings(rate=0.001, keys=False)


@pytest.fixture
def own(tmp_path: Path, people_pictures: Path) -> Iterator[Recognizer]:
    """A recogniser whose gallery, of Ada and Bob, is this test's alone."""
    settings = RecognizerSettings(threads=2, rate=0.001)
    with Recognizer(gallery=tmp_path / "own.sqlite", create=True, settings=settings) as opened:
        opened.sync(people_pictures)
        yield opened


def test_killed_while_it_enrols_merges_and_scans(tmp_path: Path) -> None:
    """Four kills; benchmarks/service_kills.py makes a hundred."""
    count, lost = rounds(4, random.SystemRandom().randrange(1 << 30), tmp_path, longest=2.0)
    assert lost == [] and count >= 1


def test_a_full_disk(own: Recognizer) -> None:
    gallery = own.gallery
    assert gallery is not None
    with serving(own, OPEN) as address, Client(address) as client:
        before = {person.id for person in client.people()}
        with gallery.database.reading() as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
        made, failed = set[str](), None
        for take in range(60):
            try:
                made.add(client.enroll(f"Cleo {take}", drawn_face("cleo", take), another=True).person)
            except MultifaceError as error:
                failed = error
                break
        assert failed is not None and "full" in str(failed)
        assert {person.id for person in client.people()} == before | made
        assert [face.name for face in client.identify(drawn_face("ada", 9)).faces] == ["ada"]
        with gallery.database.reading() as connection:
            connection.execute("PRAGMA max_page_count = 1073741823").fetchone()
        assert client.enroll("Dora", drawn_face("dora")).added == 1
        assert gallery.check().problems == ()


def test_postgres_goes_and_comes_back(
    postgres_server: Server, new_database: str, people_pictures: Path
) -> None:
    settings = RecognizerSettings(threads=2, rate=0.001)
    with (
        Recognizer(gallery=new_database, create=True, settings=settings) as recognizer,
        serving(recognizer, OPEN) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        recognizer.sync(people_pictures)
        assert len(client.get("/v1/people").json()["people"]) == 2
        postgres_server.stop("immediate")
        try:
            gone = client.get("/v1/people")
            assert gone.status_code == 503 and gone.headers["retry-after"].isdecimal(), gone.text
            assert client.get("/readyz").status_code == 503 and client.get("/livez").status_code == 200
            picture = encoded(drawn_face("ada", 9))
            assert client.post("/v1/people?name=x", content=picture, headers=IMAGE).status_code == 503
        finally:
            postgres_server.start()
        until = time.monotonic() + 30
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert len(client.get("/v1/people").json()["people"]) == 2
        assert (
            client.post(
                "/v1/people?name=Cleo", content=encoded(drawn_face("cleo")), headers=IMAGE
            ).status_code
            == 201
        )


def test_a_stream_outlives_its_database(postgres_server: Server, new_database: str) -> None:
    settings = RecognizerSettings(threads=2, rate=0.001)
    with (
        Recognizer(gallery=new_database, create=True, settings=settings) as recognizer,
        serving(recognizer, ServeSettings(rate=0.001)) as address,
    ):
        assert recognizer.gallery is not None
        key = key_for(recognizer.gallery, "events:read")
        with request(
            address, f"GET /v1/events/stream HTTP/1.1\r\nAuthorization: Bearer {key}", b"\r\n"
        ) as made:
            assert made.recv(4096).startswith(b"HTTP/1.1 200")
            postgres_server.stop("immediate")
            try:
                made.settimeout(5)  # its key is looked up every two seconds
                with pytest.raises(TimeoutError):
                    made.recv(1)
            finally:
                postgres_server.start()
            made.settimeout(4)
            with pytest.raises(TimeoutError):
                made.recv(1)


@pytest.mark.parametrize(
    "table", ["UPDATE OF used ON access_key", "INSERT ON audit", "UPDATE ON kept_answer"]
)
def test_what_cannot_be_noted_is_done_all_the_same(own: Recognizer, table: str) -> None:
    """When a key was used, who changed what, the answer for those who ask again."""
    gallery = own.gallery
    assert gallery is not None
    with serving(own, ServeSettings(rate=0.001)) as address:
        key = key_for(gallery, "people:read", "people:write")
        with gallery.database.writing() as connection:
            connection.execute(f"CREATE TRIGGER full BEFORE {table} BEGIN SELECT RAISE(ABORT, 'full'); END")
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "a"}
        with httpx.Client(base_url=address, headers=headers, timeout=60) as client:
            person = client.get("/v1/people").raise_for_status().json()["people"][0]["person"]
            changed = client.patch(f"/v1/people/{person}", json={"note": "changed"})
            assert (changed.status_code, changed.json()["note"]) == (200, "changed"), changed.text


def request(address: str, head: str, body: bytes = b"") -> socket.socket:
    host, _, port = address.removeprefix("http://").partition(":")
    made = socket.create_connection((host, int(port)), timeout=20)
    made.sendall(f"{head}\r\nHost: localhost\r\n".encode() + body)
    return made


def test_a_client_that_sends_a_byte_a_second_is_cut_off(own: Recognizer) -> None:
    settings = ServeSettings(rate=0.001, keys=False, body_seconds=1.5, at_once=1, waiting=0)
    with serving(own, settings) as address:
        head = "POST /v1/identify HTTP/1.1\r\nContent-Type: image/jpeg\r\nContent-Length: 1000"
        slow = [request(address, head, b"\r\n") for _ in range(8)]
        began = time.monotonic()
        # It takes no place of those who wait: others are answered meanwhile.
        answer = httpx.post(
            f"{address}/v1/identify", content=encoded(drawn_face("ada")), headers=IMAGE, timeout=60
        )
        assert answer.status_code == 200
        for one in slow:
            while time.monotonic() - began < 1.0:
                one.sendall(b"x")
                time.sleep(0.1)
            with closing(one):
                assert one.recv(4096).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - began < 20


def test_a_client_that_leaves_in_the_middle(own: Recognizer, caplog: pytest.LogCaptureFixture) -> None:
    with serving(own, OPEN) as address:
        body = encoded(drawn_face("ada"))
        head = (
            f"POST /v1/people?name=Half HTTP/1.1\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}"
        )
        for _ in range(3):
            request(address, head, b"\r\n" + body[: len(body) // 2]).close()
        with Client(address) as client:
            assert [person.name for person in client.people()] == ["ada", "bob"]
            assert client.enroll("Cleo", drawn_face("cleo")).added == 1
        time.sleep(0.3)
    assert "Traceback" not in caplog.text and not [r for r in caplog.records if r.levelname == "ERROR"]


def test_a_revoked_key_ends_a_stream(own: Recognizer) -> None:
    gallery = own.gallery
    assert gallery is not None
    key = key_for(gallery, "admin")
    with serving(own, ServeSettings(rate=0.001, read_only=False)) as address:
        with gallery.database.writing() as connection:
            job = job_rows.ask(connection, "asleep", {})
            taken = job_rows.next_one(
                connection, "somebody else"
            )  # it goes on for ever, as far as we can see
            assert taken is not None
        headers = {"Authorization": f"Bearer {key}"}
        began = time.monotonic()
        with httpx.stream("GET", f"{address}/v1/jobs/{job.id}/events", headers=headers, timeout=20) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: progress"
            httpx.delete(f"{address}/v1/keys/{key.split('_')[1]}", headers=headers).raise_for_status()
            assert not [line for line in lines if line.startswith("event: ended")]
        assert time.monotonic() - began < 10
        assert httpx.get(f"{address}/v1/jobs", headers=headers).status_code == 401


def test_merges_in_both_directions_at_once(client: MakeClient) -> None:
    asked = client("people:read", "people:write")
    for _ in range(3):
        ids = [
            asked.post(
                f"/v1/people?name=Twin{k}", content=encoded(drawn_face("cleo", 30 + k)), headers=IMAGE
            ).json()["person"]
            for k in range(2)
        ]
        codes = list[int]()

        def merge(into: str, gone: str, codes: list[int] = codes) -> None:
            codes.append(asked.post(f"/v1/people/{into}/merge", json={"person": gone}).status_code)

        threads = [threading.Thread(target=merge, args=pair) for pair in (ids, ids[::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(codes) == [200, 404]
        (left,) = asked.get("/v1/people?q=Twin").json()["people"]
        assert left["templates"] == 2
        asked.delete(f"/v1/people/{left['person']}").raise_for_status()


def test_people_are_removed_while_others_identify(client: MakeClient) -> None:
    asked, codes, stop = client("people:read", "people:write", "recognise"), set[int](), threading.Event()
    picture = encoded(drawn_face("cleo", 50))

    def identify() -> None:
        while not stop.is_set():
            answer = asked.post("/v1/identify", content=picture, headers=IMAGE)
            codes.add(answer.status_code)

    thread = threading.Thread(target=identify)
    thread.start()
    for _ in range(6):
        made = asked.post("/v1/people?name=Brief", content=picture, headers=IMAGE).json()["person"]
        asked.delete(f"/v1/people/{made}").raise_for_status()
    stop.set()
    thread.join()
    assert codes == {200}


def test_a_photo_of_a_crowd(own: Recognizer) -> None:
    """Some hundred faces are one request, and others are answered meanwhile."""
    row = np.concatenate(
        [drawn_face(name, 1)[::2, ::2] for name in ("ada", "bob", "cleo", "dora") * 5], axis=1
    )
    crowd = encoded(np.concatenate([row] * 12, axis=0))
    with serving(own, OPEN) as address, httpx.Client(base_url=address, timeout=120) as client:
        answers = dict[str, httpx.Response]()

        def ask() -> None:
            answers["crowd"] = client.post("/v1/identify", content=crowd, headers=IMAGE)

        thread = threading.Thread(target=ask)
        thread.start()
        single = client.post("/v1/identify", content=encoded(drawn_face("ada")), headers=IMAGE)
        assert single.status_code == 200
        thread.join()
        faces = answers["crowd"].json()["pictures"][0]["faces"]
        assert len(faces) > 150
        names = [face["name"] for face in faces if face["name"]]
        assert len(names) == len(set(names)) <= 2  # nobody is two faces of a photo


def test_what_does_not_fit_is_refused_at_the_start(call: Command, tmp_path: Path) -> None:
    """Vectors of other weights; a gallery that a newer version wrote."""
    from multiface.gallery import VectorOrigin

    other = tmp_path / "other.sqlite"
    Gallery.open(other, VectorOrigin("f" * 64, "others", "mtcnn", 128), create=True).close()
    done = call("serve", "start", "--gallery", other, "--port", "0")
    assert done.code == 3 and "others" in done.err
    newer = tmp_path / "newer.sqlite"
    assert call("facebank", save_people(tmp_path / "people", {"ada": 1}), "--gallery", newer).code == 0
    with closing(sqlite3.connect(newer)) as connection:
        connection.execute("PRAGMA user_version = 999")
    done = call("serve", "start", "--gallery", newer, "--port", "0")
    assert done.code == 3 and "newer MultiFace" in done.err
    assert json.dumps(sorted(one.name for one in tmp_path.glob("newer*"))) == '["newer.sqlite"]'


def test_a_role_that_may_only_read(new_database: str, people_pictures: Path) -> None:
    """Keys work; who would sign in hears that nobody can, and what changes something is refused."""
    psycopg = pytest.importorskip("psycopg")
    settings = RecognizerSettings(threads=2, rate=0.001)
    with Recognizer(gallery=new_database, create=True, settings=settings) as recognizer:
        recognizer.sync(people_pictures)
        assert recognizer.gallery is not None
        key = key_for(recognizer.gallery, "people:read", "people:write", "recognise")
    with psycopg.connect(new_database, autocommit=True) as connection:
        role = f"reader_{random.SystemRandom().randrange(1 << 40)}"
        connection.execute(f"CREATE ROLE {role} LOGIN")
        connection.execute(f"GRANT USAGE ON SCHEMA multiface TO {role}")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA multiface TO {role}")
    reader = new_database.replace("user=multiface", f"user={role}")
    for read_only in (True, False):
        with (
            Recognizer(gallery=reader, settings=settings) as recognizer,
            serving(recognizer, ServeSettings(rate=0.001, read_only=read_only)) as address,
            httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client,
        ):
            assert len(client.get("/v1/people").json()["people"]) == 2
            picture = encoded(drawn_face("ada", 9))
            named = client.post("/v1/identify", content=picture, headers=IMAGE).json()
            assert named["pictures"][0]["faces"][0]["name"] == "ada"
            page = {"Origin": address, "X-MultiFace": "page"}
            for asked in (
                client.post("/v1/session", json={"key": key}, headers=page),
                client.post("/v1/people?name=Eve", content=picture, headers=IMAGE),
            ):
                assert (asked.status_code, asked.json()["type"][-9:]) == (403, "read_only"), asked.text

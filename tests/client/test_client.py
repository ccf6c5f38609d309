"""The clients against a real service: the answers are the library's own, and so are the errors."""

import asyncio
import http.server
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from multiface import AsyncClient, Client, Gallery, Recognizer
from multiface.client.problems import error_of
from multiface.errors import (
    GalleryConflict,
    MultifaceError,
    NotInGallery,
    ServiceFailed,
    UndecodablePicture,
    UsageError,
)
from multiface.recognition import Identification
from tests.drawn_faces import drawn_face, group_of
from tests.serve.conftest import address, gallery, key_for, people_pictures, recognizer

__all__ = ["address", "gallery", "people_pictures", "recognizer"]

ALL = ("people:read", "people:write", "pictures:read", "recognise", "embed", "admin")


@pytest.fixture
def key(gallery: Gallery) -> str:
    return key_for(gallery, *ALL)


@pytest.fixture
def client(address: str, key: str) -> Iterator[Client]:
    with Client(address, key) as one:
        yield one


def same(one: Identification, other: Identification) -> None:
    """Equal to the digits that JSON has."""
    assert (one.width, one.height, one.turn, one.bordered) == (
        other.width, other.height, other.turn, other.bordered,
    )  # fmt: skip
    assert len(one.faces) == len(other.faces)
    for a, b in zip(one.faces, other.faces, strict=True):
        assert np.allclose(a.box, b.box, atol=0.06) and np.allclose(a.landmarks, b.landmarks, atol=0.06)
        assert a.decision.name == b.decision.name and a.decision.reason is b.decision.reason
        assert a.person == b.person
        assert a.decision.threshold is not None and b.decision.threshold is not None
        assert a.decision.threshold.people == b.decision.threshold.people
        assert a.decision.threshold.interval == b.decision.threshold.interval
        assert a.decision.threshold.source == b.decision.threshold.source
        for mine, theirs in (
            (a.decision.best, b.decision.best),
            (a.decision.runner_up, b.decision.runner_up),
        ):
            assert (mine is None) == (theirs is None)
            if mine is not None and theirs is not None:
                assert (mine.name, mine.person) == (theirs.name, theirs.person)
                assert mine.similarity == pytest.approx(theirs.similarity, abs=1e-6)


def test_identify_answers_what_the_library_does(client: Client, recognizer: Recognizer) -> None:
    picture = group_of(drawn_face("ada", 4), drawn_face("cleo", 4))
    same(client.identify(picture), recognizer.identify(picture))
    found = client.identify(picture)
    assert {face.name for face in found.faces} == {"ada", None}


def test_any_kind_of_picture(client: Client, tmp_path: Path) -> None:
    pixels = drawn_face("bob", 4)
    file = tmp_path / "bob.png"
    PIL.Image.fromarray(pixels).save(file)
    sources: list[Any] = [pixels, file, str(file), file.read_bytes(), PIL.Image.fromarray(pixels)]
    names = [[face.name for face in client.identify(source).faces] for source in sources]
    assert names == [["bob"]] * 5


def test_the_rest_of_recognition(client: Client, recognizer: Recognizer) -> None:
    a, b, c = drawn_face("ada", 1), drawn_face("ada", 2), drawn_face("bob", 1)
    mine, theirs = client.verify(a, b), recognizer.verify(a, b)
    assert (mine.same, mine.decided) == (theirs.same, theirs.decided) == (True, True)
    assert mine.similarity == pytest.approx(theirs.similarity, abs=1e-6)
    assert mine.at_similarity == theirs.at_similarity and mine.missed == theirs.missed
    assert mine.detail.source == theirs.detail.source and mine.first == theirs.first
    assert client.verify(a, c).same is False
    both = group_of(drawn_face("ada", 4), drawn_face("bob", 4))
    which = [face.name for face in client.identify(both).faces]
    chosen = client.verify(a, both, faces=(1, which.index("ada") + 1))
    assert chosen.same and chosen.second.face == which.index("ada") + 1 and chosen.second.faces == 2
    faces, found = client.detect(a), recognizer.detect(a).faces
    assert np.allclose(faces.boxes, found.boxes, atol=0.06) and faces.scores.shape == found.scores.shape
    vectors = client.embed(a)
    assert vectors.dtype == np.float32 and np.allclose(vectors, recognizer.analyse(a).embeddings, atol=1e-6)
    assert client.embed(np.zeros((80, 80, 3), np.uint8)).shape == (0, 0)
    ((first, second),) = client.search(a, most=2)
    assert (first.name, second.name) == ("ada", "bob") and first.similarity > second.similarity


def test_the_life_of_a_person(client: Client) -> None:
    made = client.enroll("Cleo", [drawn_face("cleo", 0), np.zeros((80, 80, 3), np.uint8)])
    assert made.added == 1 and [called for called, _ in made.refused] == ["picture 2"]
    assert client.add_faces(made.person, drawn_face("cleo", 5)).added == 1
    assert client.person(made.person).templates == 2
    assert client.rename(made.person, "Cleopatra").name == "Cleopatra"
    edited = client.edit(made.person, note="queen", groups=["royal"])
    assert (edited.note, edited.groups) == ("queen", ("royal",))
    assert client.groups() == {"royal": 1}
    assert [one.name for one in client.people(part="cleo")] == ["Cleopatra"]
    assert [one.name for one in client.people(groups="royal")] == ["Cleopatra"]
    assert {one.name for one in client.people()} == {"ada", "bob", "Cleopatra"}
    assert client.changes(made.person)[0].kind == "edit"
    other = client.enroll("Dora", drawn_face("dora")).person
    change = client.merge(made.person, other)
    with pytest.raises(NotInGallery):
        client.person(other)
    assert change is not None and client.undo(change) == "merge"
    assert client.person(other).name == "Dora"
    assert {one["place"] for one in client.kept(other)} >= {"templates", "crops", "changes"}
    for one in (made.person, other):
        assert client.remove(one)["removed"] == one


def test_cameras_and_events(client: Client) -> None:
    made = client.add_camera("Door", "rtsp://user@127.0.0.1:9/live", "secret", paused=True)
    assert [one["name"] for one in client.cameras()] == ["Door"] and "secret" not in str(client.cameras())
    assert client.change_camera(made["camera"], name="Back door")["name"] == "Back door"
    assert list(client.events()) == [] and list(client.events(after=5, camera=made["camera"])) == []
    seen = client.last_seen(next(client.people()).id)
    assert seen == {"album": None, "cameras": []}
    assert client.remove_camera(made["camera"]) == {"removed": made["camera"]}


def test_errors_are_the_librarys(client: Client, address: str, key: str) -> None:
    with pytest.raises(NotInGallery, match="no person"):
        client.person("p_0000000000000000")
    with pytest.raises(UndecodablePicture):
        client.identify(b"no picture at all")
    with pytest.raises(GalleryConflict):
        client.rename(next(one.id for one in client.people(part="ada")), "bob")
    with Client(address, "mf_abc") as nobody, pytest.raises(ServiceFailed, match="send a key") as failed:
        nobody.identify(drawn_face("ada"))
    assert (failed.value.status, failed.value.kind) == (401, "no_key") and failed.value.request_id
    with Client("http://127.0.0.1:9", key) as away, pytest.raises(ServiceFailed, match="does not answer"):
        away.groups()
    with pytest.raises(UsageError):
        Client("127.0.0.1:8410")
    with pytest.raises(UsageError):
        Client(address, "two\nlines")
    assert key not in repr(vars(client))


def test_the_same_awaited(address: str, key: str, recognizer: Recognizer) -> None:
    picture = drawn_face("ada", 4)

    async def all_at_once() -> None:
        async with AsyncClient(address, key) as client:
            many = await asyncio.gather(*(client.identify(picture) for _ in range(6)))
            for one in many:
                same(one, recognizer.identify(picture))
            assert [one.name async for one in client.people()] == ["ada", "bob"]
            with pytest.raises(NotInGallery):
                await client.person("p_0000000000000000")

    with ThreadPoolExecutor(1) as own:  # a browser's test may have left a loop in this thread
        own.submit(asyncio.run, all_at_once()).result()


def test_both_clients_have_the_same_methods() -> None:
    def public(kind: type) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    assert public(Client) == public(AsyncClient)
    assert all(getattr(Client, name).__doc__ for name in public(Client))


Requests = list[tuple[str, str, dict[str, str]]]


@contextmanager
def unsteady(answers: list[tuple[int, dict[str, str], bytes] | None]) -> Iterator[tuple[str, Requests]]:
    """A server that gives these answers one after the other; None: it hangs up. Its address, and what it was asked."""
    asked: Requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            asked.append((self.command, self.path, dict(self.headers)))
            answer = answers.pop(0)
            if answer is None:
                self.connection.close()
                return
            status, headers, body = answer
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


PERSON = b'{"person":"p_1","name":"A","templates":1,"created":"","external_id":null,"note":"","groups":[],"cover":null}'


def test_a_busy_service_is_asked_again_with_the_same_idempotency_key() -> None:
    busy = (503, {"Retry-After": "0", "Content-Type": "application/problem+json"}, b"{}")
    answers = [busy, None, (429, {"Retry-After": "0"}, b""), (200, {}, PERSON)]
    with unsteady(answers) as (place, asked), Client(place) as client:
        assert client.rename("p_1", "A").name == "A"
    keys = {headers["Idempotency-Key"] for _, _, headers in asked}
    assert len(asked) == 4 and len(keys) == 1


def test_it_is_not_asked_for_ever_and_not_again_for_what_is_wrong() -> None:
    busy = (503, {"Retry-After": "0"}, b"")
    with unsteady([busy] * 9) as (place, asked), Client(place) as client:
        with pytest.raises(ServiceFailed) as failed:
            client.person("p_1")
        assert failed.value.status == 503 and len(asked) == 5
    wrong = (
        422,
        {"Content-Type": "application/problem+json"},
        b'{"type":"urn:multiface:usage_error","detail":"no"}',
    )
    with unsteady([wrong] * 2) as (place, asked), Client(place) as client:
        with pytest.raises(UsageError, match="no"):
            client.person("p_1")
        assert len(asked) == 1


def test_an_answer_of_something_else_is_said() -> None:
    page = (200, {"Content-Type": "text/html"}, b"<html>")
    with unsteady([page, (404, {}, b"nothing")]) as (place, _), Client(place) as client:
        with pytest.raises(ServiceFailed, match="is it a MultiFace service"):
            client.person("p_1")
        with pytest.raises(ServiceFailed, match="is it a MultiFace service"):
            client.person("p_1")


def test_names_are_in_no_log(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    list(client.people(part="Secretname"))
    assert "Secretname" not in caplog.text


def test_every_kind_of_problem_is_known() -> None:
    """The error that each class of the tree becomes over HTTP and back is itself."""
    import httpx

    from multiface import errors
    from multiface.serve.problems import problem_document, problem_of

    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, MultifaceError) and kind is not ServiceFailed:
            document = problem_document(problem_of(kind("why")), "id")
            back = error_of(
                httpx.Response(
                    document["status"], json=document, headers={"content-type": "application/problem+json"}
                )
            )
            assert type(back) is kind and str(back) == "why"


def test_what_is_no_id_reaches_nothing_else(client: Client) -> None:
    ada = next(client.people(part="ada")).id
    for text in (f"{ada}#x", f"{ada}?x=1", f"x/../{ada}", "a\nb", "\ud800"):
        with pytest.raises(MultifaceError):
            client.person(text)
    for text in ("", ".", ".."):
        with pytest.raises(UsageError, match="is not an id"):
            client.person(text)
    with pytest.raises(UsageError, match="cannot hold"):
        client.edit(ada, note="\ud800")
    with pytest.raises(UsageError, match="cannot hold"):
        client.mark(1, (float("nan"), 0.0, 1.0, 1.0))


def test_a_closed_client_asks_nothing_more(address: str, key: str) -> None:
    with Client(address, key) as one:
        one.close()
    with pytest.raises(UsageError, match="closed"):
        one.groups()

    async def awaited() -> None:
        async with AsyncClient(address, key) as other:
            pass
        with pytest.raises(UsageError, match="closed"):
            await other.groups()

    with ThreadPoolExecutor(1) as own:
        own.submit(asyncio.run, awaited()).result()

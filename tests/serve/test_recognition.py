"""Pictures to answers over HTTP: those of the library, with the JSON names of the command line."""

from pathlib import Path

import httpx
import numpy as np
import pytest

from multiface import Recognizer
from multiface.recognition.documents import identification_document
from tests.drawn_faces import drawn_face, group_of
from tests.serve.conftest import Client, encoded

IMAGE = {"Content-Type": "image/jpeg"}


def test_identify_gives_the_answer_of_the_library(client: Client, recognizer: Recognizer) -> None:
    picture = encoded(group_of(drawn_face("ada", 5), drawn_face("cleo")))
    answer = client("recognise").post("/v1/identify", content=picture, headers=IMAGE)
    assert answer.status_code == 200
    document = answer.json()
    assert document["pictures"] == [identification_document(None, recognizer.identify(picture))]
    assert sorted(str(face["name"]) for face in document["pictures"][0]["faces"]) == ["None", "ada"]
    assert document["request_id"] == answer.headers["x-request-id"]
    assert (
        answer.headers["cache-control"] == "no-store" and "access-control-allow-origin" not in answer.headers
    )


def test_many_pictures_at_once_and_what_is_wrong_in_its_place(client: Client) -> None:
    files = [
        ("pictures", ("a.jpg", encoded(drawn_face("ada", 4)), "image/jpeg")),
        ("pictures", ("b.jpg", b"no picture", "image/jpeg")),
        ("pictures", ("c.png", encoded(drawn_face("bob", 4), "PNG"), "image/png")),
    ]
    answer = client("recognise").post("/v1/identify", files=files)
    assert answer.status_code == 200
    first, second, third = answer.json()["pictures"]
    assert first["faces"][0]["name"] == "ada" and third["faces"][0]["name"] == "bob"
    assert second["error"]["type"] == "urn:multiface:undecodable_picture"


def test_verify(client: Client, recognizer: Recognizer) -> None:
    pictures = [encoded(drawn_face("ada", 5)), encoded(drawn_face("ada", 6)), encoded(drawn_face("cleo"))]
    asked = client("recognise")
    same = asked.post("/v1/verify", files=[("pictures", ("a", one)) for one in pictures[:2]]).json()
    other = asked.post("/v1/verify", files=[("pictures", ("a", one)) for one in pictures[1:]]).json()
    assert same["same"] is True and other["same"] is False
    assert same["similarity"] == pytest.approx(recognizer.verify(*pictures[:2]).similarity, abs=1e-6)
    one = asked.post("/v1/verify", content=pictures[0], headers=IMAGE)
    assert (one.status_code, one.json()["type"]) == (422, "urn:multiface:two_pictures")
    strict = asked.post("/v1/verify?rate=2", files=[("pictures", ("a", one)) for one in pictures[:2]])
    assert strict.status_code == 422 and strict.json()["errors"][0]["path"] == "query/rate"


def test_detect_embed_and_search(client: Client, recognizer: Recognizer) -> None:
    picture = encoded(drawn_face("bob", 4))
    (found,) = client("recognise").post("/v1/detect", content=picture, headers=IMAGE).json()["pictures"]
    assert len(found["faces"]) == 1 and len(found["faces"][0]["landmarks"]) == 5
    (embedded,) = client("embed").post("/v1/embed", content=picture, headers=IMAGE).json()["pictures"]
    np.testing.assert_array_equal(
        np.array(embedded["faces"][0]["embedding"], np.float32), recognizer.analyse(picture).embeddings[0]
    )
    (ranked,) = (
        client("recognise").post("/v1/search?most=1", content=picture, headers=IMAGE).json()["pictures"]
    )
    assert [one["name"] for one in ranked["faces"][0]["people"]] == ["bob"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "problem"),
    [
        (b"", "image/jpeg", 422, "no_picture"),
        (b"x", "text/plain", 415, "wrong_content"),
        (b"no picture", "image/jpeg", 422, "undecodable_picture"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x", 422, "no_picture"),
        (b"nothing", "multipart/form-data", 400, "bad_request"),
    ],
)
def test_what_cannot_be_used(client: Client, body: bytes, kind: str, status: int, problem: str) -> None:
    answer = client("recognise").post("/v1/identify", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == f"urn:multiface:{problem}" and document["status"] == status
    assert "Traceback" not in answer.text and str(Path.cwd()) not in answer.text


def test_a_picture_that_would_take_too_much_memory(client: Client) -> None:
    bomb = encoded(np.zeros((9000, 9000, 3), np.uint8), "PNG")
    assert len(bomb) < 20_000_000
    answer = client("recognise").post("/v1/identify", content=bomb, headers={"Content-Type": "image/png"})
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:multiface:picture_too_large")


def test_a_body_that_is_too_large_is_cut(client: Client) -> None:
    def endless() -> "object":
        for _ in range(100):
            yield b"\xff\xd8\xff" + bytes(1_000_000)

    asked = client("recognise")
    declared = asked.post("/v1/identify", content=bytes(30_000_000), headers=IMAGE)
    assert (declared.status_code, declared.json()["type"]) == (413, "urn:multiface:body_too_large")
    for _ in range(8):
        try:
            streamed = asked.post("/v1/identify", content=endless(), headers=IMAGE)  # type: ignore[arg-type]
            break
        except (
            httpx.TransportError
        ):  # cut before the answer was read, as TCP may do while the client still sends
            assert asked.get("/livez").status_code == 200
    assert streamed.status_code == 413

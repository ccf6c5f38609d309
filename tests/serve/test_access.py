"""Who may do what; what a service refuses before it looks at anything; life, figures and the description."""

import json
import re
import threading
from pathlib import Path

import httpx
import pytest

from multiface import Gallery, Recognizer
from multiface.errors import UsageError
from multiface.gallery.service import access_keys
from multiface.serve.app import make_app
from multiface.serve.serve_settings import ServeSettings
from tests.drawn_faces import drawn_face
from tests.serve.conftest import Client, encoded, key_for, serving

IMAGE = {"Content-Type": "image/jpeg"}


def test_every_route_needs_a_key_but_those_of_life(address: str) -> None:
    with httpx.Client(base_url=address) as nobody:
        assert nobody.get("/livez").json() == {"status": "alive"}
        assert nobody.get("/readyz").json() == {"status": "ready"}
        paths = nobody.get("/openapi.json").json()["paths"]
        tried = 0
        for path, methods in paths.items():
            for method in methods:
                answer = nobody.request(method, re.sub(r"\{\w+\}", "1", path))
                if path not in ("/livez", "/readyz"):
                    assert answer.status_code == 401, (method, path)
                    assert answer.json()["type"] == "urn:multiface:no_key"
                    tried += 1
        assert tried > 40


def test_scopes(client: Client) -> None:
    picture = encoded(drawn_face("ada"))
    reader = client("people:read")
    assert reader.get("/v1/people").status_code == 200
    assert reader.post("/v1/identify", content=picture, headers=IMAGE).status_code == 403
    refused = reader.delete("/v1/people/p_0000000000000000")
    assert refused.json()["detail"] == "this needs a key with the scope people:write"
    assert client("recognise").post("/v1/embed", content=picture, headers=IMAGE).status_code == 403
    assert client("recognise").get("/metrics").status_code == 403
    assert client("admin").get("/v1/people").status_code == 200


def test_a_key_that_holds_no_more(client: Client, gallery: Gallery) -> None:
    asked = client("people:read")
    assert asked.get("/v1/people").status_code == 200
    with gallery.database.writing() as connection:
        newest = access_keys.keys(connection)[-1]
        access_keys.revoke_key(connection, newest.id, "here")
        connection.execute(
            "UPDATE access_key SET expires = '2001-01-01T00:00:00+00:00' WHERE revoked IS NULL"
        )
    assert newest.used is not None
    assert asked.get("/v1/people").status_code == 401
    assert client("people:read").get("/v1/people").status_code == 200  # made afterwards


def test_keys_are_kept_as_a_digest_alone(gallery: Gallery) -> None:
    text = key_for(gallery, "recognise")
    secret = text.split("_", 2)[2]
    files = b"".join(file.read_bytes() for file in gallery.path.parent.glob("g.sqlite*"))
    assert secret.encode() not in files
    with gallery.database.reading() as connection:
        found = access_keys.found_key(connection, text)
        assert found is not None and found.scopes == ("recognise",)
        for wrong in (text[:-1] + ("a" if text[-1] != "a" else "b"), text.upper(), "", "mf_x_y", secret):
            assert access_keys.found_key(connection, wrong) is None


@pytest.mark.parametrize("scopes", [(), ("everything",), ("recognise", "root")])
def test_scopes_that_there_are_not(gallery: Gallery, scopes: tuple[str, ...]) -> None:
    with pytest.raises(UsageError), gallery.database.writing() as connection:
        access_keys.new_key(connection, "x", scopes)


def test_another_host_is_refused(address: str) -> None:
    """A page of another site whose name leads here gets nothing."""
    for host in ("evil.example", "", "127.0.0.1.evil.example", "localhost.evil.example:80"):
        answer = httpx.get(f"{address}/livez", headers={"Host": host})
        assert answer.status_code in (400, 421), host
        if answer.status_code == 421:
            assert answer.json()["type"] == "urn:multiface:unknown_host"
    assert httpx.get(f"{address}/livez", headers={"Host": "localhost:8410"}).status_code == 200


def test_too_many_at_once_are_told_at_once(recognizer: Recognizer, gallery: Gallery) -> None:
    key = key_for(gallery, "recognise")
    picture = encoded(drawn_face("ada"))
    with serving(recognizer, ServeSettings(at_once=1, waiting=1)) as address:
        statuses: list[tuple[int, float, str | None]] = []

        def ask() -> None:
            files = [("pictures", ("a.jpg", picture))] * 8
            answer = httpx.post(
                f"{address}/v1/identify", files=files, headers={"Authorization": f"Bearer {key}"}, timeout=60
            )
            statuses.append(
                (answer.status_code, answer.elapsed.total_seconds(), answer.headers.get("retry-after"))
            )

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    codes = sorted(code for code, _, _ in statuses)
    assert codes.count(200) >= 2 and codes.count(503) >= 1 and set(codes) == {200, 503}
    assert all(retry == "1" for code, _, retry in statuses if code == 503)
    assert min(seconds for code, seconds, _ in statuses if code == 503) < 0.5


def test_read_only_and_without_keys(recognizer: Recognizer) -> None:
    with serving(recognizer, ServeSettings(read_only=True, keys=False)) as address:
        assert httpx.get(f"{address}/v1/people").status_code == 200
        refused = httpx.delete(f"{address}/v1/people/ada")
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:multiface:read_only")


def test_no_keys_only_where_nobody_else_can_reach(recognizer: Recognizer) -> None:
    with pytest.raises(UsageError, match="others can reach"):
        make_app(recognizer, ServeSettings(host="0.0.0.0", keys=False))
    assert ServeSettings(host="::1").is_loopback and not ServeSettings(host="192.168.1.5").is_loopback


def test_figures_hold_no_names(client: Client) -> None:
    asked = client("admin")
    asked.get("/v1/people/ada")
    text = asked.get("/metrics").text
    assert 'route="/v1/people/{person}"' in text and "ada" not in text
    assert "multiface_people 2" in text


def test_the_description_is_the_one_that_was_published(address: str) -> None:
    """v1 only grows: a change here is a change of the contract, made on purpose."""
    document = httpx.get(f"{address}/openapi.json").json()
    kept = json.loads((Path(__file__).parent / "openapi.json").read_text(encoding="utf-8"))
    for one in (document, kept):
        del one["info"]["version"]
    assert document == kept


def test_an_error_that_nobody_foresaw_tells_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        raise RuntimeError("secret insides")

    monkeypatch.setattr(Gallery, "people_page", broken)
    answer = client("people:read").get("/v1/people")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:multiface:internal")
    assert "secret" not in answer.text

"""The page's sessions: links that are good once, cookies, and requests that another site makes a browser send."""

import threading
from collections.abc import Iterator

import httpx
import pytest

from multiface import Gallery, Recognizer
from multiface.gallery.service import access_keys
from multiface.serve.serve_settings import ServeSettings
from tests.drawn_faces import drawn_face
from tests.serve.conftest import encoded, key_for, serving

PAGE = {"X-MultiFace": "page"}


@pytest.fixture
def browser(address: str) -> Iterator[httpx.Client]:
    """It sends what a browser sends from our own page."""
    with httpx.Client(base_url=address, headers={"Origin": address, **PAGE}, timeout=60) as one:
        yield one


def link_of(gallery: Gallery) -> str:
    with gallery.database.writing() as connection:
        return access_keys.new_link(connection)


def test_a_link_signs_in_once(browser: httpx.Client, gallery: Gallery) -> None:
    link = link_of(gallery)
    assert browser.get("/v1/session").json() == {"name": None, "scopes": [], "expires": None}
    answer = browser.post("/v1/session", json={"link": link})
    assert answer.status_code == 201
    assert answer.json()["scopes"] == list(access_keys.SCOPES)
    told = answer.headers["set-cookie"].lower()
    assert (
        "httponly" in told and "samesite=strict" in told and "max-age=43200" in told and "secure" not in told
    )
    assert browser.get("/v1/people").status_code == 200
    again = browser.post("/v1/session", json={"link": link})
    assert (again.status_code, again.json()["type"]) == (401, "urn:multiface:not_signed_in")
    assert browser.delete("/v1/session").status_code == 200
    assert browser.get("/v1/people").status_code == 401


def test_of_many_who_use_a_link_at_the_same_time_one_gets_in(address: str, gallery: Gallery) -> None:
    link, codes = link_of(gallery), []

    def sign_in() -> None:
        answer = httpx.post(
            f"{address}/v1/session", json={"link": link}, headers={"Origin": address, **PAGE}, timeout=60
        )
        codes.append(answer.status_code)

    threads = [threading.Thread(target=sign_in) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [201] + [401] * 11


def test_a_link_is_good_for_ten_minutes(browser: httpx.Client, gallery: Gallery) -> None:
    link = link_of(gallery)
    with gallery.database.writing() as connection:
        connection.execute("UPDATE access_key SET expires = '2001-01-01T00:00:00+00:00' WHERE kind = 'link'")
    assert browser.post("/v1/session", json={"link": link}).status_code == 401


def test_a_session_ends_with_its_key_and_has_its_scopes(browser: httpx.Client, gallery: Gallery) -> None:
    text = key_for(gallery, "people:read")
    assert browser.post("/v1/session", json={"key": text}).json()["scopes"] == ["people:read"]
    assert browser.get("/v1/people").status_code == 200
    assert browser.get("/metrics").status_code == 403
    with gallery.database.writing() as connection:
        access_keys.revoke_key(connection, text.split("_")[1], "here")
    assert browser.get("/v1/people").status_code == 401
    assert browser.post("/v1/session", json={"key": text}).status_code == 401


def test_who_signed_in_is_written_down(browser: httpx.Client, gallery: Gallery) -> None:
    """What the page changes has the id of its session, whose beginning has the key's."""
    key = key_for(gallery, "admin")
    browser.post("/v1/session", json={"key": key}).raise_for_status()
    browser.post("/v1/strictness/check").raise_for_status()
    browser.delete("/v1/session").raise_for_status()
    browser.post("/v1/session", json={"link": link_of(gallery)}).raise_for_status()
    by_link, out, change, by_key = browser.get("/v1/audit?limit=4").json()["entries"]
    session = by_key["ids"]["session"]
    assert (by_key["access_key"], by_key["route"], by_key["method"]) == (key[3:13], "/v1/session", "POST")
    assert change["access_key"] == session
    assert (out["method"], out["access_key"], out["ids"]) == ("DELETE", session, {"session": session})
    assert by_link["access_key"] == "link"


def test_links_and_sessions_are_no_keys(browser: httpx.Client, gallery: Gallery, address: str) -> None:
    link = link_of(gallery)
    browser.post("/v1/session", json={"link": link_of(gallery)})
    cookie = browser.cookies["multiface"]
    for text in (link, cookie, link.replace("mfl_", "mf_"), cookie.replace("mfs_", "mf_")):
        answer = httpx.get(f"{address}/v1/people", headers={"Authorization": f"Bearer {text}"})
        assert answer.status_code == 401
    assert browser.post("/v1/session", json={"key": cookie}).status_code == 401
    assert browser.post("/v1/session", json={"link": cookie}).status_code == 401
    with gallery.database.reading() as connection:
        assert {one.name for one in access_keys.keys(connection)} <= {"test"}
    files = b"".join(file.read_bytes() for file in gallery.path.parent.glob("g.sqlite*"))
    assert link.split("_", 2)[2].encode() not in files and cookie.split("_", 2)[2].encode() not in files


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example", **PAGE},
        {"Origin": "null", **PAGE},
        {"Origin": "http://127.0.0.1:1", **PAGE},
        {"Origin": "OWN"},
        {"Origin": "OWN", "X-MultiFace": "form"},
        PAGE,
    ],
)
def test_a_cookie_changes_nothing_for_another_site(
    browser: httpx.Client, gallery: Gallery, address: str, headers: dict[str, str]
) -> None:
    browser.post("/v1/session", json={"link": link_of(gallery)})
    cookie = {"Cookie": f"multiface={browser.cookies['multiface']}"}
    sent = {name: address if value == "OWN" else value for name, value in headers.items()} | cookie
    file = {"pictures": ("a.jpg", encoded(drawn_face("cleo")), "image/jpeg")}
    for method, path, body in (
        ("POST", "/v1/people?name=Eve", {"files": file}),
        ("DELETE", "/v1/people/ada", {}),
        ("DELETE", "/v1/session", {}),
        ("POST", "/v1/session", {"json": {"link": link_of(gallery)}}),
    ):
        answer = httpx.request(method, address + path, headers=sent, timeout=60, **body)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:multiface:not_our_page"), path
    assert {one.name for one in gallery.people_page(10)} == {"ada", "bob"}


def test_a_page_of_another_port_reads_nothing_with_a_cookie(
    browser: httpx.Client, gallery: Gallery, address: str
) -> None:
    """Cookies do not tell ports apart, and for SameSite another port is the same site."""
    browser.post("/v1/session", json={"link": link_of(gallery)})
    cookie = {"Cookie": f"multiface={browser.cookies['multiface']}"}
    for site, status in (("same-site", 403), ("cross-site", 403), ("same-origin", 200), ("none", 200)):
        answer = httpx.get(f"{address}/v1/people", headers=cookie | {"Sec-Fetch-Site": site})
        assert answer.status_code == status, site


def test_without_keys_another_site_changes_nothing(recognizer: Recognizer) -> None:
    """Forms with files are sent without asking first, so the service has to look where they come from."""
    with serving(recognizer, ServeSettings(keys=False)) as address:
        file = {"pictures": ("a.jpg", encoded(drawn_face("cleo")), "image/jpeg")}
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = httpx.post(f"{address}/v1/people?name=Eve", files=file, headers=headers, timeout=60)
            assert (answer.status_code, answer.json()["type"]) == (403, "urn:multiface:not_our_page")
        assert httpx.get(f"{address}/v1/session").json()["name"] is None
        assert httpx.get(f"{address}/v1/people", headers={"Origin": address}).status_code == 200


def test_under_tls_the_cookie_is_of_this_host_alone(recognizer: Recognizer, gallery: Gallery) -> None:
    """A proxy in front does TLS, and hands the name on by which it was called."""
    with serving(recognizer, ServeSettings(tls=True, hosts=("faces.example",))) as address:
        name = {"Host": "faces.example", "Origin": "https://faces.example", **PAGE}
        answer = httpx.post(f"{address}/v1/session", json={"link": link_of(gallery)}, headers=name)
        told = answer.headers["set-cookie"]
        assert told.startswith("__Host-multiface=") and "Secure" in told and "Path=/" in told
        assert "domain" not in told.lower()
        plain = name | {"Origin": "http://faces.example"}
        refused = httpx.post(f"{address}/v1/session", json={"link": link_of(gallery)}, headers=plain)
        assert refused.status_code == 403


def test_wrong_ways_to_sign_in(browser: httpx.Client) -> None:
    for body in ({}, {"link": ""}, {"key": "mf_x_y"}, {"link": "mfl_" + "a" * 10 + "_" + "A" * 43}):
        assert browser.post("/v1/session", json=body).status_code == 401
    assert browser.post("/v1/session", json={"password": "x"}).status_code == 422


def test_no_secret_in_a_log(
    browser: httpx.Client, gallery: Gallery, caplog: pytest.LogCaptureFixture
) -> None:
    link = link_of(gallery)
    with caplog.at_level("INFO"):
        browser.post("/v1/session", json={"link": link})
        browser.get("/v1/people")
    assert link not in caplog.text and browser.cookies["multiface"] not in caplog.text

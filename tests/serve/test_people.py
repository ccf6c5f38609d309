"""People over HTTP: enrolled, listed by page, changed, merged, removed, undone."""

from tests.drawn_faces import drawn_face
from tests.serve.conftest import Client, encoded

IMAGE = {"Content-Type": "image/jpeg"}
BOTH = ("people:read", "people:write", "recognise")


def test_the_life_of_a_person(client: Client) -> None:
    asked = client(*BOTH)
    files = [
        ("pictures", ("1.jpg", encoded(drawn_face("cleo", 1)))),
        ("pictures", ("2.jpg", b"no picture")),
        ("pictures", ("3.jpg", encoded(drawn_face("cleo", 2)))),
    ]
    made = asked.post("/v1/people?name=Cleo", files=files)
    assert made.status_code == 201
    document = made.json()
    assert document["added"] == 2 and [one["index"] for one in document["refused"]] == [1]
    place = made.headers["location"]
    one = asked.get(place)
    assert one.json()["name"] == "Cleo" and one.json()["templates"] == 2
    who = asked.post("/v1/identify", content=encoded(drawn_face("cleo", 3)), headers=IMAGE).json()
    assert who["pictures"][0]["faces"][0]["person"] == document["person"]

    changed = asked.patch(place, json={"name": "Cleopatra", "note": "queen", "groups": ["royal"]})
    assert changed.json()["name"] == "Cleopatra" and changed.json()["groups"] == ["royal"]
    assert changed.headers["etag"] != one.headers["etag"]
    late = asked.patch(place, json={"note": "x"}, headers={"If-Match": one.headers["etag"]})
    assert (late.status_code, late.json()["type"]) == (412, "urn:multiface:changed_meanwhile")
    right = asked.patch(place, json={"note": "y"}, headers={"If-Match": changed.headers["etag"]})
    assert right.json()["note"] == "y"
    assert asked.patch(place, json={"height": 3}).status_code == 422

    more = asked.post(f"{place}/faces", content=encoded(drawn_face("cleo", 4)), headers=IMAGE)
    assert more.status_code == 201 and len(asked.get(f"{place}/faces").json()["faces"]) == 3
    gone = asked.delete(place).json()
    assert gone["removed"] == document["person"] and gone["templates"] == 3
    missing = asked.get(place)
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:multiface:not_in_gallery")


def test_pages_of_people(client: Client) -> None:
    asked = client(*BOTH)
    first = asked.get("/v1/people?limit=1").json()
    second = asked.get("/v1/people", params={"limit": 1, "cursor": first["next"]}).json()
    rest = asked.get("/v1/people", params={"limit": 1, "cursor": second["next"]}).json()
    assert [one["name"] for page in (first, second, rest) for one in page["people"]] == ["ada", "bob"]
    assert rest["next"] is None
    assert [one["name"] for one in asked.get("/v1/people?q=BO").json()["people"]] == ["bob"]
    assert asked.get("/v1/people?q=%25").json()["people"] == []
    assert asked.get("/v1/people?group=nobody").json()["people"] == []
    assert asked.get("/v1/people?cursor=zzz").status_code == 422
    assert asked.get("/v1/people?limit=1000").status_code == 422


def test_merge_and_undo(client: Client) -> None:
    asked = client(*BOTH)
    people = {one["name"]: one["person"] for one in asked.get("/v1/people").json()["people"]}
    merged = asked.post(f"/v1/people/{people['ada']}/merge", json={"person": people["bob"]}).json()
    assert merged["moved"] == 3
    assert asked.get(f"/v1/people/{people['bob']}").status_code == 404
    assert asked.post(f"/v1/changes/{merged['undo']}/undo").status_code == 200
    again = asked.post(f"/v1/changes/{merged['undo']}/undo")
    assert (again.status_code, again.json()["type"]) == (409, "urn:multiface:gallery_conflict")
    assert asked.get(f"/v1/people/{people['bob']}").json()["templates"] == 3
    itself = asked.post(f"/v1/people/{people['ada']}/merge", json={"person": people["ada"]})
    assert itself.status_code == 422
    assert {one["kind"] for one in asked.get("/v1/changes").json()["changes"]} >= {"merge", "undo"}


def test_no_usable_picture(client: Client) -> None:
    answer = client(*BOTH).post("/v1/people?name=Nobody", content=b"no picture", headers=IMAGE)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:multiface:no_usable_picture")
    assert client(*BOTH).get("/v1/people?q=nobody").json()["people"] == []


def test_two_of_one_name(client: Client) -> None:
    asked = client(*BOTH)
    for take in (5, 6):
        made = asked.post(
            "/v1/people?name=Twin&another=true", content=encoded(drawn_face("cleo", take)), headers=IMAGE
        )
        assert made.status_code == 201
    which = asked.post("/v1/people?name=Twin", content=encoded(drawn_face("cleo", 7)), headers=IMAGE)
    assert (which.status_code, which.json()["type"]) == (409, "urn:multiface:ambiguous_name")
    for one in asked.get("/v1/people?q=twin").json()["people"]:
        assert asked.delete(f"/v1/people/{one['person']}").status_code == 200

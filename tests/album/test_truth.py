"""Finding people in the shared pictures of groups, against what is known of every face in them."""

import json
from pathlib import Path

from multiface import Recognizer
from multiface.album import Album
from tests.recognition.test_groups import overlap

SMALL = 24
"""Pixels: strangers in the background whose faces are not wider need not be found."""


def test_find_answers_what_is_true_of_all_clear_faces(shared: Path, tmp_path: Path) -> None:
    photos = shared / "data" / "photos"
    truth = json.loads((photos / "truth.json").read_text(encoding="utf-8"))
    with Recognizer(gallery=tmp_path / "g.sqlite", create=True) as recognizer:
        recognizer.sync(photos / "people")
        album = Album(recognizer)
        album.scan([photos / "groups"])
        hits = {Path(hit.paths[0]).name: hit for hit in album.find()}
        clear = sorted(
            {one["name"] for faces in truth.values() for one in faces if one["name"] and not one.get("hard")}
        )
        found = {name: {Path(hit.paths[0]).name for hit in album.find(name)} for name in clear}
    assert set(hits) == set(truth) and len(clear) == 10
    for name in clear:
        there = {picture for picture, faces in truth.items() if name in [one["name"] for one in faces]}
        plain = {
            picture
            for picture, faces in truth.items()
            if any(one["name"] == name and not one.get("hard") for one in faces)
        }
        assert plain <= found[name] <= there
    for picture, wanted in truth.items():
        faces = list(hits[picture].faces)
        for one in wanted:
            face = max(faces, key=lambda face: overlap(face.box, one["box"]), default=None)
            if face is None or overlap(face.box, one["box"]) < 0.4:
                assert one["name"] is None and one["box"][2] - one["box"][0] < SMALL, (picture, one)
                continue
            faces.remove(face)
            assert face.name == one["name"] or (one.get("hard") and face.name is None), (picture, one)
        assert [face.name for face in faces if face.name is not None] == []

"""The copy of what a gallery keeps of a person; faces and camera events are tested where they are made."""

import io
import json
import zipfile
from collections.abc import Callable

import numpy as np

from multiface.gallery.contents import NewTemplate
from multiface.gallery.gallery import Gallery
from multiface.gallery.person_copy import person_copy


def test_it_holds_every_change_and_vector(gallery: Gallery, template: Callable[..., NewTemplate]) -> None:
    new = [template(f"anna {k}") for k in range(3)]
    gallery.add_templates("Anna", new)
    gallery.add_templates("Bo", [template("bo")])
    for number in range(40):
        gallery.rename("Anna", f"Anna {number}")
        gallery.rename(f"Anna {number}", "Anna")
    with zipfile.ZipFile(io.BytesIO(person_copy(gallery, "Anna"))) as archive:
        facts = json.loads(archive.read("person.json"))
        vectors = np.load(io.BytesIO(archive.read("templates.npy")))
    assert facts["name"] == "Anna" and len(facts["templates"]) == 3
    assert len(facts["changes"]) == 81 and len({one["change"] for one in facts["changes"]}) == 81
    wanted = {one.vector.tobytes() for one in new}
    assert {row.tobytes() for row in vectors} == wanted

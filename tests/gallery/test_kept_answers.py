"""Answers of the service to writes are kept for a day, as docs/service.md says."""

from datetime import timedelta

import pytest

from multiface.gallery.clock import utc_in
from multiface.gallery.gallery import Gallery
from multiface.gallery.service import kept_answers
from multiface.gallery.service.kept_answers import KeptAnswer


@pytest.mark.parametrize(("minutes", "there"), [(24 * 60 - 1, True), (24 * 60 + 1, False)])
def test_for_a_day(gallery: Gallery, minutes: int, there: bool) -> None:
    answer = KeptAnswer("d" * 64, 201, (("ETag", '"1"'),), b"{}")
    with gallery.database.writing() as connection:
        assert kept_answers.begun(connection, "key", "once", answer.digest) is None
        kept_answers.answered(connection, "key", "once", answer)
        connection.execute("UPDATE kept_answer SET made = ?", (utc_in(-timedelta(minutes=minutes)),))
        assert kept_answers.begun(connection, "key", "once", answer.digest) == (answer if there else None)

"""When a picture was taken: only times that there are."""

import io

import PIL.Image
import pytest

from multiface.images.taken import taken_at


def written(time: str) -> bytes:
    exif = PIL.Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = time
    file = io.BytesIO()
    PIL.Image.new("RGB", (8, 8)).save(file, "JPEG", exif=exif)
    return file.getvalue()


def test_a_time() -> None:
    assert taken_at(written("2021:05:05 10:00:59")) == "2021-05-05T10:00:59"
    assert taken_at(written("1826:01:01 00:00:00")) == "1826-01-01T00:00:00"


@pytest.mark.parametrize(
    "time",
    [
        "2020:02:31 10:00:00", "2020:01:01 32:00:00", "0000:00:00 00:00:00", "9999:12:31 23:59:59",
        "0001:01:01 00:00:00",        "    :  :     :  :  ", "\u0662\u0660\u0662\u0660:01:01 00:00:00", "yesterday", "",
    ],
)  # fmt: skip
def test_what_is_no_time(time: str) -> None:
    assert taken_at(written(time)) is None


def test_no_picture() -> None:
    assert taken_at(b"") is None

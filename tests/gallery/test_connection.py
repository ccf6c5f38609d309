"""Where a gallery lies: what of a URL is shown in an error."""

import pytest

from multiface.errors import NotAvailable, UsageError
from multiface.gallery.connection import gallery_path

SECRET = "S3cretPa55wordXYZ"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://db:5432/x", "postgresql://db:5432/x"),
        (f"postgresql://me:{SECRET}@db/x", "postgresql://***@db/x"),
        (f"postgresql://me:pa@{SECRET}@db/x", "postgresql://***@db/x"),
        (f"postgresql://db/x?user=me&password={SECRET}", "postgresql://db/x?..."),
        (f"postgresql://me:a?b@db/x?password={SECRET}", "postgresql://***@db/x?..."),
        (f"postgresql://db/x?mail=a@b&password={SECRET}", "postgresql://***@"),
        (f"mysql://me:a/{SECRET}@db/x", "mysql://***@db/x"),
        (f"mysql:/me:{SECRET}@db/x", "mysql:/***@db/x"),
        (f"mysql://me:{SECRET}", "mysql://"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    with pytest.raises((NotAvailable, UsageError)) as caught:
        gallery_path(url)
    assert str(caught.value).startswith(f"gallery {shown}: ")
    assert SECRET not in str(caught.value)

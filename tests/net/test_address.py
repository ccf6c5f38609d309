"""What of an address is shown: never what may let somebody in, whatever characters it holds."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiface.errors import UsageError
from multiface.net.address import checked_address, scheme_of, shown_address

SECRET = "S3cretPa55wordXYZ"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://10.0.0.5/live", "rtsp://10.0.0.5/live"),
        ("RTSP://Cam.local:8554/Front/1", "rtsp://Cam.local:8554/Front/1"),
        (f"rtsp://admin:{SECRET}@10.0.0.5:554/h264", "rtsp://10.0.0.5:554/h264"),
        (f"rtsp://{SECRET}@10.0.0.5/h264", "rtsp://10.0.0.5/h264"),
        (f"rtsp://admin:{SECRET}%40%2F@[fe80::1]:554/x", "rtsp://[fe80::1]:554/x"),
        (f"http://cam/video.cgi?user=admin&pwd={SECRET}", "http://cam/video.cgi?..."),
        (f"http://cam:80/video?mail=a@b&token={SECRET}", "http://cam:80/video?..."),
        (f"http://cam/#{SECRET}", "http://cam/?..."),
        (f"http://cam?{SECRET}", "http://cam?..."),
        (f"srt://10.0.0.5:9000?passphrase={SECRET}", "srt://10.0.0.5:9000?..."),
        (
            f"rtsp://10.0.0.5/user=adm&password={SECRET}&channel=1",
            "rtsp://10.0.0.5/user=...&password=...&channel=...",
        ),
        (f"rtmp://server/live/{SECRET}0000", "rtmp://server/live/..."),
        ("rtmp://server/live/abcd-efgh-ijkl/", "rtmp://server/live/.../"),
        ("rtmps://server:443/key?x=1", "rtmps://server:443/...?..."),
        ("http://h/live/eyJhbGciOiJI.eyJzdWIiOiIx.SflKxw_RJSMe-KKF/a.m3u8", "http://h/live/.../a.m3u8"),
        ("http://h/live/eyJhbGciOiJI.eyJzdWIiOiIx.", "http://h/live/..."),
        (f"rtsp://h:554/admin:{SECRET}/1", "rtsp://h:554/.../1"),
        (f"rtsp://h/admin%3A{SECRET}", "rtsp://h/..."),
        (f"rtsps://10.0.0.1:7441/{SECRET}?enableSrtp", "rtsps://10.0.0.1:7441/...?..."),
        (f"rtsp://admin:{SECRET}/1@10.0.0.5/live", "rtsp://10.0.0.5/live"),
        (f"rtsp://admin:{SECRET}@1/{SECRET}@10.0.0.5/live", "rtsp://10.0.0.5/live"),
        (f"rtsp://admin:{SECRET}?#1@10.0.0.5/live", "rtsp://10.0.0.5/live"),
        (f"rtsp://admin:{SECRET}", "rtsp://..."),
        ("udp://@239.0.0.1:1234", "udp://239.0.0.1:1234"),
        ("rtsp://cam/a\nb\x1b[1m", "rtsp://cam/a?b?[1m"),
        ("http://cam/one-by-one-person-detection.ts", "http://cam/one-by-one-person-detection.ts"),
    ],
)
def test_shown(address: str, shown: str) -> None:
    assert shown_address(address) == shown


@given(
    st.text(string.ascii_letters + string.digits + string.punctuation + " ä", min_size=1).map(
        lambda rest: SECRET + rest
    ),
    st.sampled_from(["rtsp", "http", "rtmp", "srt"]),
    st.sampled_from(["/live", "/a@b", "", "/x?y=1@z", "/p;q"]),
)
def test_no_password_gets_through(password: str, scheme: str, path: str) -> None:
    assert SECRET not in shown_address(f"{scheme}://admin:{password}@10.0.0.5:554{path}")


@given(st.text())
def test_any_text_is_shown_in_one_printable_line_or_refused(rest: str) -> None:
    shown = shown_address("rtsp://" + rest)
    assert shown.isprintable() and "@" not in shown


def test_what_is_no_address() -> None:
    for name in ("video.mp4", "0", "-", "C:\\film.mp4", "://x"):
        assert scheme_of(name) is None
        with pytest.raises(UsageError) as caught:
            shown_address(name)
        assert name not in str(caught.value)


def test_checked() -> None:
    assert checked_address(" rtsp://a:b@host/x ") == "rtsp://a:b@host/x"
    for address, said in [
        (f"file://u:{SECRET}@host/etc", "not a known kind of stream"),
        (f"rtps://u:{SECRET}@host/x", "not a known kind of stream"),
        (f"rtsp://u:{SECRET}@/x", "names no host"),
        ("rtsp://", "names no host"),
        (f"rtsp://u:{SECRET}\n@host/x", "cannot be printed"),
    ]:
        with pytest.raises(UsageError, match=said) as caught:
            checked_address(address)
        assert SECRET not in str(caught.value)

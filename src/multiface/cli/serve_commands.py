"""`serve`: the HTTP service, and its keys."""

import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from multiface.cli import options
from multiface.cli.console import Speaker
from multiface.cli.gallery_place import existing, gallery_of, opened_gallery, ready
from multiface.cli.help_page import Commands
from multiface.cli.settings import Settings
from multiface.cli.stopping import stop_on_signals
from multiface.errors import ExtraMissing, GalleryError, UsageError, how_to_install

if TYPE_CHECKING:
    from multiface.recognition import Recognizer

serve = Commands(
    help="The HTTP service: `serve start` answers requests; `serve link` signs a browser in; `serve keys "
    "new|list|revoke` says who may ask.",
)
keys = Commands(help="Keys of the service: new, list, revoke.")
serve.add_typer(keys, name="keys")


@serve.command()
def start(
    gallery: options.GalleryFile = None,
    host: Annotated[
        str,
        typer.Option("--host", help="Address to listen on; one that others can reach needs TLS or a proxy."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port; 0 takes any.", min=0, max=65535)] = 8410,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="A host name that clients use (header Host).", show_default=False),
    ] = None,
    no_keys: Annotated[
        bool, typer.Option("--no-keys", help="Anyone who uses this machine needs no key (127.0.0.1 only).")
    ] = False,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="Serve plain HTTP; a proxy in front does TLS.")
    ] = False,
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", help="Certificate chain (PEM).", show_default=False)
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", help="Its key (PEM).", show_default=False)
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Change nothing.")] = False,
    camera_host: Annotated[
        list[str] | None,
        typer.Option(
            "--camera-host",
            help="A name, address or network (192.168.1.0/24) of cameras; others are refused.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option("--workers", help="Processes that answer; use several with PostgreSQL.", min=1, max=64),
    ] = 1,
    backups: Annotated[
        Path | None,
        typer.Option(
            "--backups",
            help="Folder for backups (default: beside a gallery file, NAME.backups).",
            show_default=False,
        ),
    ] = None,
    rate: options.IdentifyRate = None,
    detector: options.Detector = None,
    weights: options.Weights = None,
    flip: options.Flip = None,
    threads: options.Threads = None,
    engine: options.EngineName = None,
    min_face: options.MinFace = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Answer requests until Ctrl-C. Without --host only this machine is answered, and every request needs a key.

    The gallery is created if there is none. The printed link signs a browser in once, within ten minutes.
    """
    from multiface.recognition import IDENTIFY_RATE

    speaker = Speaker(as_json, quiet)
    running = _running()
    from multiface.gallery.upgrade_copy import copy_before_upgrade
    from multiface.serve.serve_settings import ServeSettings

    settings = Settings.here()
    place = gallery_of(settings, gallery)
    wanted = ServeSettings(
        host=host,
        hosts=tuple(name or ()),
        rate=settings.number("rate", rate, IDENTIFY_RATE),
        read_only=read_only,
        tls=tls_cert is not None or behind_proxy,
        backups=_backups(place, backups),
        keys=not no_keys,
        camera_hosts=tuple(camera_host or ()),
    )
    if (tls_cert is None) != (tls_key is None):
        raise UsageError("--tls-cert and --tls-key belong together")
    if not wanted.is_loopback and tls_cert is None and not behind_proxy:
        raise UsageError(
            f"--host {host}: pictures and keys would cross the network in the open",
            hint="give --tls-cert and --tls-key, or --behind-proxy if a proxy in front does TLS",
        )
    chosen = options.choose(settings, detector, weights, flip, threads, engine, min_face)
    place = existing(place) if read_only else ready(place)
    copy = None if read_only else copy_before_upgrade(place)
    if copy is not None:
        speaker.warn(
            f"{copy}: the gallery as it was before this version changed it; delete it when all is well"
        )
    with (
        chosen.recognizer(rate=wanted.rate, gallery=place, create=not read_only) as recognizer,
        running.listening(host, port) as sock,
    ):
        if recognizer.caveat:
            speaker.warn(recognizer.caveat)
        service = running.Service(recognizer, wanted, tls_cert, tls_key)
        service.check()
        scheme = "http" if tls_cert is None else "https"
        shown = f"[{host}]" if ":" in host else host
        root = f"{scheme}://{shown}:{sock.getsockname()[1]}/"
        if behind_proxy and name:
            root = f"https://{name[0]}/"
        link = None if no_keys else _link(recognizer)
        page = root if link is None else _page(root, link)
        speaker.result(f"{root}v1  (gallery {place})")
        speaker.result(
            page if link is None else f"{page}  (the page; the link is good once, for ten minutes)"
        )
        sys.stdout.flush()
        speaker.document({"address": f"{root}v1", "gallery": place, "page": page, "workers": workers})
        if not no_keys:
            speaker.note("`multiface serve keys new NAME` makes a key; send it as Authorization: Bearer KEY")
        if workers == 1:
            service.server().run(sockets=[sock])
            return
        several = running.Workers(service, sock, workers)
        with stop_on_signals(several.stop):
            several.run()


@serve.command("link")
def new_link(
    address: Annotated[
        str, typer.Option("--address", help="Where the running service is.", metavar="URL")
    ] = "http://127.0.0.1:8410/",
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Make a link that signs a browser in once, within ten minutes, with all rights.

    The running service accepts it. Anyone with the link may do everything.
    """
    from multiface.gallery.service import access_keys

    speaker = Speaker(as_json, quiet)
    if not address.startswith(("http://", "https://")):
        raise UsageError(f"--address {address}: wanted an address such as https://faces.example/")
    with opened_gallery(gallery) as opened, opened.database.writing() as connection:
        page = _page(address, access_keys.new_link(connection))
    speaker.result(page)
    speaker.document({"page": page})


@keys.command("new")
def new_key(
    name: Annotated[str, typer.Argument(help="What the key is for, for people to read.", show_default=False)],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            help="recognise, people:read, people:write, pictures:read, events:read, cameras, embed, admin (default: "
            "recognise).",
            show_default=False,
        ),
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", help="Days until it expires (default: never).", show_default=False)
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--group", help="Only for people of this group (default: everybody).", show_default=False
        ),
    ] = None,
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Make a key. It is shown once; only its sha256 is kept."""
    from multiface.gallery.names import clean_text
    from multiface.gallery.service import access_keys

    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened, opened.database.writing() as connection:
        key, text = access_keys.new_key(
            connection, clean_text("name", name), scope or ["recognise"], days, group or ()
        )
    speaker.result(text)
    speaker.note(f"key {key.id} for {', '.join(key.scopes)}; it is shown only now")
    speaker.document({**asdict(key), "key": text})


@keys.command("list")
def list_keys(
    gallery: options.GalleryFile = None, as_json: options.Json = False, quiet: options.Quiet = None
) -> None:
    """List the keys, expired and revoked ones too."""
    from multiface.gallery.service import access_keys

    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened, opened.database.reading() as connection:
        found = access_keys.keys(connection)
    for key in found:
        state = (
            f"revoked {key.revoked}" if key.revoked else f"expires {key.expires}" if key.expires else "valid"
        )
        used = f"last used {key.used}" if key.used else "never used"
        speaker.result(f"{key.id}  {key.name}  ({', '.join(key.scopes)}; made {key.made}; {used}; {state})")
    speaker.document({"keys": [asdict(key) for key in found]})


@keys.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="The id of a key, as `keys list` shows it.", show_default=False)],
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Revoke a key, from the next request on."""
    from multiface.gallery.service import access_keys

    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened, opened.database.writing() as connection:
        access_keys.revoke_key(connection, key, opened.place)
    speaker.result(f"key {key} is revoked")
    speaker.document({"revoked": key})


def _page(address: str, link: str) -> str:
    """The address that signs a browser in."""
    # After `#`: a browser sends it to no server, and it stands in no log. The page posts it.
    return f"{address.rstrip('/')}/#link={link}"


def _link(recognizer: "Recognizer") -> str | None:
    """The token of a new link; None where the gallery cannot be written."""
    from multiface.gallery.service import access_keys

    assert recognizer.gallery is not None
    try:
        with recognizer.gallery.database.writing() as connection:
            return access_keys.new_link(connection)
    except GalleryError:
        return None


def _running() -> ModuleType:
    """What runs a service. Raises ExtraMissing."""
    try:
        from multiface.serve import running
    except ImportError as error:
        raise ExtraMissing("the service needs FastAPI and uvicorn", hint=how_to_install("serve")) from error
    return running


def _backups(place: str, chosen: Path | None) -> str | None:
    """The folder for backups: beside a gallery file, if none was chosen."""
    if chosen is not None:
        return str(chosen)
    return None if "://" in place else f"{place}.backups"

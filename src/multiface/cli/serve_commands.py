"""`serve`: the HTTP service, and its keys."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiface.cli import options
from multiface.cli.console import Speaker
from multiface.cli.gallery_place import existing, gallery_of, opened_gallery, ready
from multiface.cli.help_page import Commands
from multiface.cli.settings import Settings
from multiface.errors import ExtraMissing, UsageError, how_to_install

if TYPE_CHECKING:
    from multiface.recognition import Recognizer

serve = Commands(
    help="The HTTP service: `serve start` answers requests; `serve keys new|list|revoke` says who may ask.",
)
keys = Commands(help="Keys of the service: new, list, revoke.")
serve.add_typer(keys, name="keys")


@serve.command()
def start(
    gallery: options.GalleryFile = None,
    host: Annotated[
        str,
        typer.Option("--host", help="Address to listen on; others than this machine's need TLS or a proxy."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port; 0 takes any.", min=0, max=65535)] = 8410,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="A name by which clients call it (header Host).", show_default=False),
    ] = None,
    no_keys: Annotated[
        bool, typer.Option("--no-keys", help="Whoever can use this machine needs no key (127.0.0.1 only).")
    ] = False,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A proxy in front does TLS, so plain HTTP is meant.")
    ] = False,
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", help="Certificate chain (PEM).", show_default=False)
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", help="Its key (PEM).", show_default=False)
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Nothing is changed.")] = False,
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

    The gallery is made if there is none. The link that is printed signs a browser in, once, within ten minutes.
    """
    from multiface.recognition import IDENTIFY_RATE

    speaker = Speaker(as_json, quiet)
    uvicorn, make_app = _libraries()
    from multiface.serve.serve_settings import ServeSettings

    settings = Settings.here()
    wanted = ServeSettings(
        host=host,
        hosts=tuple(name or ()),
        rate=settings.number("rate", rate, IDENTIFY_RATE),
        read_only=read_only,
        tls=tls_cert is not None or behind_proxy,
    )
    if (tls_cert is None) != (tls_key is None):
        raise UsageError("--tls-cert and --tls-key belong together")
    if not wanted.is_loopback and tls_cert is None and not behind_proxy:
        raise UsageError(
            f"--host {host}: pictures and keys would cross the network in the open; give --tls-cert and --tls-key, "
            "or --behind-proxy if a proxy in front does TLS"
        )
    chosen = options.choose(settings, detector, weights, flip, threads, engine, min_face)
    place = gallery_of(settings, gallery)
    place = existing(place) if read_only else ready(place)
    with chosen.recognizer(rate=wanted.rate, gallery=place, create=not read_only) as recognizer:
        if recognizer.caveat:
            speaker.warn(recognizer.caveat)
        app = make_app(recognizer, wanted, keys=not no_keys)
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_level="warning",
                access_log=False,
                server_header=False,
                date_header=False,
                lifespan="on",
                timeout_keep_alive=10,
                limit_concurrency=256,
                ssl_certfile=None if tls_cert is None else str(tls_cert),
                ssl_keyfile=None if tls_key is None else str(tls_key),
                proxy_headers=False,
            )
        )
        config = server.config
        config.load()
        sock = config.bind_socket()
        scheme = "http" if tls_cert is None else "https"
        shown = f"[{host}]" if ":" in host else host
        address = f"{scheme}://{shown}:{sock.getsockname()[1]}/v1"
        speaker.result(f"{address}  (gallery {place})")
        sys.stdout.flush()
        page = f"{scheme}://{shown}:{sock.getsockname()[1]}/"
        if not no_keys:
            # After `#`: a browser sends it to no server, and it stands in no log. The page posts it.
            page += f"#link={_link(recognizer)}"
        speaker.result(f"{page}  (the page; the link is good once, for ten minutes)" if not no_keys else page)
        sys.stdout.flush()
        speaker.document({"address": address, "gallery": place, "page": page})
        if not no_keys:
            speaker.note("`multiface serve keys new NAME` makes a key; send it as Authorization: Bearer KEY")
        server.run(sockets=[sock])


@keys.command("new")
def new_key(
    name: Annotated[str, typer.Argument(help="What the key is for, for people to read.", show_default=False)],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            help="recognise, people:read, people:write, pictures:read, embed, admin (default: recognise).",
            show_default=False,
        ),
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", help="Until it expires (default: never).", show_default=False)
    ] = None,
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Make a key. It is shown once: only its sha256 is kept."""
    from multiface.gallery import access_keys
    from multiface.gallery.names import clean_text

    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened, opened.engine.database.writing() as connection:
        key, text = access_keys.new_key(connection, clean_text("name", name), scope or ["recognise"], days)
    speaker.result(text)
    speaker.note(f"key {key.id} for {', '.join(key.scopes)}; it is shown only now")
    speaker.document({**asdict(key), "key": text})


@keys.command("list")
def list_keys(
    gallery: options.GalleryFile = None, as_json: options.Json = False, quiet: options.Quiet = None
) -> None:
    """List the keys, also those that hold no more."""
    from multiface.gallery import access_keys

    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened, opened.engine.database.reading() as connection:
        found = access_keys.keys(connection)
    for key in found:
        state = (
            f"revoked {key.revoked}" if key.revoked else f"expires {key.expires}" if key.expires else "holds"
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
    """A key holds no more, from the next request on."""
    from multiface.gallery import access_keys

    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened, opened.engine.database.writing() as connection:
        access_keys.revoke_key(connection, key, opened.place)
    speaker.result(f"key {key} holds no more")
    speaker.document({"revoked": key})


def _link(recognizer: "Recognizer") -> str:
    """The token of a new link."""
    from multiface.gallery import access_keys

    assert recognizer.gallery is not None
    with recognizer.gallery.engine.database.writing() as connection:
        return access_keys.new_link(connection)


def _libraries() -> tuple[Any, Any]:
    """uvicorn and `make_app`. Raises ExtraMissing."""
    try:
        import uvicorn

        from multiface.serve.app import make_app
    except ImportError as error:
        raise ExtraMissing(f"the service needs FastAPI and uvicorn: {how_to_install('serve')}") from error
    return uvicorn, make_app

"""`weights`: the catalogue, licences, and what is in the store."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiface.cli import completions, options
from multiface.cli.calibrations import say_calibrations
from multiface.cli.console import Speaker
from multiface.cli.help_page import Commands
from multiface.cli.settings import Settings
from multiface.errors import UsageError, WeightsError, WeightsMissing
from multiface.regular_file import read_given_text
from multiface.visible import visible

if TYPE_CHECKING:
    from multiface.weights.spec import InputSpec
    from multiface.weights.store import Installed, Store

weights = Commands(help="The catalogue of weights: list, show, pull, import, remove.")

Name = Annotated[
    str,
    typer.Argument(help="A name of the catalogue.", show_default=False, autocompletion=completions.weights),
]


@weights.command("list")
def list_weights(as_json: options.Json = False, quiet: options.Quiet = None) -> None:
    """List all known or installed weights, and who may use them."""
    from rich.markup import escape
    from rich.table import Table

    from multiface.weights.catalogue import CATALOGUE

    speaker = Speaker(as_json, quiet)
    installed = {one.name: one for one in options.weights_store(Settings.here()).listing()}
    table = Table("name", "kind", "company may use", "licence", "state")
    documents = []
    for entry in CATALOGUE:
        there = entry.name in installed or bool(entry.packed)
        state = "in the package" if entry.packed else "installed" if there else "not pulled"
        if entry.name in installed and installed[entry.name].problem:
            state = "damaged"
        table.add_row(entry.name, entry.kind, "yes" if entry.commercial else "no", entry.licence, state)
        documents.append(
            {
                "name": entry.name,
                "kind": entry.kind,
                "commercial": entry.commercial,
                "licence": entry.licence,
                "state": state,
                "sha256": [file.sha256 for file in entry.files],
            }
        )
    known = {entry.name for entry in CATALOGUE}
    for one in installed.values():
        if one.name not in known:
            company = {True: "yes", False: "no", None: "not stated"}[one.commercial]
            state = "damaged" if one.problem else "imported"
            table.add_row(
                *(escape(visible(text)) for text in (one.name, one.kind, company, one.licence, state))
            )
            documents.append(
                {
                    "name": one.name,
                    "kind": one.kind,
                    "commercial": one.commercial,
                    "licence": one.licence,
                    "state": state,
                    "fingerprint": one.fingerprint,
                }
            )
    speaker.result(table)
    own = say_calibrations(speaker, options.weights_store(Settings.here()).folder)
    speaker.document({"weights": documents, "own_calibrations": own})


@weights.command("show")
def show_weights(
    name: Annotated[
        str,
        typer.Argument(
            help="A name of the catalogue, or of imported weights.",
            show_default=False,
            autocompletion=completions.weights,
        ),
    ],
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Show an entry of the catalogue, or imported weights."""
    from dataclasses import asdict

    from multiface.weights.catalogue import CATALOGUE, unknown

    speaker = Speaker(as_json, quiet)
    entry = next((entry for entry in CATALOGUE if entry.name == name), None)
    if entry is None:
        store = options.weights_store(Settings.here())
        installed = {one.name: one for one in store.listing()}
        if name not in installed:
            raise WeightsMissing(unknown(name, tuple(installed)))
        speaker.document(_show_imported(speaker, store, installed[name]))
        return
    document = asdict(entry)
    for key, value in document.items():
        if key == "files":
            for file in entry.files:
                speaker.result(
                    f"file: {file.filename}  sha256 {file.sha256 or 'not known'}  {file.size or '?'} bytes"
                )
        elif value not in (None, ()):
            speaker.result(f"{key}: {value}")
    speaker.document(document)


@weights.command("pull")
def pull_weights(
    name: Name,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="A mirror (http address) or a folder with the file, under any name.",
            show_default=False,
        ),
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option("--sha256", help="Checksum of the file, if the catalogue has none.", show_default=False),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Download weights into the store: checked, resumable, complete or not at all."""
    from multiface.weights.catalogue import find

    speaker = Speaker(as_json, quiet)
    entry = find(name)
    speaker.warn(
        f"{entry.name}: licence {entry.licence}; a company may {'' if entry.commercial else 'NOT '}use it"
    )
    with speaker.progress("bytes") as progress:
        done = options.weights_store(Settings.here()).pull(
            name, source, lambda got, total: progress(got, total or got), sha256
        )
    speaker.result(f"{done.name} is ready ({done.size:,} bytes)")
    speaker.document(
        {
            "name": done.name,
            "kind": done.kind,
            "licence": done.licence,
            "size": done.size,
            "fingerprint": done.fingerprint,
        }
    )


@weights.command("import")
def import_weights(
    file: Annotated[
        Path,
        typer.Argument(help="An ONNX embedder, or a model file of the original (.pth).", show_default=False),
    ],
    name: Annotated[str, typer.Option("--name", help="The name to import it under.", show_default=False)],
    spec: Annotated[
        Path | None,
        typer.Option(
            "--spec", help="JSON: width, height, colour, mean, std, template, dimension.", show_default=False
        ),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(
            "--arch",
            help="Network of a .pth file: mobilefacenet, ir_50, ir_se_50, iresnet_50, ...",
            show_default=False,
        ),
    ] = None,
    colour: Annotated[
        str | None,
        typer.Option(
            "--colour",
            help="Colour order of a .pth file: rgb or bgr (default: bgr, as the original; rgb for iresnet).",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Import an ONNX embedder with its input spec; a fixed batch size is made dynamic, and the result is verified.

    A model file of the original is read without running anything in it and converted to ONNX first (needs the
    extra `train`).
    """
    from multiface.weights.spec import InputSpec

    speaker = Speaker(as_json, quiet)
    if arch is not None or file.suffix in (".pth", ".pt"):
        if arch is None:
            raise UsageError(
                f"{file}: which network is it? Give --arch, such as --arch mobilefacenet", path=file
            )
        if spec is not None:
            raise UsageError(
                "--spec is for ONNX files; how a .pth file is fed follows from --arch and --colour"
            )
        _import_original(
            speaker, file, name, arch, colour or ("rgb" if arch.startswith("iresnet") else "bgr")
        )
        return
    if colour is not None:
        raise UsageError("--colour is for .pth files; an ONNX file's colour stands in its input spec")
    given = None
    if spec is not None:
        try:
            given = InputSpec.from_json(read_given_text(spec))
        except FileNotFoundError as error:
            raise WeightsError(
                f"{spec}: there is no such file; wanted an input spec as JSON", path=spec
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{spec}: cannot be read ({error})", path=spec) from error
    _take_up(speaker, file, name, given)


def _import_original(speaker: Speaker, file: Path, name: str, arch: str, colour: str) -> None:
    """A model file of the original, by way of an ONNX file that is checked against PyTorch."""
    import tempfile

    from multiface.cli.train_commands import original_as_onnx

    with tempfile.TemporaryDirectory(prefix="multiface-") as folder:
        onnx_file = Path(folder) / f"{file.stem}.onnx"
        original_as_onnx(file, arch, colour, onnx_file)
        _take_up(speaker, onnx_file, name, None)


def _take_up(speaker: Speaker, file: Path, name: str, spec: "InputSpec | None") -> None:
    """Put an ONNX embedder into the store and say what was done."""
    done = options.weights_store(Settings.here()).import_embedder(file, name, spec)
    speaker.result(f"{done.name} is ready: licence {done.licence}, fingerprint {done.fingerprint[:12]}")
    freed = (
        f"{len(done.changed_nodes)} node(s) changed" if done.changed_nodes else "nothing had to be changed"
    )
    speaker.result(
        f"free batch: {freed}; largest difference to the original {done.max_difference:.1e} "
        f"of the vector's length"
    )
    speaker.document(
        {
            "name": done.name,
            "fingerprint": done.fingerprint,
            "licence": done.licence,
            "commercial": done.commercial,
            "known_as": done.known_as,
            "changed_nodes": list(done.changed_nodes),
            "max_difference": done.max_difference,
        }
    )


@weights.command("remove")
def remove_weights(name: Name, as_json: options.Json = False, quiet: options.Quiet = None) -> None:
    """Delete weights from the store."""
    speaker = Speaker(as_json, quiet)
    options.weights_store(Settings.here()).remove(name)
    speaker.result(f"{name} is removed")
    speaker.document({"removed": name})


def _show_imported(speaker: Speaker, store: "Store", one: "Installed") -> dict[str, Any]:
    """What the store says of weights that the catalogue does not know; the document about them."""
    from dataclasses import asdict

    from multiface.weights.record import read_record

    document: dict[str, Any] = asdict(one)
    if one.problem is None:
        record = read_record(store.folder, one.name)
        document["files"] = [asdict(file) for file in record.files]
        document["spec"] = None if record.spec is None else asdict(record.spec)
    company = {True: "yes", False: "no", None: "not stated"}[one.commercial]
    for key, value in document.items():
        if key == "files":
            for file in value:
                speaker.result(f"file: {file['filename']}  sha256 {file['published_sha256']}")
        elif key == "commercial":
            speaker.result(f"company may use: {company}")
        elif value is not None:
            speaker.result(f"{key}: {value}")
    return document

"""The store of weights: a folder with one subfolder a name, and the ways to reach an embedder or a detector.

Layout of `FOLDER/NAME/`: the ONNX files, `entry.json` (what they are) and `stamp.json` (see `record.py`). A
subfolder appears whole or not at all. `FOLDER/.pull/` holds downloads that are not complete.

A fingerprint stands for the vectors that come out: it is made of the sha256 of the file as published and of the
input spec. Freeing the batch of a network, or rewriting its graph, leaves the vectors and therefore the fingerprint as
they are. The networks in MultiFace's own wheel lie in `networks/` beside this file.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from multiface.atomic_write import sync_folder
from multiface.errors import UsageError, WeightsError, WeightsMissing, about
from multiface.regular_file import read_regular, read_regular_text
from multiface.version import __version__
from multiface.visible import log_of
from multiface.weights import catalogue, places
from multiface.weights.built import built
from multiface.weights.catalogue import Entry, Family, FileEntry, Kind, checked_name
from multiface.weights.hashing import checked_sha256, sha256_of
from multiface.weights.onnx_metadata import onnx_metadata
from multiface.weights.record import Record, checked_files, identity, read_record, stored_file, write_record
from multiface.weights.spec import InputSpec, fingerprint

if TYPE_CHECKING:
    from multiface.progress import Progress
    from multiface.weights.fetch import Limits

SPEC_KEY = "multiface.spec"
"""The key in an ONNX file's `metadata_props` that holds the input spec, as `InputSpec.to_json` writes it."""
RUN_FILE = "best.onnx"
"""The embedder in the folder of a training run."""
PACKED = Path(__file__).parent / "networks"
"""The networks of MultiFace's own wheel, made while it was built."""
NETWORK = "network"
"""The role of the only file of an embedder, or of a detector that is one network."""

log = log_of(__name__)


@dataclass(frozen=True, slots=True)
class EmbedderFile:
    """An embedder that is ready to be opened.

    name: as it was asked for.
    path: the ONNX file.
    fingerprint: sha256 in hex; equal fingerprints give comparable vectors.
    licence, commercial: as the catalogue has them; "not stated" and None for a file that it does not know.
    flip: whether mirror images are embedded too unless the user says otherwise.
    """

    name: str
    path: Path
    spec: InputSpec
    fingerprint: str
    licence: str
    commercial: bool | None
    flip: bool = True


@dataclass(frozen=True, slots=True)
class DetectorFile:
    """A detector that is ready to be opened.

    files: (role, path of an ONNX file); roles are `pnet`, `rnet`, `onet` for MTCNN, else one `network`.
    family: which detector reads the outputs; None for a file that the catalogue does not know.
    """

    name: str
    files: tuple[tuple[str, Path], ...]
    family: Family | None
    licence: str
    commercial: bool | None


@dataclass(frozen=True, slots=True)
class Installed:
    """What the store says of one name.

    fingerprint: None for detectors.
    size: bytes of the files together.
    problem: why it cannot be used; None when it can.
    """

    name: str
    kind: Kind
    licence: str
    commercial: bool | None
    origin: str
    fingerprint: str | None
    size: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class Imported:
    """An imported embedder.

    known_as: the catalogue's name for this file, or None.
    changed_nodes: nodes of the network that were corrected to free its batch.
    max_difference: largest difference to the original, in units of the embedding's length.
    """

    name: str
    fingerprint: str
    licence: str
    commercial: bool | None
    known_as: str | None
    changed_nodes: tuple[str, ...]
    max_difference: float


class Store:
    """The weights in a folder, together with those in MultiFace's own wheel."""

    def __init__(self, folder: Path, cache: Path | None = None) -> None:
        """folder: of the store; made when something is put in.

        cache: folder of the networks whose batch or size was made free; None is `places.default_cache_folder()`.
        """
        self.folder = folder
        self.cache = cache or places.default_cache_folder()

    def embedder(self, name_or_path: str) -> EmbedderFile:
        """The embedder of this name, or in this ONNX file or run folder.

        A name wins over a file of the same name; write `./NAME` for the file. An ONNX file needs an input
        spec: in `FILE.onnx.json` beside it, or in its metadata `multiface.spec`, or from the catalogue.

        Raises WeightsMissing when it must be pulled or installed first (the message says how), WeightsError
        when the file is broken or has no spec, UsageError when the name is a detector's.
        """
        entry = self._catalogued(name_or_path)
        if (record := self._record_of(name_or_path)) is not None:
            if record.kind != "embedder" or record.spec is None or record.fingerprint is None:
                raise UsageError(catalogue.wrong_kind(record.name, "embedder"), name=record.name)
            (path,) = checked_files(self.folder, record).values()
            return EmbedderFile(
                record.name,
                path,
                record.spec,
                record.fingerprint,
                record.licence,
                record.commercial,
                _flip_of(catalogue.by_sha256(record.files[0].published_sha256)),
            )
        if entry is not None:
            if entry.kind != "embedder":
                raise UsageError(catalogue.wrong_kind(entry.name, "embedder"), name=entry.name)
            if entry.packed:
                return _packed_embedder(entry)
            raise _not_in_store(entry)
        return self._embedder_file(self._existing_path(name_or_path, "embedder"))

    def detector(self, name_or_path: str) -> DetectorFile:
        """The detector of this name, or in this ONNX file. Raises as `embedder` does."""
        entry = self._catalogued(name_or_path)
        if (record := self._record_of(name_or_path)) is not None:
            if record.kind != "detector":
                raise UsageError(catalogue.wrong_kind(record.name, "detector"), name=record.name)
            files = checked_files(self.folder, record)
            return DetectorFile(
                record.name, tuple(files.items()), record.family, record.licence, record.commercial
            )
        if entry is not None:
            if entry.kind != "detector":
                raise UsageError(catalogue.wrong_kind(entry.name, "detector"), name=entry.name)
            if entry.packed:
                return _packed_detector(entry)
            raise _not_in_store(entry)
        path = self._existing_path(name_or_path, "detector")
        known = catalogue.by_sha256(sha256_of(path))
        if known is None or known.kind != "detector":
            return DetectorFile(path.stem, ((NETWORK, path),), None, "not stated", None)
        return DetectorFile(known.name, ((NETWORK, path),), known.family, known.licence, known.commercial)

    def any_size(self, detector: DetectorFile) -> Path:
        """The network of a detector that is one network, for pictures of any size.

        A declared size is taken off, which is proven once and kept in the cache. Raises WeightsError.
        """
        from multiface.weights import dynamic_size

        ((_, path),) = detector.files
        if path.is_relative_to(PACKED):
            return path
        files = built(
            self.cache,
            f"{detector.name}-any-size",
            [path, *_code(dynamic_size)],
            __version__,
            lambda: {NETWORK: dynamic_size.any_size(read_regular(path))},
        )
        return files[NETWORK]

    def any_batch(self, embedder: EmbedderFile) -> Path:
        """The network of an embedder, for batches of any size.

        What the wheel, the store or the cache holds is so already; the batch of a user's own file is made free, which
        is proven once and kept in the cache. Raises WeightsError.
        """
        from multiface.weights import dynamic_batch

        path = embedder.path
        if any(path.is_relative_to(place) for place in (PACKED, self.folder, self.cache)):
            return path
        files = built(
            self.cache,
            f"file-{embedder.fingerprint[:16]}",
            [path, *_code(dynamic_batch)],
            __version__,
            lambda: {NETWORK: _freed(str(path), read_regular(path), embedder.spec)[0]},
        )
        return files[NETWORK]

    def pull(
        self,
        name: str,
        source: str | Path | None = None,
        progress: "Progress | None" = None,
        sha256: str | None = None,
        limits: "Limits | None" = None,
    ) -> Installed:
        """Bring the catalogue's weights of this name into the store.

        source: None for the catalogue's addresses; the http(s) address of a mirror, below which the files lie
            by their names; or a folder (or file), where a file is known by its sha256 whatever its name.
        sha256: of the file; needed when the catalogue does not know it.

        A network in MultiFace's own wheel is there already. A second pull changes nothing but mends a damaged file.
        Raises WeightsMissing, DownloadFailed, WeightsError, UsageError.
        """
        # Only pulling needs an HTTP client, which takes a while to import.
        from multiface.weights.fetch import fetch, file_urls, find_in_folder

        entry = catalogue.find(name)
        if entry.packed:
            return _packed(entry)
        files = [_with_sha256(entry, file, sha256) for file in entry.files]
        if isinstance(source, Path) or (isinstance(source, str) and "://" not in source):
            found = find_in_folder(Path(source), files)
            return self._take(entry, dict(zip(files, found, strict=True)))
        staging = self.folder / ".pull" / name
        fetched = {}
        for file in files:
            target = staging / file.filename
            fetch(file_urls(entry, file, source), target, str(file.sha256), file.size, progress, limits)
            fetched[file] = target
        installed = self._take(entry, fetched)
        shutil.rmtree(staging, ignore_errors=True)
        return installed

    def import_embedder(self, path: Path, name: str, spec: InputSpec | None = None) -> Imported:
        """Put an ONNX embedder of the user's own into the store, under a name.

        spec: how it is fed; None takes what lies beside or inside the file, or what the catalogue knows of
            it. For a file that the catalogue knows, licence and spec are the catalogue's.

        The batch is made free if it is fixed, and the result is run against the original on test pictures.
        Raises WeightsError for a file that is missing or no such embedder, or whose spec is missing or does
        not fit; and UsageError for a name that is taken, or that the catalogue keeps for another file.
        """
        checked_name(name)
        try:
            content = read_regular(path)
        except FileNotFoundError as error:
            raise WeightsError(
                f"{path}: there is no such file; wanted an ONNX embedder", path=path
            ) from error
        except OSError as error:
            raise WeightsError(
                f"{path}: cannot be read ({error.strerror}); wanted an ONNX embedder", path=path
            ) from error
        sha256 = hashlib.sha256(content).hexdigest()
        known = catalogue.by_sha256(sha256)
        self._refuse_reserved(name, sha256)
        if known is not None:
            if spec is not None and spec != known.spec:
                raise UsageError(
                    f"{path} is {known.name!r} of the catalogue, whose input spec is another than the one "
                    "given",
                    hint="leave the spec out",
                    path=path,
                    name=known.name,
                )
            spec = known.spec
            if spec is None:
                raise UsageError(
                    f"{path} is the detector {known.name!r} of the catalogue, not an embedder",
                    path=path,
                    name=known.name,
                )
        spec = spec or _spec_of_file(path) or _no_spec(path)
        with about(path):
            batched, proof = _freed(str(path), content, spec)
        record = Record(
            name=name,
            kind="embedder",
            licence=known.licence if known else "not stated",
            commercial=known.commercial if known else None,
            origin=known.origin if known else f"imported from {path.name}",
            family=None,
            files=(stored_file(NETWORK, path.name, batched, sha256),),
            spec=spec,
            fingerprint=fingerprint(sha256, spec),
            proof=proof,
        )
        self._put(record, {NETWORK: batched})
        return Imported(
            name=name,
            fingerprint=fingerprint(sha256, spec),
            licence=record.licence,
            commercial=record.commercial,
            known_as=known.name if known else None,
            changed_nodes=tuple(proof["changed_nodes"]),
            max_difference=proof["max_difference"],
        )

    def add(
        self,
        name: str,
        kind: Kind,
        files: Mapping[str, Path],
        spec: InputSpec | None,
        licence: str,
        commercial: bool | None,
        origin: str,
        family: Family | None = None,
    ) -> Installed:
        """Copy ONNX files into the store as they are.

        files: by role. spec: of an embedder (which has one file); None for a detector.
        Raises UsageError when the name is taken by other files, OSError when a file cannot be read.
        """
        checked_name(name)
        if (kind == "embedder") != (spec is not None) or (kind == "embedder" and len(files) != 1):
            raise UsageError("an embedder is one file and an input spec, a detector has no input spec")
        if len({path.name for path in files.values()}) != len(files):
            raise UsageError("the files need different names, since they go into one folder")
        contents = {role: read_regular(path) for role, path in files.items()}
        stored = tuple(stored_file(role, files[role].name, content) for role, content in contents.items())
        for file in stored:
            self._refuse_reserved(name, file.published_sha256)
        mark = None if spec is None else fingerprint(stored[0].published_sha256, spec)
        record = Record(name, kind, licence, commercial, origin, family, stored, spec, mark, None)
        return self._put(record, contents)

    def remove(self, name: str) -> None:
        """Delete a name's files. Raises WeightsMissing if the store does not have it."""
        folder = self.folder / checked_name(name)
        if not folder.is_dir():
            raise WeightsMissing(f"{name!r} is not in the store {self.folder}", name=name)
        # Renamed first, so that a name is never there with half of its files.
        with tempfile.TemporaryDirectory(
            prefix=".gone-", dir=self.folder, ignore_cleanup_errors=True
        ) as gone:
            folder.rename(Path(gone) / name)

    def listing(self) -> tuple[Installed, ...]:
        """What lies in the store, by name; the networks in MultiFace's own wheel are not in it.

        A name whose files are damaged is listed with its `problem`. Files are checked as at a start: fully
        only when their size or time has changed.
        """
        if not self.folder.is_dir():
            return ()
        names = sorted(path.name for path in self.folder.iterdir() if path.is_dir() and path.name[:1] != ".")
        return tuple(self._installed(name) for name in names)

    def _installed(self, name: str) -> Installed:
        try:
            record = read_record(self.folder, name)
        except WeightsError as error:
            return Installed(name, "embedder", "not stated", None, "", None, 0, str(error))
        try:
            size = sum(path.stat().st_size for path in checked_files(self.folder, record).values())
            problem = None
        except WeightsError as error:
            size, problem = 0, str(error)
        return Installed(
            name,
            record.kind,
            record.licence,
            record.commercial,
            record.origin,
            record.fingerprint,
            size,
            problem,
        )

    def _catalogued(self, name: str) -> Entry | None:
        return next((entry for entry in catalogue.CATALOGUE if entry.name == name), None)

    def _record_of(self, name: str) -> Record | None:
        """The record of an installed name; None if it is no name, or not installed."""
        try:
            checked_name(name)
        except UsageError:
            return None
        return read_record(self.folder, name) if (self.folder / name).is_dir() else None

    def _existing_path(self, name_or_path: str, kind: Kind) -> Path:
        path = Path(name_or_path)
        if path.is_dir() and kind == "embedder":
            if (path / RUN_FILE).is_file():
                return path / RUN_FILE
            raise WeightsError(
                f"{path}: a folder without {RUN_FILE}; a run folder has one after its first epoch", path=path
            )
        if path.is_file():
            return path
        if path.exists():
            raise WeightsError(f"{name_or_path}: is not a regular file; wanted an ONNX file", path=path)
        looks_like_path = any(mark in name_or_path for mark in "/\\") or name_or_path.endswith(".onnx")
        if looks_like_path:
            raise WeightsMissing(f"{name_or_path}: there is no such file", path=path)
        names = tuple(one.name for one in self.listing() if one.kind == kind)
        raise WeightsMissing(catalogue.unknown(name_or_path, names, kind), name=name_or_path)

    def _embedder_file(self, path: Path) -> EmbedderFile:
        sha256 = sha256_of(path)
        known = catalogue.by_sha256(sha256)
        spec = _spec_of_file(path) or (known.spec if known else None) or _no_spec(path)
        return EmbedderFile(
            name=known.name if known else str(path),
            path=path,
            spec=spec,
            fingerprint=fingerprint(sha256, spec),
            licence=known.licence if known else "not stated",
            commercial=known.commercial if known else None,
            flip=_flip_of(known),
        )

    def _take(self, entry: Entry, files: Mapping[FileEntry, Path]) -> Installed:
        """Files of a catalogue entry, already known to be right, into the store."""
        ((file, path),) = files.items()
        content = read_regular(path)
        published = hashlib.sha256(content).hexdigest()
        if published != file.sha256:
            raise WeightsError(f"{path}: its content changed while it was read", path=path, hint="try again")
        mark, proof = None, None
        if entry.spec is not None:
            content, proof = _freed(entry.name, content, entry.spec)
            mark = fingerprint(published, entry.spec)
        record = Record(
            name=entry.name,
            kind=entry.kind,
            licence=entry.licence,
            commercial=entry.commercial,
            origin=entry.origin,
            family=entry.family,
            files=(stored_file(NETWORK, file.filename, content, published),),
            spec=entry.spec,
            fingerprint=mark,
            proof=proof,
        )
        return self._put(record, {NETWORK: content})

    def _refuse_reserved(self, name: str, sha256: str) -> None:
        """A name of the catalogue is for the catalogue's file, so that it means the same everywhere."""
        entry = self._catalogued(name)
        if entry is None:
            return
        known = [file.sha256 for file in entry.files]
        if entry.packed or (None not in known and sha256 not in known):
            raise UsageError(
                f"{name!r} is the catalogue's name for another file", hint="choose another name", name=name
            )

    def _put(self, record: Record, contents: Mapping[str, bytes]) -> Installed:
        """Write a record and its files; a name that is there must be the same weights, and is mended."""
        folder = self.folder / record.name
        if folder.is_dir():
            self._mend(record, contents)
            return self._installed(record.name)
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=".new-", dir=self.folder, ignore_cleanup_errors=True
        ) as beside:
            new = Path(beside) / record.name
            new.mkdir()
            write_record(new, record, contents)
            try:
                new.rename(folder)
                sync_folder(self.folder)
            except OSError:
                # Another process was faster.
                if not folder.is_dir():
                    raise
                self._mend(record, contents)
        return self._installed(record.name)

    def _mend(self, record: Record, contents: Mapping[str, bytes]) -> None:
        try:
            there = read_record(self.folder, record.name)
        except WeightsError:
            there = record
        if identity(there) != identity(record):
            raise UsageError(
                f"the name {record.name!r} is taken by other weights in {self.folder}",
                hint=f"choose another name, or run `multiface weights remove {record.name}` first",
                name=record.name,
            )
        write_record(self.folder / record.name, record, contents)


def _flip_of(entry: Entry | None) -> bool:
    """What the catalogue says of mirror images; of weights that it does not know they are embedded."""
    return True if entry is None else entry.flip


def _packed_files(entry: Entry) -> tuple[tuple[str, Path], ...]:
    """The files of an entry in MultiFace's own wheel, by role. Raises WeightsMissing."""
    files = tuple((role, PACKED / name) for role, name in entry.packed)
    for _, path in files:
        if not path.is_file():
            raise WeightsMissing(
                f"{entry.name}: {path} is missing from this installation",
                name=entry.name,
                hint="install MultiFace again (in a source tree: pip install -e .)",
            )
    return files


def _packed_embedder(entry: Entry) -> EmbedderFile:
    ((_, path),) = _packed_files(entry)
    return EmbedderFile(
        entry.name,
        path,
        _spec(entry),
        _packed_fingerprint(entry),
        entry.licence,
        entry.commercial,
        entry.flip,
    )


def _packed_detector(entry: Entry) -> DetectorFile:
    return DetectorFile(entry.name, _packed_files(entry), entry.family, entry.licence, entry.commercial)


def _packed(entry: Entry) -> Installed:
    """What there is to say of a network in MultiFace's own wheel."""
    mark = _packed_fingerprint(entry) if entry.kind == "embedder" else None
    size = sum(path.stat().st_size for _, path in _packed_files(entry))
    return Installed(entry.name, entry.kind, entry.licence, entry.commercial, entry.origin, mark, size, None)


def _packed_fingerprint(entry: Entry) -> str:
    return fingerprint(str(entry.files[0].sha256), _spec(entry))


def _spec(entry: Entry) -> InputSpec:
    if entry.spec is None:
        raise WeightsError(f"{entry.name} has no input spec", name=entry.name)
    return entry.spec


def _code(*modules: ModuleType) -> list[Path]:
    """The files of the modules that build a network: a change there builds it anew, as a new version does."""
    return [Path(module.__file__) for module in modules if module.__file__ is not None]


def _freed(what: str, content: bytes, spec: InputSpec) -> tuple[bytes, dict[str, Any]]:
    """The network with a free batch, and the proof for the record. Raises WeightsError if it does not fit."""
    from multiface.weights.dynamic_batch import make_batch_dynamic
    from multiface.weights.onnx_model import image_input, parse_model

    try:
        batched, proof = make_batch_dynamic(content)
    except WeightsError as error:
        raise WeightsError(f"{what}: {error}", hint=error.hint) from error
    if proof.output_dimension != spec.dimension:
        raise WeightsError(
            f"{what}: the input spec says {spec.dimension} numbers a face, the network gives "
            f"{proof.output_dimension}"
        )
    entry = image_input(parse_model(content))
    if (entry.width, entry.height) != (spec.width, spec.height):
        raise WeightsError(
            f"{what}: the input spec says {spec.width}x{spec.height} pixels, the network takes "
            f"{entry.width}x{entry.height}"
        )
    return batched, asdict(proof)


def _spec_of_file(path: Path) -> InputSpec | None:
    """The spec beside an ONNX file, or inside it; None if there is none."""
    beside = path.with_name(path.name + ".json")
    try:
        if beside.is_file():
            return InputSpec.from_json(read_regular_text(beside))
    except (WeightsError, UnicodeDecodeError) as error:
        raise WeightsError(f"{beside}: {error}", path=beside) from error
    inside = onnx_metadata(path).get(SPEC_KEY)
    try:
        return None if inside is None else InputSpec.from_json(inside)
    except WeightsError as error:
        raise WeightsError(f"{path}, metadata {SPEC_KEY}: {error}", path=path) from error


def _no_spec(path: Path) -> InputSpec:
    raise WeightsError(
        f"{path}: nothing says how it is fed (size, colour order, mean, std, landmark template, dimension)",
        path=path,
        hint=f"run `multiface weights import {path} --name NAME --spec SPEC.json`, or put the spec beside it as "
        f"{path.name}.json",
    )


def _with_sha256(entry: Entry, file: FileEntry, sha256: str | None) -> FileEntry:
    if sha256 is not None:
        sha256 = checked_sha256(sha256)
        if file.sha256 is not None and file.sha256 != sha256:
            raise UsageError(
                f"{entry.name}: the catalogue knows sha256 {file.sha256} for {file.filename}, not {sha256}",
                name=entry.name,
            )
        return replace(file, sha256=sha256)
    if file.sha256 is None:
        raise WeightsMissing(
            f"{entry.name}: the sha256 of {file.filename} is not known, so it cannot be checked",
            name=entry.name,
            hint=f"get it from a source you trust and run `multiface weights pull {entry.name} --sha256 SHA256`",
        )
    return file


def _not_in_store(entry: Entry) -> WeightsMissing:
    (file,) = entry.files
    pull = f"multiface weights pull {entry.name}"
    if file.sha256 is None:
        pull += " --sha256 SHA256"
    folder = f"`{pull} --from FOLDER` (a folder that holds {file.filename}, under whatever name)"
    return WeightsMissing(
        f"{entry.name} is not in the store (licence: {entry.licence})",
        name=entry.name,
        hint=f"run `{pull}`, or offline {folder}",
    )

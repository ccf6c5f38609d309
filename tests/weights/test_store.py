"""The store: names, files, run folders, imports and pulls, with real networks and a real server."""

import functools
import hashlib
import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from multiface.errors import DownloadFailed, UsageError, WeightsError, WeightsMissing
from multiface.weights.catalogue import find
from multiface.weights.session import Engine, open_session
from multiface.weights.spec import fingerprint
from multiface.weights.store import Store
from tests.weights.linear_network import make_network, make_spec

MOBILEFACENET = "mobilefacenet_128_ms1m"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", tmp_path / "cache")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.onnx"
    path.write_bytes(make_network())
    return path


@pytest.fixture
def weights(shared: Path) -> Path:
    return shared / "data" / "weights"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(path: Path, images: np.ndarray) -> np.ndarray:
    session = open_session(path, Engine(threads=1))
    (output,) = session.run(None, {session.get_inputs()[0].name: images})
    return np.asarray(output)


# The networks of the wheel


def test_sface_is_in_the_wheel(store: Store) -> None:
    entry = find("sface")
    embedder = store.embedder("sface")
    assert (embedder.licence, embedder.commercial, embedder.spec) == ("Apache-2.0", True, entry.spec)
    assert entry.spec is not None
    assert embedder.fingerprint == fingerprint(str(entry.files[0].sha256), entry.spec)
    assert not embedder.flip, "mirror images gain nothing with it and double its cost"
    assert store.any_batch(embedder) == embedder.path
    assert run(embedder.path, np.zeros((2, 3, 112, 112), np.float32)).shape == (2, 128)
    assert not store.cache.exists() and not store.folder.exists(), "nothing is built at first use"


@pytest.mark.parametrize(
    ("name", "roles"),
    [("mtcnn", ["pnet", "rnet", "onet"]), ("yunet", ["network"]), ("yunet_onet", ["yunet", "onet"])],
)
def test_detectors_are_in_the_wheel(store: Store, name: str, roles: list[str]) -> None:
    detector = store.detector(name)
    assert [role for role, _ in detector.files] == roles
    assert (detector.family, detector.licence, detector.commercial) == (name, "MIT", True)
    for _, path in detector.files:
        open_session(path, Engine(threads=1))
    installed = store.pull(name)
    assert installed.problem is None and installed.size == sum(
        path.stat().st_size for _, path in detector.files
    )
    assert not store.cache.exists() and not store.folder.exists()


def test_a_missing_network_of_the_wheel_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiface.weights.store.PACKED", store.folder)
    with pytest.raises(WeightsMissing, match=r"sface: .*sface\.onnx is missing .* install MultiFace again"):
        store.embedder("sface")


# Pulling


def test_pull_an_embedder_from_a_folder(store: Store, weights: Path) -> None:
    """The file is known by its content; its batch is freed; its vectors stay what they were."""
    entry = find(MOBILEFACENET)
    original = weights / entry.files[0].filename
    installed = store.pull(MOBILEFACENET, weights)
    embedder = store.embedder(MOBILEFACENET)
    assert entry.spec is not None and embedder.spec == entry.spec
    assert embedder.fingerprint == installed.fingerprint == fingerprint(sha256(original), entry.spec)
    images = np.random.default_rng(1).normal(size=(3, 3, 112, 112)).astype(np.float32)
    alone = np.concatenate([run(original, image[None]) for image in images])
    together = run(embedder.path, images)
    assert np.abs(alone - together).max() <= 1e-5 * np.linalg.norm(alone, axis=1).max()
    assert store.listing() == (installed,)
    assert (installed.licence, installed.commercial, installed.problem) == ("Apache-2.0", True, None)
    record = json.loads((store.folder / MOBILEFACENET / "entry.json").read_bytes())
    assert record["proof"]["max_difference"] <= 1e-5
    assert [file["published_sha256"] for file in record["files"]] == [sha256(original)]


def test_pull_a_detector_from_a_folder(store: Store, weights: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "renamed" / "x.bin"
    renamed.parent.mkdir()
    renamed.write_bytes((weights / "scrfd_500m_kps.onnx").read_bytes())
    installed = store.pull("scrfd_500m", str(renamed.parent))
    assert (installed.kind, installed.fingerprint, installed.commercial) == ("detector", None, False)
    detector = store.detector("scrfd_500m")
    ((role, path),) = detector.files
    assert (role, detector.family, detector.name) == ("network", "scrfd", "scrfd_500m")
    assert path.read_bytes() == renamed.read_bytes(), "a detector is stored as it is"
    assert store.pull("scrfd_500m", renamed) == installed


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "mirror"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", folder
        server.shutdown()


def test_pull_from_a_mirror(
    store: Store, weights: Path, mirror: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    address, folder = mirror
    with pytest.raises(DownloadFailed, match="404"):
        store.pull("yunet_n", address)
    assert store.listing() == ()
    (folder / "yunet_n_dynamic.onnx").write_bytes(b"not it")
    with pytest.raises(DownloadFailed, match="announces 6 bytes"):
        store.pull("yunet_n", address)
    (folder / "yunet_n_dynamic.onnx").write_bytes((weights / "yunet_n_dynamic.onnx").read_bytes())
    seen: list[tuple[int, int | None]] = []
    installed = store.pull("yunet_n", address, lambda *now: seen.append(now))
    assert seen[-1] == (installed.size, installed.size) == (322_906, 322_906)
    assert store.detector("yunet_n").family == "yunet"
    assert not list(store.folder.glob(".pull/*")) and not list(store.folder.glob(".new*"))


def test_unknown_sha256_is_never_taken_silently(store: Store, tmp_path: Path) -> None:
    """edgeface_xs has no known sha256: refused from everywhere, until the user says which it is."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "edgeface_xs_gamma_06.onnx").write_bytes(make_network(112, 512))
    for source in (None, folder, "http://127.0.0.1:1/"):
        with pytest.raises(WeightsMissing, match="pull edgeface_xs --sha256"):
            store.pull("edgeface_xs", source)
    given = sha256(folder / "edgeface_xs_gamma_06.onnx")
    with pytest.raises(WeightsMissing, match="other content"):
        store.pull("edgeface_xs", folder, sha256="0" * 64)
    assert store.pull("edgeface_xs", folder, sha256=given.upper()).problem is None
    assert store.embedder("edgeface_xs").commercial is False
    with pytest.raises(UsageError, match="the catalogue knows"):
        store.pull("sface_zoo", folder, sha256=given)


# What is missing


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (
            "sface_zoo",
            [
                "`multiface weights pull sface_zoo`",
                "`multiface weights pull sface_zoo --from FOLDER`",
                "Apache-2.0",
            ],
        ),
        (MOBILEFACENET, [f"`multiface weights pull {MOBILEFACENET} --from FOLDER`"]),
        ("edgeface_xs", ["`multiface weights pull edgeface_xs --sha256 SHA256`"]),
        ("buffalo_L", ["Did you mean 'buffalo_l'?"]),
        ("a/b.onnx", ["a/b.onnx: there is no such file"]),
        ("gone.onnx", ["gone.onnx: there is no such file"]),
    ],
)
def test_missing_embedder_says_how_to_get_it(store: Store, name: str, parts: list[str]) -> None:
    with pytest.raises(WeightsMissing) as error:
        store.embedder(name)
    for part in parts:
        assert part in str(error.value)


def test_missing_detector_says_how_to_get_it(store: Store) -> None:
    with pytest.raises(WeightsMissing, match="`multiface weights pull yunet_n`"):
        store.detector("yunet_n")


def test_kinds_are_not_mixed(store: Store, weights: Path) -> None:
    for name in ("yunet", "mtcnn"):
        with pytest.raises(UsageError, match=r"is a detector.*embedders are .*sface"):
            store.embedder(name)
    with pytest.raises(WeightsMissing, match=r"no detector is named 'yunett'.*'yunet'") as error:
        store.detector("yunett")
    assert "buffalo_l" not in str(error.value)
    for name in ("sface", "buffalo_l"):
        with pytest.raises(UsageError, match=r"is an embedder.*detectors are .*mtcnn, .*yunet") as error:
            store.detector(name)
        assert "antelopev2" not in str(error.value)
    store.pull("yunet_n", weights)
    with pytest.raises(UsageError, match="is a detector"):
        store.embedder("yunet_n")


# Files


def test_embedder_in_a_file(store: Store, file: Path) -> None:
    with pytest.raises(WeightsError, match=r"import .*mine\.onnx --name NAME --spec SPEC\.json"):
        store.embedder(str(file))
    spec = make_spec()
    file.with_name("mine.onnx.json").write_text(spec.to_json())
    embedder = store.embedder(str(file))
    assert (embedder.path, embedder.spec) == (file, spec)
    assert embedder.fingerprint == fingerprint(sha256(file), spec)
    assert (embedder.licence, embedder.commercial) == ("not stated", None)
    file.with_name("mine.onnx.json").write_text('{"width": 112}')
    with pytest.raises(WeightsError, match=r"mine\.onnx\.json: input spec"):
        store.embedder(str(file))


def test_spec_inside_the_file_and_run_folder(store: Store, tmp_path: Path) -> None:
    spec = make_spec()
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    with pytest.raises(WeightsError, match=r"without best\.onnx"):
        store.embedder(str(run_folder))
    metadata = {"other": "x" * 300, "multiface.spec": spec.to_json()}
    (run_folder / "best.onnx").write_bytes(make_network(metadata=metadata))
    embedder = store.embedder(str(run_folder))
    assert embedder.spec == spec and embedder.path == run_folder / "best.onnx"
    assert store.embedder(str(run_folder / "best.onnx")).fingerprint == embedder.fingerprint
    (run_folder / "best.onnx").write_bytes(make_network(metadata={"multiface.spec": "{}"}))
    with pytest.raises(WeightsError, match=r"metadata multiface\.spec"):
        store.embedder(str(run_folder))


def test_catalogues_file_is_known_under_any_name(store: Store, weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes((weights / f"{MOBILEFACENET}.onnx").read_bytes())
    embedder = store.embedder(str(path))
    assert (embedder.spec, embedder.licence) == (find(MOBILEFACENET).spec, "Apache-2.0")
    assert embedder.fingerprint == store.pull(MOBILEFACENET, weights).fingerprint
    detector = store.detector(str(weights / "scrfd_2.5g_kps.onnx"))
    assert (detector.name, detector.family) == ("scrfd_2.5g", "scrfd")
    unknown = tmp_path / "unknown.onnx"
    unknown.write_bytes(make_network())
    assert store.detector(str(unknown)).family is None


@pytest.mark.parametrize("cut", [1, 50, 1000])
def test_broken_file(store: Store, file: Path, cut: int) -> None:
    file.write_bytes(file.read_bytes()[:-cut])
    with pytest.raises(WeightsError, match=r"mine\.onnx: not an ONNX file"):
        store.embedder(str(file))


def test_a_name_wins_over_a_folder(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sface_zoo").mkdir()
    (tmp_path / "sface_zoo" / "best.onnx").write_bytes(
        make_network(metadata={"multiface.spec": make_spec().to_json()})
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsMissing, match="not in the store"):
        store.embedder("sface_zoo")
    assert store.embedder("./sface_zoo").spec == make_spec()


# Importing


def test_import(store: Store, file: Path) -> None:
    spec = make_spec()
    imported = store.import_embedder(file, "mine", spec)
    assert (imported.licence, imported.commercial, imported.known_as) == ("not stated", None, None)
    assert imported.max_difference <= 1e-5 and len(imported.changed_nodes) == 1
    embedder = store.embedder("mine")
    assert embedder.fingerprint == imported.fingerprint == fingerprint(sha256(file), spec)
    images = np.random.default_rng(2).normal(size=(4, 3, 16, 16)).astype(np.float32)
    alone = np.concatenate([run(file, image[None]) for image in images])
    np.testing.assert_allclose(run(embedder.path, images), alone, rtol=1e-4, atol=1e-5)
    assert store.import_embedder(file, "mine", spec) == imported, "once more is no harm"
    assert [installed.name for installed in store.listing()] == ["mine"]


def test_import_takes_the_spec_beside_the_file(store: Store, file: Path) -> None:
    with pytest.raises(WeightsError, match="nothing says how it is fed"):
        store.import_embedder(file, "mine")
    file.with_name("mine.onnx.json").write_text(make_spec().to_json())
    store.import_embedder(file, "mine")
    assert store.embedder("mine").spec == make_spec()


def test_import_of_a_catalogue_file(store: Store, weights: Path) -> None:
    path = weights / f"{MOBILEFACENET}.onnx"
    imported = store.import_embedder(path, "ours")
    assert (imported.known_as, imported.licence, imported.commercial) == (MOBILEFACENET, "Apache-2.0", True)
    assert store.embedder("ours").spec == find(MOBILEFACENET).spec
    with pytest.raises(UsageError, match="input spec is another"):
        store.import_embedder(path, "ours_too", make_spec(112, 128))
    with pytest.raises(UsageError, match="is the detector 'yunet_n'"):
        store.import_embedder(weights / "yunet_n_dynamic.onnx", "x")
    assert store.import_embedder(path, MOBILEFACENET).name == MOBILEFACENET


@pytest.mark.parametrize("name", ["sface", "yunet", "mtcnn", MOBILEFACENET])
def test_import_under_a_catalogue_name(store: Store, file: Path, name: str) -> None:
    with pytest.raises(UsageError, match="catalogue's name for another file"):
        store.import_embedder(file, name, make_spec())


@pytest.mark.parametrize(
    ("size", "dimension", "message"),
    [
        (16, 9, "says 9 numbers a face, the network gives 8"),
        (32, 8, "says 32x32 pixels, the network takes 16x16"),
    ],
)
def test_import_with_a_spec_that_does_not_fit(
    store: Store, file: Path, size: int, dimension: int, message: str
) -> None:
    with pytest.raises(WeightsError, match=message):
        store.import_embedder(file, "mine", make_spec(size, dimension))
    assert store.listing() == () and not store.folder.exists()


def test_import_of_what_is_no_embedder(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    with pytest.raises(WeightsError, match="no such file"):
        store.import_embedder(path, "x", make_spec())
    for content in (b"", b"hello world", onnx.ModelProto().SerializeToString()):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=r"x\.onnx"):
            store.import_embedder(path, "x", make_spec())


def test_a_taken_name(store: Store, file: Path) -> None:
    store.import_embedder(file, "mine", make_spec())
    before = store.listing()
    file.write_bytes(make_network(seed=1))
    with pytest.raises(UsageError, match="`multiface weights remove mine`"):
        store.import_embedder(file, "mine", make_spec())
    assert store.listing() == before
    store.remove("mine")
    assert store.import_embedder(file, "mine", make_spec(mean=0.0)).fingerprint != before[0].fingerprint


# Keeping


def test_add_and_remove(store: Store, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(make_network(seed=5))
    files = {"first": file, "second": other}
    installed = store.add("pair", "detector", files, None, "MIT", True, "here", "scrfd")
    assert installed.size == file.stat().st_size + other.stat().st_size
    assert {role: path.read_bytes() for role, path in store.detector("pair").files} == {
        role: path.read_bytes() for role, path in files.items()
    }
    with pytest.raises(UsageError, match="one file and an input spec"):
        store.add("pair", "embedder", files, make_spec(), "MIT", True, "here")
    with pytest.raises(UsageError, match="catalogue's name"):
        store.add("sface", "embedder", {"network": file}, make_spec(), "MIT", True, "here")
    store.remove("pair")
    assert store.listing() == () and list(store.folder.iterdir()) == []
    with pytest.raises(WeightsMissing, match="not in the store"):
        store.remove("pair")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".pull", "x\n"])
def test_bad_names_reach_no_folder(store: Store, file: Path, name: str) -> None:
    for action in (
        lambda: store.import_embedder(file, name, make_spec()),
        lambda: store.add(name, "detector", {"network": file}, None, "MIT", True, "here"),
        lambda: store.remove(name),
        lambda: store.pull(name),
    ):
        with pytest.raises(UsageError, match="cannot name weights"):
            action()


def test_damage_is_found_and_mended(store: Store, weights: Path) -> None:
    store.pull("yunet_n", weights)
    ((_, path),) = store.detector("yunet_n").files
    good, status = path.read_bytes(), path.stat()
    path.write_bytes(good[:-1] + b"?")
    with pytest.raises(WeightsError, match="damaged or changed") as error:
        store.detector("yunet_n")
    assert "`multiface weights pull yunet_n`" in str(error.value)
    (installed,) = store.listing()
    assert installed.problem is not None and "damaged" in installed.problem
    assert store.pull("yunet_n", weights).problem is None
    assert store.detector("yunet_n").files[0][1].read_bytes() == good
    path.unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        store.detector("yunet_n")
    assert status.st_size == store.pull("yunet_n", weights).size


def test_a_file_that_changes_after_it_was_found_is_not_taken(
    store: Store, weights: Path, tmp_path: Path
) -> None:
    """A folder's files are hashed to be found, and read once more to be stored: what is stored is hashed itself."""
    entry = find("yunet_n")
    (file,) = entry.files
    assert file.filename in {path.name for path in weights.iterdir()}
    changed = tmp_path / file.filename
    changed.write_bytes((weights / file.filename).read_bytes()[:-1] + b"?")
    with pytest.raises(WeightsError, match="its content changed while it was read; try again"):
        store._take(entry, {file: changed})
    assert store.listing() == ()


def test_a_start_reads_stamps_not_files(store: Store, weights: Path) -> None:
    """After a full check a file of the same size and time is taken as checked: so starts are fast."""
    store.pull("yunet_n", weights)
    ((_, path),) = store.detector("yunet_n").files
    status, good = path.stat(), path.read_bytes()
    path.write_bytes(b"?" + good[1:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    store.detector("yunet_n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    with pytest.raises(WeightsError, match="damaged"):
        store.detector("yunet_n")


BROKEN_RECORDS = ["", "{", "[]", "{}", "null", '"x"', '{"name": "mine", "files": [], "spec": null}']
OTHERS = ['{"spec": {"width": 1}, "files": []}', '{"spec": null, "files": [{"filename": "../../x"}]}']


@pytest.mark.parametrize("text", [*BROKEN_RECORDS, *OTHERS])
def test_broken_record(store: Store, file: Path, text: str) -> None:
    store.import_embedder(file, "mine", make_spec())
    (store.folder / "mine" / "entry.json").write_text(text)
    with pytest.raises(WeightsError, match=r"entry\.json: not readable"):
        store.embedder("mine")
    (installed,) = store.listing()
    assert installed.name == "mine" and installed.problem is not None
    store.import_embedder(file, "mine", make_spec())
    assert store.embedder("mine").spec == make_spec()


def test_a_record_cannot_reach_out_of_its_folder(store: Store, file: Path) -> None:
    store.import_embedder(file, "mine", make_spec())
    path = store.folder / "mine" / "entry.json"
    record = json.loads(path.read_text())
    record["files"][0]["filename"] = "../../mine.onnx"
    path.write_text(json.dumps(record))
    with pytest.raises(WeightsError, match="not a plain file name"):
        store.embedder("mine")


def test_many_threads_put_the_same_name(store: Store, file: Path) -> None:
    failures: list[BaseException] = []

    def put() -> None:
        try:
            store.add("same", "detector", {"network": file}, None, "MIT", True, "here")
            store.detector("same")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [path.name for path in store.folder.iterdir()] == ["same"]

"""`weights`: the catalogue and the store, by the command."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multiface.images import load_picture
from multiface.weights.catalogue import CATALOGUE, find
from multiface.weights.session import Engine, open_session
from tests.weights.linear_network import make_network

Call = Callable[..., Any]
SPEC = find("mobilefacenet_128_ms1m").spec
OPEN = "edgeface_xs"
"""Research weights of which the catalogue has no checksum."""


@pytest.fixture
def own_store(tmp_path: Path) -> dict[str, str]:
    """Variables for a store of the test, empty at first, and weights that are not in the package."""
    return {
        "MULTIFACE_STORE": str(tmp_path / "own"),
        "MULTIFACE_DETECTOR": "yunet_n",
        "MULTIFACE_WEIGHTS": "mobilefacenet_128_ms1m",
    }


@pytest.fixture(scope="session")
def network(shared: Path) -> Path:
    return shared / "data" / "weights" / "mobilefacenet_128_ms1m.onnx"


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A network that the catalogue does not know, with its batch fixed at 1."""
    path = tmp_path / "changed.onnx"
    path.write_bytes(make_network(112, 128))
    return path


@pytest.fixture
def pull(tmp_path: Path) -> tuple[str, ...]:
    """The command that pulls a network from a folder whose checksum the catalogue leaves to the user."""
    folder = tmp_path / "stick"
    folder.mkdir()
    content = make_network(112, 512)
    (folder / "any.onnx").write_bytes(content)
    return ("weights", "pull", OPEN, "--from", str(folder), "--sha256", hashlib.sha256(content).hexdigest())


def states(call: Call, env: dict[str, str]) -> dict[str, str]:
    return {
        one["name"]: one["state"] for one in call("weights", "list", "--json", env=env).document()["weights"]
    }


def test_list_names_every_entry_with_its_licence(call: Call, own_store: dict[str, str]) -> None:
    listed = call("weights", "list", "--json", env=own_store).document()["weights"]
    assert [one["name"] for one in listed] == [entry.name for entry in CATALOGUE]
    for one, entry in zip(listed, CATALOGUE, strict=True):
        assert (one["licence"], one["commercial"], one["kind"]) == (
            entry.licence,
            entry.commercial,
            entry.kind,
        )
    known = states(call, own_store)
    assert known["mtcnn"] == known["sface"] == "in the package"
    assert known["yunet_n"] == "not pulled"
    words = call("weights", "list", env=own_store | {"COLUMNS": "200"}).out
    assert "mobilefacenet_128_ms1m" in words and "Apache-2.0" in words


def test_show(call: Call) -> None:
    document = call("weights", "show", "mobilefacenet_128_ms1m", "--json").document()
    assert (document["licence"], document["commercial"]) == ("Apache-2.0", True)
    assert document["files"][0]["sha256"] == find("mobilefacenet_128_ms1m").files[0].sha256
    words = call("weights", "show", "scrfd_2.5g").out
    assert "licence: non-commercial" in words and "sha256" in words


def test_pull_from_a_folder_knows_files_by_their_content(
    call: Call, own_store: dict[str, str], network: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    shutil.copy(network, folder / "renamed.bin")
    (folder / "mobilefacenet_128_ms1m.onnx").write_bytes(b"something else")
    done = call("weights", "pull", "mobilefacenet_128_ms1m", "--from", folder, "--json", env=own_store)
    assert done.code == 0, done
    assert done.document()["licence"] == "Apache-2.0"
    assert "licence Apache-2.0; a company may use it" in done.err
    assert states(call, own_store)["mobilefacenet_128_ms1m"] == "installed"
    again = call("weights", "pull", "mobilefacenet_128_ms1m", "--from", folder, "--json", env=own_store)
    assert again.document() == done.document()
    assert call("weights", "remove", "mobilefacenet_128_ms1m", "--json", env=own_store).code == 0
    assert states(call, own_store)["mobilefacenet_128_ms1m"] == "not pulled"


def test_the_licence_of_research_weights_is_said(
    call: Call, own_store: dict[str, str], pull: tuple[str, ...]
) -> None:
    assert call(*pull[:-2], env=own_store).code != 0, "not without its checksum"
    done = call(*pull, env=own_store)
    assert done.code == 0
    assert "a company may NOT use it" in done.err


def test_a_spoilt_file_is_never_taken(
    call: Call, own_store: dict[str, str], pull: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "stick" / "any.onnx"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    done = call(*pull, env=own_store)
    assert done.code in (3, 4)
    assert states(call, own_store)[OPEN] == "not pulled"


def test_the_message_of_missing_weights_is_a_command_that_works(
    call: Call, own_store: dict[str, str], shared: Path, portrait: Path
) -> None:
    done = call("detect", portrait, env=own_store)
    assert done.code == 4
    command = "multiface weights pull yunet_n --from FOLDER"
    assert command in done.err
    words = command.replace("FOLDER", str(shared / "data" / "weights")).split()[1:]
    assert call(*words, env=own_store).code == 0
    assert call("detect", portrait, env=own_store).code == 0


def test_damage_in_the_store_is_seen_and_mended(
    call: Call, own_store: dict[str, str], pull: tuple[str, ...], portrait: Path, tmp_path: Path
) -> None:
    assert call(*pull, env=own_store).code == 0
    (file,) = (tmp_path / "own" / OPEN).glob("*.onnx")
    file.write_bytes(file.read_bytes()[:-1] + b"\0\0")
    assert states(call, own_store)[OPEN] == "damaged"
    embed = ("embed", portrait, "--json", "--detector", "mtcnn", "--weights", OPEN)
    assert call(*embed, env=own_store).code == 3
    assert call(*pull, env=own_store).code == 0
    assert states(call, own_store)[OPEN] == "installed"
    assert call(*embed, env=own_store).code == 0


def test_import_with_a_spec(
    call: Call, own_store: dict[str, str], changed: Path, portrait: Path, tmp_path: Path
) -> None:
    """A network of one's own, its batch fixed at 1: what it computes of the aligned crop, by itself."""
    assert SPEC is not None
    (tmp_path / "spec.json").write_text(SPEC.to_json())
    done = call(
        "weights", "import", changed, "--name", "mine", "--spec", "spec.json", "--json", env=own_store
    )
    assert done.code == 0, done
    document = done.document()
    assert (document["name"], document["licence"], document["commercial"]) == ("mine", "not stated", None)
    assert document["changed_nodes"] and document["max_difference"] < 1e-4
    assert states(call, own_store)["mine"] == "imported"
    embedded = call(
        "embed", portrait, "--detector", "mtcnn", "--weights", "mine", "--json", env=own_store
    ).document()
    assert embedded["fingerprint"] == document["fingerprint"]
    assert call("align", portrait, "--detector", "mtcnn", "--out", "crops").code == 0
    (crop,) = (tmp_path / "crops").rglob("*.png")
    picture = load_picture(crop).astype(np.float32).transpose(2, 0, 1)[None]
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (SPEC.mean, SPEC.std))
    session = open_session(changed.read_bytes(), Engine(threads=1))
    both = sum(
        session.run(None, {"image": one})[0][0]
        for one in ((picture - mean) / std, (picture[..., ::-1] - mean) / std)
    )
    np.testing.assert_allclose(embedded["faces"][0]["embedding"], both / np.linalg.norm(both), atol=1e-3)


def test_show_knows_imported_weights(
    call: Call, own_store: dict[str, str], changed: Path, tmp_path: Path
) -> None:
    assert SPEC is not None
    (tmp_path / "spec.json").write_text(SPEC.to_json())
    arguments = ("weights", "import", changed, "--name", "mine", "--spec", "spec.json", "--json")
    imported = call(*arguments, env=own_store).document()
    shown = call("weights", "show", "mine", "--json", env=own_store)
    assert shown.code == 0, shown
    document = shown.document()
    assert (document["kind"], document["licence"], document["commercial"]) == ("embedder", "not stated", None)
    assert document["fingerprint"] == imported["fingerprint"]
    assert document["origin"] == "imported from changed.onnx"
    assert document["files"][0]["published_sha256"] == hashlib.sha256(changed.read_bytes()).hexdigest()
    assert document["spec"] == json.loads(SPEC.to_json())
    assert document["problem"] is None
    words = call("weights", "show", "mine", env=own_store).out
    assert f"fingerprint: {imported['fingerprint']}" in words and "company may use: not stated" in words
    missing = call("weights", "show", "mime", env=own_store)
    assert missing.code == 4 and "Did you mean 'mine'?" in missing.err

    entry = tmp_path / "own" / "mine" / "entry.json"
    entry.write_text("{}")
    damaged = call("weights", "show", "mine", "--json", env=own_store)
    assert damaged.code == 0 and "not readable" in damaged.document()["problem"]


def test_import_of_a_known_file(call: Call, own_store: dict[str, str], network: Path, tmp_path: Path) -> None:
    done = call("weights", "import", network, "--name", "mine", "--json", env=own_store).document()
    assert (done["known_as"], done["licence"]) == ("mobilefacenet_128_ms1m", "Apache-2.0")
    assert SPEC is not None
    wrong = json.loads(SPEC.to_json()) | {"colour": "bgr"}
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    refused = call("weights", "import", network, "--name", "other", "--spec", "wrong.json", env=own_store)
    assert refused.code == 2


def test_import_without_a_spec_or_with_one_that_does_not_fit(
    call: Call, own_store: dict[str, str], changed: Path, tmp_path: Path
) -> None:
    assert call("weights", "import", changed, "--name", "mine", env=own_store).code == 3
    assert SPEC is not None
    (tmp_path / "spec.json").write_text(json.dumps(json.loads(SPEC.to_json()) | {"dimension": 512}))
    done = call("weights", "import", changed, "--name", "mine", "--spec", "spec.json", env=own_store)
    assert done.code == 3
    assert "512" in done.err
    assert "mine" not in states(call, own_store)


def test_a_name_of_the_catalogue_is_kept_for_it(
    call: Call, own_store: dict[str, str], changed: Path, tmp_path: Path
) -> None:
    assert SPEC is not None
    (tmp_path / "spec.json").write_text(SPEC.to_json())
    done = call("weights", "import", changed, "--name", "sface", "--spec", "spec.json", env=own_store)
    assert done.code == 2
    assert "catalogue's name" in done.err


def test_pulled_files_are_those_of_the_folder(call: Call, store: Path, shared: Path) -> None:
    """A detector is stored as it is published."""
    (file,) = (store / "yunet_n").glob("*.onnx")
    published = (shared / "data" / "weights" / "yunet_n_dynamic.onnx").read_bytes()
    assert hashlib.sha256(file.read_bytes()).digest() == hashlib.sha256(published).digest()
    assert os.access(file, os.R_OK)
    assert states(call, {})["yunet_n"] == "installed"


def test_a_model_file_of_the_original_is_imported_as_what_it_computes(
    call: Call, own_store: dict[str, str], tmp_path: Path
) -> None:
    import numpy as np
    import torch

    from multiface.train.networks.mobilefacenet import MobileFaceNet
    from multiface.weights.session import Engine, open_session
    from multiface.weights.store import Store

    torch.manual_seed(3)
    network = MobileFaceNet(64).eval()
    file = tmp_path / "model.pth"
    torch.save({f"module.{key}": value for key, value in network.state_dict().items()}, file)
    arguments = ("weights", "import", file, "--name", "old", "--arch", "mobilefacenet", "--json")
    assert call(*arguments, env=own_store).document()["name"] == "old"

    installed = Store(Path(own_store["MULTIFACE_STORE"]), tmp_path / "cache").embedder("old")
    assert (installed.spec.colour, installed.spec.dimension) == ("bgr", 64)
    session = open_session(Store(Path(own_store["MULTIFACE_STORE"]), tmp_path / "cache").any_batch(installed),
                           Engine(threads=1))  # fmt: skip
    pictures = torch.rand(3, 3, 112, 112) * 2 - 1
    (got,) = session.run(None, {session.get_inputs()[0].name: pictures.numpy()})
    with torch.no_grad():
        assert np.allclose(got, network.features(pictures).numpy(), atol=1e-4)


class Evil:
    """Pickles as a call of a harmless function, which would be seen."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("evil was run",)


@pytest.mark.parametrize("name", ["evil_zip.pth", "evil_legacy.pth"])
def test_a_checkpoint_with_code_is_refused(
    name: str, call: Call, own_store: dict[str, str], tmp_path: Path
) -> None:
    import torch

    file = tmp_path / name
    torch.save({"conv1.conv.weight": Evil()}, file, _use_new_zipfile_serialization=name == "evil_zip.pth")
    run = call("weights", "import", file, "--name", "evil", "--arch", "mobilefacenet", env=own_store)
    assert run.code == 3
    assert name in run.err
    assert call("weights", "import", file, "--name", "evil", env=own_store).code == 2
    assert call("weights", "import", file, "--name", "e", "--arch", "ir_51", env=own_store).code == 2
    assert "evil" not in states(call, own_store)
    assert not (tmp_path / "evil was run").exists()

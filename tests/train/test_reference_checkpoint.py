"""The original's checkpoint files, as torch 1.0.0 and 2.13.0 wrote them (golden/checkpoint)."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from multiface.errors import WeightsError
from multiface.train.networks.mobilefacenet import MobileFaceNet
from multiface.train.reference_checkpoint import load_network, read_state
from tests.train.reference_centres import centres_from_reference


@pytest.fixture
def folder(shared: Path) -> Path:
    return shared / "golden/checkpoint"


@pytest.fixture
def expected(folder: Path) -> dict[str, Any]:
    entries: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return entries


class FirstTwo(nn.Module):
    """The part of MobileFaceNet whose state the small files hold."""

    def __init__(self) -> None:
        super().__init__()
        whole = MobileFaceNet(512)
        self.conv1 = whole.conv1
        self.conv2_dw = whole.conv2_dw


def test_tensors_of_every_file(folder: Path, expected: dict[str, Any]) -> None:
    seen = 0
    for name, entry in expected.items():
        if "entries" not in entry:
            continue
        seen += 1
        state = read_state(folder / name)
        keys = [item["key"].removeprefix("module.") for item in entry["entries"]]
        assert list(state) == keys
        for item, value in zip(entry["entries"], state.values(), strict=True):
            assert list(value.shape) == item["shape"], (name, item["key"])
            assert str(value.dtype).removeprefix("torch.") == item["dtype"]
            data = value.contiguous().numpy()
            assert hashlib.sha256(data.tobytes()).hexdigest() == item["sha256_c_order"], (name, item["key"])
    assert seen == 9


@pytest.mark.parametrize(
    "name",
    [
        "legacy_torch1.0.0_model.pth",
        "legacy_torch1.0.0_model_without_num_batches_tracked.pth",
        "legacy_torch2.13.0_model.pth",
        "zip_torch2.13.0_model.pth",
        "zip_torch2.13.0_model_module_prefix.pth",
    ],
)
def test_a_network_is_filled(folder: Path, expected: dict[str, Any], name: str) -> None:
    network = FirstTwo()
    load_network(network, folder / name)
    sums = {item["key"].removeprefix("module."): item["sum"] for item in expected[name]["entries"]}
    for key, value in network.state_dict().items():
        assert value.double().sum().item() == pytest.approx(sums.get(key, 0), rel=1e-6, abs=1e-9)


def test_a_whole_network_saved_the_old_way(tmp_path: Path) -> None:
    source, target = MobileFaceNet(128), MobileFaceNet(128)
    state = {f"module.{k}": v for k, v in source.state_dict().items() if "num_batches" not in k}
    torch.save(state, tmp_path / "model.pth", _use_new_zipfile_serialization=False)
    load_network(target, tmp_path / "model.pth")
    for a, b in zip(source.state_dict().values(), target.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", ["legacy_torch1.0.0_head.pth", "zip_torch2.13.0_head.pth"])
def test_a_head(folder: Path, name: str) -> None:
    state = read_state(folder / name)
    centres = centres_from_reference(state)
    assert centres.shape == (2, 6, 8)
    assert torch.equal(centres[1, 4], state["para1"][:, 4])


@pytest.mark.parametrize("name", ["legacy_torch1.0.0_optimizer.pth", "zip_torch2.13.0_optimizer.pth"])
def test_an_optimiser_is_no_network(folder: Path, name: str) -> None:
    with pytest.raises(WeightsError, match="optimiser"):
        read_state(folder / name)


@pytest.mark.parametrize("name", ["evil_legacy.pth", "evil_zip.pth"])
def test_files_that_would_run_code_are_refused(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[object] = []
    monkeypatch.setattr("os.getenv", lambda *arguments: called.append(arguments))
    with pytest.raises(WeightsError, match="refused"):
        read_state(folder / name)
    with pytest.raises(WeightsError, match="refused"):
        load_network(FirstTwo(), folder / name)
    assert not [arguments for arguments in called if "GOLDEN_EVIL_MARK" in str(arguments)]


def test_files_of_something_else(folder: Path, tmp_path: Path) -> None:
    network = FirstTwo()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    whole = (folder / "zip_torch2.13.0_model.pth").read_bytes()
    legacy = (folder / "legacy_torch1.0.0_model.pth").read_bytes()
    bad = tmp_path / "bad.pth"
    for content in (b"", b"hello", whole[:5000], legacy[:5000], whole[:-30], legacy[:40], b"\x80\x02}q\x00."):
        bad.write_bytes(content)
        with pytest.raises(WeightsError, match=r"bad\.pth"):
            load_network(network, bad)
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("data", b"no pickle")
    with pytest.raises(WeightsError, match=r"bad\.pth"):
        read_state(bad)
    for value in ([torch.zeros(1)], {"a": 1}, {"state_dict": {"a": torch.zeros(1)}}, {}, torch.zeros(2)):
        torch.save(value, bad)
        with pytest.raises(WeightsError, match=r"bad\.pth"):
            read_state(bad)
    with pytest.raises(WeightsError, match="no such file"):
        read_state(tmp_path / "absent.pth")
    with pytest.raises(WeightsError, match="unknown"):
        load_network(network, folder / "zip_torch2.13.0_head.pth")
    state = read_state(folder / "zip_torch2.13.0_model.pth")
    state["conv1.conv.weight"] = torch.zeros(2, 3, 3, 3)
    torch.save(state, bad)
    with pytest.raises(WeightsError, match="another shape"):
        load_network(network, bad)
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key])

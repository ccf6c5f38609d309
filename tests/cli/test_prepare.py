"""The commands of `prepare`: their JSON, their words, their exit codes."""

import json
import os
import pickle
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from multiface.cli.main import exit_code
from multiface.cli.prepare_commands import prepare
from multiface.datasets.bin_pack import read_bin
from multiface.datasets.identities import identities_from_records
from multiface.datasets.recordio import Record, RecordWriter
from multiface.errors import MultifaceError
from multiface.images import save_picture
from tests.datasets.literal_records import pictures, write_training_set
from tests.datasets.shard_files import write_samples
from tests.drawn_faces import drawn_face, save_people


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("weights")
    return {"MULTIFACE_STORE": str(folder / "store"), "MULTIFACE_CACHE": str(folder / "cache")}


@pytest.fixture(scope="module")
def emore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training set of 8 people and 40 pictures, as others write it."""
    return write_training_set(tmp_path_factory.mktemp("emore"))


@pytest.fixture(scope="module")
def dozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 records without a header."""
    folder = tmp_path_factory.mktemp("dozen")
    with RecordWriter(folder / "train.rec", folder / "train.idx") as writer:
        for key, content in list(pictures().items())[:12]:
            writer.write(key, Record(float(key % 3), key, 0, content))
    return folder


@pytest.fixture(scope="module")
def bins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two packs of 6 pairs, one of them by Python 2's protocol, and one that would call a function."""

    class Evil:
        def __reduce__(self):
            return os.getenv, ("HOME",)

    folder = tmp_path_factory.mktemp("bins")
    pair = ([content for _, content in zip(range(12), pictures().values(), strict=False)], [True, False] * 3)
    for name, value, protocol in (("old", pair, 2), ("new", pair, 5), ("evil", Evil(), 4)):
        (folder / f"{name}.bin").write_bytes(pickle.dumps(value, protocol))
    return folder


def run(*arguments: object, environment: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(prepare, [str(one) for one in arguments], env=environment)


def document(result: Result, code: int = 0) -> dict:
    assert result.exit_code == code, (result.output, result.exception)
    return json.loads(result.stdout)


def code(result: Result) -> int:
    assert isinstance(result.exception, MultifaceError), (result.output, result.exception)
    return exit_code(result.exception)


def test_rec_there_and_back(emore, tmp_path):
    first = document(run("rec", emore, "--out", tmp_path / "tree", "--json"))
    assert (first["pictures"], first["people"], first["written"], first["kept"]) == (40, 8, 40, 0)
    again = document(run("rec", emore, "--out", tmp_path / "tree", "--json"))
    assert (again["written"], again["mended"], again["kept"]) == (0, 0, 40)
    back = document(run("rec", tmp_path / "tree" / "imgs", "--out", tmp_path / "back", "--json"))
    assert (back["pictures"], back["people"], back["width"], back["height"]) == (40, 8, 112, 112)
    assert (tmp_path / "back" / "train.rec").read_bytes() == (emore / "train.rec").read_bytes()


def test_without_json_the_result_is_words(dozen, tmp_path):
    result = run("rec", dozen, "--out", tmp_path)
    assert result.exit_code == 0
    assert "12 pictures (12 written, 0 mended, 0 there already)" in result.stdout


def test_bin_takes_several_packs(bins, tmp_path):
    result = document(run("bin", bins / "old.bin", bins / "new.bin", "--out", tmp_path, "--json"))
    assert [(one["pairs"], one["pictures"], one["written"]) for one in result["packs"]] == [(6, 12, 12)] * 2
    assert (tmp_path / "new" / "000005.jpg").is_file()


def test_photos_become_crops_and_records(tmp_path, places):
    photos = save_people(tmp_path / "photos", {"ada": 2, "dora": 2})
    (photos / "Nobody").mkdir()
    (photos / "Nobody" / "a.jpg").write_bytes(b"\xff\xd8\xff broken")
    arguments = (
        "photos",
        photos,
        "--out",
        tmp_path / "out",
        "--records",
        "--json",
    )

    result = run(*arguments, environment=places)

    told = document(result, 3)
    assert (told["crops"], told["people"], told["photos"], told["looked_at"]) == (4, 2, 5, 5)
    assert told["people_without_crop"] == ["Nobody"]
    assert [one["reason"] for one in told["dropped"]] == ["not readable"]
    assert "Nobody: no photo with one clear face" in result.stderr
    assert told["records"]["pictures"] == 4
    records = identities_from_records(tmp_path / "out")
    assert records.labels.tolist() == [0, 0, 1, 1]
    crops = sorted((tmp_path / "out" / "imgs").rglob("*.jpg"))
    assert {records.read(k) for k in range(4)} == {crop.read_bytes() for crop in crops}
    assert document(run(*arguments, environment=places), 3)["looked_at"] == 1  # the broken one, again


def test_lfw_becomes_a_pack(tmp_path, places):
    folder = tmp_path / "lfw"
    folder.mkdir()
    (folder / "pairs.txt").write_text("1\nada\t1\t2\nada\t1\tbob\t1\n")
    for name, take in (("ada", 0), ("ada", 1), ("bob", 0)):
        (folder / name).mkdir(exist_ok=True)
        save_picture(drawn_face(name, take), folder / name / f"{name}_{take + 1:04}.jpg")
    told = document(run("lfw", folder, "--out", tmp_path / "out", "--json", environment=places))
    assert (told["pairs"], told["pictures"], told["without_face"]) == (2, 3, [])
    assert read_bin(Path(told["pack"])).issame.tolist() == [True, False]


def test_exit_codes(emore, dozen, bins, tmp_path, places):
    run("rec", emore, "--out", tmp_path)
    assert code(run("rec", dozen, "--out", tmp_path)) == 2
    assert code(run("bin", bins / "evil.bin", bins / "evil.bin", "--out", tmp_path)) == 2
    assert run("rec", dozen).exit_code == 2
    assert run("bin", bins / "evil.bin", "--out", tmp_path).exit_code == 3
    assert code(run("rec", tmp_path / "nowhere", "--out", tmp_path)) == 3
    assert "name " in str(run("rec", tmp_path, "--out", tmp_path / "x").exception)
    (tmp_path / "walls" / "a").mkdir(parents=True)
    (tmp_path / "walls" / "a" / "b.jpg").write_bytes(b"\xff\xd8\xff broken")
    arguments = ("photos", tmp_path / "walls", "--out", tmp_path / "out", "--detector")
    assert code(run(*arguments, "yunet_onet", environment=places)) == 3
    assert code(run(*arguments, "scrfd_500m", environment=places)) == 4


def test_shards_become_records(dozen, tmp_path):
    records = identities_from_records(dozen)
    samples = [(f"{k:03}", int(records.labels[k]), records.read(k)) for k in range(len(records))]
    write_samples(tmp_path / "train-0.tar", samples[:5])
    write_samples(tmp_path / "train-1.tar", [*samples[5:], ("broken", 0, b"none")])
    result = run("rec", tmp_path / "train-{0..1}.tar", "--out", tmp_path / "out", "--json")
    told = document(result, 3)
    assert (told["pictures"], told["people"], told["width"], len(told["left_out"])) == (12, 3, 112, 1)
    again = identities_from_records(tmp_path / "out")
    assert again.labels.tolist() == records.labels.tolist()
    assert [again.read(k) for k in range(12)] == [records.read(k) for k in range(12)]
    assert code(run("rec", tmp_path / "none.tar", "--out", tmp_path / "out")) == 3

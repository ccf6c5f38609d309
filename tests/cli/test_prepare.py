"""The commands of `prepare`: their JSON, their words, their exit codes, on real data."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from multiface.cli.main import exit_code
from multiface.cli.prepare_commands import prepare
from multiface.datasets.bin_pack import read_bin
from multiface.datasets.identities import identities_from_records
from multiface.errors import MultifaceError
from multiface.weights.store import Store


@pytest.fixture(scope="module")
def places(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("weights")
    Store(folder / "store", folder / "cache").pull("scrfd_2.5g", shared / "data" / "weights")
    return {"MULTIFACE_STORE": str(folder / "store"), "MULTIFACE_CACHE": str(folder / "cache")}


def run(*arguments: object, environment: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(prepare, [str(one) for one in arguments], env=environment)


def document(result: Result, code: int = 0) -> dict:
    assert result.exit_code == code, (result.output, result.exception)
    return json.loads(result.stdout)


def code(result: Result) -> int:
    assert isinstance(result.exception, MultifaceError), (result.output, result.exception)
    return exit_code(result.exception)


def test_rec_there_and_back(shared, tmp_path):
    source = shared / "golden" / "records" / "emore_scalar"
    first = document(run("rec", source, "--out", tmp_path / "tree", "--json"))
    assert (first["pictures"], first["people"], first["written"], first["kept"]) == (40, 8, 40, 0)
    again = document(run("rec", source, "--out", tmp_path / "tree", "--json"))
    assert (again["written"], again["mended"], again["kept"]) == (0, 0, 40)
    back = document(run("rec", tmp_path / "tree" / "imgs", "--out", tmp_path / "back", "--json"))
    assert (back["pictures"], back["people"], back["width"], back["height"]) == (40, 8, 112, 112)
    assert (tmp_path / "back" / "train.rec").read_bytes() == (source / "train.rec").read_bytes()


def test_without_json_the_result_is_words(shared, tmp_path):
    result = run("rec", shared / "golden" / "records" / "no_record0", "--out", tmp_path)
    assert result.exit_code == 0
    assert "12 pictures (12 written, 0 mended, 0 there already)" in result.stdout


def test_bin_takes_several_packs(shared, tmp_path):
    bins = shared / "golden" / "bins"
    result = document(
        run("bin", bins / "py2_pickle_proto2.bin", bins / "py3_proto5.bin", "--out", tmp_path, "--json")
    )
    assert [(one["pairs"], one["pictures"], one["written"]) for one in result["packs"]] == [(6, 12, 12)] * 2
    assert (tmp_path / "py3_proto5" / "000005.png").is_file()


def test_photos_become_crops_and_records(shared, tmp_path, places):
    photos = tmp_path / "photos"
    for name in ("biden", "howard"):
        person = shared / "data" / "photos" / "people" / name
        (photos / person.name).mkdir(parents=True)
        for photo in sorted(person.iterdir())[:2]:
            shutil.copy(photo, photos / person.name)
    (photos / "Nobody").mkdir()
    (photos / "Nobody" / "a.jpg").write_bytes(b"\xff\xd8\xff broken")
    arguments = (
        "photos",
        photos,
        "--out",
        tmp_path / "out",
        "--records",
        "--detector",
        "scrfd_2.5g",
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


def test_lfw_becomes_a_pack(shared, tmp_path, places):
    source, folder = shared / "data" / "lfw", tmp_path / "lfw"
    folder.mkdir()
    (folder / "pairs.txt").write_text("1\nHal_Sutton\t1\t2\nHal_Sutton\t1\tEric_Daze\t1\n")
    for path in (
        "Hal_Sutton/Hal_Sutton_0001.jpg",
        "Hal_Sutton/Hal_Sutton_0002.jpg",
        "Eric_Daze/Eric_Daze_0001.jpg",
    ):
        (folder / path).parent.mkdir(exist_ok=True)
        donor = path if (source / path).is_file() else "Hal_Sutton/Hal_Sutton_0002.jpg"
        shutil.copy(source / donor, folder / path)
    told = document(
        run(
            "lfw", folder, "--out", tmp_path / "out", "--detector", "scrfd_2.5g", "--json", environment=places
        )
    )
    assert (told["pairs"], told["pictures"], told["without_face"]) == (2, 3, [])
    assert read_bin(Path(told["pack"])).issame.tolist() == [True, False]


def test_exit_codes(shared, tmp_path, places):
    records, bins = shared / "golden" / "records", shared / "golden" / "bins"
    run("rec", records / "emore_scalar", "--out", tmp_path)
    assert code(run("rec", records / "no_record0", "--out", tmp_path)) == 2
    assert code(run("bin", bins / "evil.bin", bins / "evil.bin", "--out", tmp_path)) == 2
    assert run("rec", records / "no_record0").exit_code == 2
    assert run("bin", bins / "evil.bin", "--out", tmp_path).exit_code == 3
    assert code(run("rec", tmp_path / "nowhere", "--out", tmp_path)) == 3
    assert "name " in str(run("rec", tmp_path, "--out", tmp_path / "x").exception)
    (tmp_path / "walls" / "a").mkdir(parents=True)
    (tmp_path / "walls" / "a" / "b.jpg").write_bytes(b"\xff\xd8\xff broken")
    arguments = ("photos", tmp_path / "walls", "--out", tmp_path / "out", "--detector")
    assert code(run(*arguments, "scrfd_2.5g", environment=places)) == 3
    assert code(run(*arguments, "scrfd_500m", environment=places)) == 4

"""IJB-B and IJB-C from a small made set of the published layout; figures against literal loops."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from multiface.datasets.ijb import IjbFolder
from multiface.errors import DataSetError
from multiface.evaluate.ijb import embed_faces, identify_in, pool_templates, template_pairs
from multiface.evaluate.protocol import score_pairs
from multiface.faces.embedder import Embedder
from multiface.weights.spec import ARCFACE_TEMPLATE
from tests.weights.linear_network import make_spec

PEOPLE = 12


def face(person: int, picture: int) -> np.ndarray:
    base = np.random.default_rng(person).integers(0, 256, (7, 7, 3))
    noise = np.random.default_rng(100 * person + picture).integers(-60, 61, (7, 7, 3))
    small = np.clip(base + noise, 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((112, 112), Image.Resampling.BICUBIC))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return made(tmp_path)


def made(tmp_path: Path) -> Path:
    """ijbb: 12 people; templates 10p (gallery, 2 pictures), 10p + 1 (probe: a picture and two frames of a film).

    People 0..7 are in gallery S1, 8..11 in S2.
    """
    (tmp_path / "loose_crop").mkdir()
    (tmp_path / "meta").mkdir()
    points, media, galleries, probes, number = [], [], {"S1": [], "S2": []}, [], 0
    for person in range(PEOPLE):
        for picture in range(5):
            number += 1
            template = 10 * person + (picture >= 2)
            medium = 1000 * person + (picture if picture < 3 else 9)
            # Moved by 20 and 10 pixels, as the landmarks say.
            canvas = Image.new("RGB", (160, 150))
            canvas.paste(Image.fromarray(face(person, picture)), (20, 10))
            canvas.save(tmp_path / "loose_crop" / f"{number}.jpg", quality=95)
            places = " ".join(f"{x + 20:.3f} {y + 10:.3f}" for x, y in ARCFACE_TEMPLATE)
            points.append(f"{number}.jpg {places} 0.99")
            media.append(f"{number}.jpg {template} {medium}")
            row = f"{template},{person + 500},img/{number}.jpg,1,2"
            (probes if picture >= 2 else galleries["S1" if person < 8 else "S2"]).append(row)
    pairs = [f"{10 * a} {10 * b + 1} {int(a == b)}" for a in range(PEOPLE) for b in range(PEOPLE)]
    heads = "TEMPLATE_ID,SUBJECT_ID,FILENAME,FACE_X,FACE_Y\n"
    meta = tmp_path / "meta"
    (meta / "ijbb_name_5pts_score.txt").write_text("\n".join(points) + "\n")
    (meta / "ijbb_face_tid_mid.txt").write_text("\n".join(media) + "\n")
    (meta / "ijbb_template_pair_label.txt").write_text("\n".join(pairs) + "\n")
    (meta / "ijbb_1N_probe_mixed.csv").write_text(heads + "\n".join(probes) + "\n")
    for name, rows in galleries.items():
        (meta / f"ijbb_1N_gallery_{name}.csv").write_text(heads + "\n".join(rows) + "\n")
    return tmp_path


class Means:
    """A network of one's own: means of 8 x 8 pixels, less their mean."""

    name, fingerprint, flip = "means", "means-1", False
    spec = make_spec(112, 588)

    def features(self, crops: np.ndarray, /) -> np.ndarray:
        small = crops.reshape(len(crops), 14, 8, 14, 8, 3).mean(axis=(2, 4)).reshape(len(crops), -1)
        return (small - small.mean(axis=1, keepdims=True)).astype(np.float32)


def vectors_of(root: Path) -> tuple[IjbFolder, np.ndarray, np.ndarray, np.ndarray]:
    folder = IjbFolder.open(root)
    embeddings = embed_faces(folder, Embedder(Means()), False, 2)
    return folder, embeddings, *pool_templates(embeddings, folder.template, folder.media)


def test_faces_are_aligned_on_the_folders_landmarks(root: Path) -> None:
    """The crop of a moved face is the face: its embedding is that of the picture it was made of."""
    folder, embeddings, _, _ = vectors_of(root)
    straight = Embedder(Means()).embed(np.stack([face(p, k) for p in range(PEOPLE) for k in range(5)]), False)
    assert (embeddings * straight).sum(1).min() > 0.99
    assert folder.name == "ijbb" and len(folder.paths) == 60


def test_templates_are_means_by_medium_then_sums(root: Path) -> None:
    folder, embeddings, names, vectors = vectors_of(root)
    assert names.tolist() == sorted({10 * p + k for p in range(PEOPLE) for k in (0, 1)})
    for row, template in enumerate(names.tolist()):
        by_medium: dict[int, list[np.ndarray]] = {}
        for one, of, medium in zip(embeddings, folder.template, folder.media, strict=True):
            if of == template:
                by_medium.setdefault(int(medium), []).append(one.astype(np.float64))
        # Two pictures of their own, or a picture and a film of two frames.
        assert sorted(map(len, by_medium.values())) == ([1, 1] if template % 10 == 0 else [1, 2])
        total = sum(np.mean(faces, axis=0) for faces in by_medium.values())
        assert vectors[row] == pytest.approx(total / np.linalg.norm(total), abs=1e-6)


def test_pairs_know_their_people(root: Path) -> None:
    folder, _, names, vectors = vectors_of(root)
    pairs = template_pairs(folder, names)
    assert len(pairs) == 144 and int(pairs.issame.sum()) == 12
    assert pairs.left_subject is not None and set(pairs.left_subject.tolist()) == set(range(500, 512))
    scores = score_pairs(vectors, pairs)
    a, b = names.tolist().index(30), names.tolist().index(71)
    row = 3 * PEOPLE + 7
    assert scores[row] == pytest.approx(float(vectors[a] @ vectors[b]), abs=1e-5)


def test_identification_is_what_loops_find(root: Path) -> None:
    folder, _, names, vectors = vectors_of(root)
    vectors = vectors + np.random.default_rng(0).normal(0, 0.06, vectors.shape).astype(np.float32)
    found = {one.gallery: one for one in identify_in(folder, names, vectors)}
    assert list(found) == ["S1", "S2"]
    where = {int(name): row for row, name in enumerate(names)}
    for gallery, people in (("S1", range(8)), ("S2", range(8, 12))):
        one = found[gallery]
        others = [p for p in range(PEOPLE) if p not in people]
        assert (one.people, one.mated, one.strangers) == (len(people), len(people), len(others))
        score = {
            (p, g): float(vectors[where[10 * p + 1]] @ vectors[where[10 * g]])
            for p in range(PEOPLE)
            for g in people
        }
        place = [1 + sum(score[p, g] >= score[p, p] for g in people if g != p) for p in people]
        for rank, share in one.ranks:
            assert share == pytest.approx(np.mean([k <= rank for k in place]))
        best = sorted(max(score[p, g] for g in people) for p in others)
        for rate in one.tpir_at_fpir:
            allowed = int(rate.fpir * len(others) + 1e-9)
            least = best[-1 - allowed]  # must be refused
            hits = [k == 1 and score[p, p] > least for p, k in zip(people, place, strict=True)]
            assert rate.tpir == pytest.approx(np.mean(hits))
            assert not rate.supported


def test_without_the_lists_of_1_to_n_there_are_pairs_alone(root: Path) -> None:
    for file in (root / "meta").glob("*_1N_*"):
        file.unlink()
    folder, _, names, vectors = vectors_of(root)
    assert identify_in(folder, names, vectors) == ()
    assert template_pairs(folder, names).left_subject is None


def test_ijbc_has_other_names(root: Path) -> None:
    for file in (root / "meta").iterdir():
        file.rename(file.with_name(file.name.replace("ijbb", "ijbc").replace("_S", "_G")))
    assert IjbFolder.is_one(root)
    folder = IjbFolder.open(root)
    assert folder.name == "ijbc" and [name for name, _ in folder.galleries] == ["G1", "G2"]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("face_tid_mid.txt", "2.jpg 0 1\n", "", "other faces"),
        ("face_tid_mid.txt", "2.jpg 0 1\n", "3.jpg 0 1\n", "other faces"),
        ("face_tid_mid.txt", "2.jpg 0 1\n", "2.jpg zero 1\n", "not a number"),
        ("face_tid_mid.txt", "2.jpg 0 1\n", "2.jpg 0\n", "line 2 has 2 words"),
        ("template_pair_label.txt", "0 1 1\n", "0 777 1\n", "templates that have faces"),
        ("template_pair_label.txt", "0 1 1\n", "0 1 2\n", "0 or 1"),
        ("template_pair_label.txt", "0 11 0\n", "0 11 1\n", "contradict 1"),
        ("1N_probe_mixed.csv", "1,500,img/3.jpg", "1,501,img/3.jpg", "one subject each"),
        ("1N_gallery_S1.csv", "0,500,img/1.jpg", "999,500,img/1.jpg", "without a face"),
    ],
)
def test_lists_that_contradict_themselves_are_refused(
    root: Path, file: str, old: str, new: str, message: str
) -> None:
    path = root / "meta" / f"ijbb_{file}"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DataSetError, match=message):
        folder = IjbFolder.open(root)
        template_pairs(folder, np.unique(folder.template))


def test_a_name_that_leads_out_of_the_folder_is_refused(root: Path) -> None:
    for name in ("face_tid_mid", "name_5pts_score"):
        path = root / "meta" / f"ijbb_{name}.txt"
        path.write_text(path.read_text().replace("2.jpg ", "../2.jpg ", 1))
    with pytest.raises(DataSetError, match="cannot be the name"):
        IjbFolder.open(root)


def test_a_folder_of_another_kind_is_none(tmp_path: Path) -> None:
    assert not IjbFolder.is_one(tmp_path)
    with pytest.raises(DataSetError, match="template_pair_label"):
        IjbFolder.open(tmp_path)

"""YuNet's faces with O-Net's landmarks: what stays YuNet's, and what comes nearer to MTCNN's."""

import numpy as np
import pytest

from multiface.faces.detector import Detector
from multiface.faces.face import Image
from multiface.faces.mtcnn import MtcnnSessions
from multiface.faces.plausible import plausible
from multiface.faces.yunet import YuNet
from multiface.faces.yunet_onet import YuNetOnet
from multiface.weights.session import Engine, open_session
from multiface.weights.store import Store


@pytest.fixture(scope="module")
def both(store: Store, detectors: dict[str, Detector]) -> YuNetOnet:
    yunet = detectors["yunet_n"]
    assert isinstance(yunet, YuNet)
    sessions = {role: open_session(path, Engine()) for role, path in store.detector("mtcnn").files}
    return YuNetOnet(yunet, MtcnnSessions(**sessions).onet)


def test_boxes_and_scores_stay_and_landmarks_come_near_mtcnns(
    both: YuNetOnet, detectors: dict[str, Detector], portrait: Image
) -> None:
    plain, found, mtcnn = (d.detect(portrait) for d in (both.yunet, both, detectors["mtcnn"]))
    np.testing.assert_array_equal(found.boxes, plain.boxes)
    np.testing.assert_array_equal(found.scores, plain.scores)
    before = np.abs(plain.landmarks[0] - mtcnn.landmarks[0]).mean()
    assert np.abs(found.landmarks[0] - mtcnn.landmarks[0]).mean() < before


def test_only_points_that_can_be_a_face_replace_yunets(both: YuNetOnet, portrait: Image) -> None:
    """On its head, too, where YuNet sees faces of which O-Net makes nothing."""
    for turns in range(4):
        picture = np.ascontiguousarray(np.rot90(portrait, turns))
        plain, found = both.yunet.detect(picture), both.detect(picture)
        changed = (plain.landmarks != found.landmarks).any(axis=(1, 2))
        assert plausible(found)[changed].all()


def test_nothing_is_nothing(both: YuNetOnet) -> None:
    assert len(both.detect(np.zeros((64, 96, 3), np.uint8))) == 0

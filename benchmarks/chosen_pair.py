"""The detector and the embedder that a benchmark of accuracy is asked about: its options, and what they open."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from multiface.datasets.people import portraits_by_person
from multiface.decision import Calibration, choose_calibration
from multiface.evaluate.measure import embed_portraits
from multiface.faces.detector import Detector
from multiface.faces.embedder import Embedder
from multiface.faces.opening import open_detector, open_embedder
from multiface.recognition.recognizer import DETECTOR, WEIGHTS
from multiface.weights.places import default_cache_folder, default_store_folder
from multiface.weights.session import Engine, usable_processors
from multiface.weights.store import Store


@dataclass(frozen=True)
class ChosenPair:
    """Both networks, open. folder: of the pictures. title: the names of both. calibrations: the user's own."""

    folder: Path
    title: str
    detector: Detector
    detector_name: str
    embedder: Embedder
    calibrations: Path

    def portraits(self) -> tuple[np.ndarray, np.ndarray]:
        """Unit embeddings (n, d) of all pictures of the folder, and the person of each (n,).

        With flips where the weights gain by them.
        """
        pictures = portraits_by_person(self.folder)
        paths = [picture.path for picture in pictures]
        found = embed_portraits(paths, self.detector, self.embedder, self.embedder.flip, usable_processors())
        return found.embeddings, np.array([picture.person for picture in pictures])

    def calibration(self, own: Path | None = None) -> Calibration:
        """For the same flips: the one in force in this folder, or the package's. Raises NotAvailable."""
        return choose_calibration(
            own,
            detector=self.detector_name,
            weights=self.embedder.name,
            fingerprint=self.embedder.fingerprint,
            flip=self.embedder.flip,
        ).calibration


def chosen_pair(description: str | None, engine: Engine) -> ChosenPair:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--detector", default=DETECTOR)
    parser.add_argument("--weights", default=WEIGHTS)
    parser.add_argument("--store", type=Path, default=default_store_folder())
    parser.add_argument("--cache", type=Path, default=default_cache_folder())
    given = parser.parse_args()
    store = Store(given.store, given.cache)
    return ChosenPair(
        given.folder,
        f"{given.detector} + {given.weights}",
        open_detector(store, given.detector, engine),
        given.detector,
        open_embedder(store, given.weights, engine),
        given.store / "calibrations",
    )

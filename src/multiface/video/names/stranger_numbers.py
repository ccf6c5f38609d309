"""Numbers for people without a name: the strangers of a gallery, met with a stated error rate.

A track is given the number of a stranger only where its similarity reaches the identification threshold for as many
people as there are strangers, raised by the spread of the stranger's vectors (`decision.Calibration.rise`) and of the
track's views (`pooling.probe_rise`): `rate` is the share of new people who are taken for some stranger already known.
"""

from collections.abc import Collection
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats
from multiface.decision import Calibration
from multiface.errors import UsageError
from multiface.faces.face import Image
from multiface.gallery import Gallery
from multiface.gallery.strangers import Sighting
from multiface.recognition import IDENTIFY_RATE
from multiface.video.tracks.pooling import probe_rise

DAYS = 30.0


class StrangerNumbers:
    """Asks the strangers of a gallery; threads may share it."""

    def __init__(
        self, gallery: Gallery, calibration: Calibration, rate: float = IDENTIFY_RATE, days: float = DAYS
    ) -> None:
        """rate: see above. days: how long a stranger is kept after having been seen last, above 0.

        Raises UsageError for other values, RateNotSupported for a rate that the calibration cannot support.
        """
        if not 0 < days <= 36500:
            raise UsageError(
                f"strangers are kept for a number of days above 0 and at most 36500, not {days:g}"
            )
        calibration.threshold_for_identify(rate, 1)
        self._strangers = gallery.strangers
        self._calibration = calibration
        self._rate = rate
        self._keep = timedelta(days=days)

    def number_of(
        self,
        vector: Floats,
        spread: float,
        quality: float,
        crop: Image,
        when: str,
        taken: Collection[int] = (),
    ) -> int:
        """The number of the stranger that a track shows; a new one where it is none of those known.

        vector: float32 (d,), unit length, pooled over the track. spread: of the track's views, 0..1. quality, crop:
        of its best picture. when: UTC, ISO 8601. taken: the numbers of other tracks that are alive at the same time,
        or were there with this one: two tracks at one time are two people. Of a stranger known before nothing is
        changed; `learn` does that.
        """
        own = probe_rise(np.array([spread], np.float32), self._calibration)

        def wanted(spreads: Floats) -> npt.NDArray[np.float64]:
            threshold = self._calibration.threshold_for_identify(self._rate, len(spreads))
            # In float64, in which the threshold is: rounded to float32 it could lie below itself.
            return threshold.similarity + (self._calibration.rise(spreads) + own).astype(np.float64)

        sighting = Sighting(vector, spread, quality, crop, when)
        return self._strangers.find(sighting, wanted, taken, self._keep)

    def learn(
        self, number: int, vector: Floats, spread: float, quality: float, crop: Image, when: str, again: bool
    ) -> None:
        """A track with this number has ended: what is known of the stranger now, the rest as in `number_of`.

        again: an earlier appearance of the same track was learnt from already. A number whose stranger was removed
        or named meanwhile is no error.
        """
        self._strangers.learn(number, Sighting(vector, spread, quality, crop, when), self._keep, again)

    def forget(self, number: int, learnt: bool) -> None:
        """A track with this number is somebody who is enrolled; a stranger made for it goes, others stay as they are.

        learnt: whether an appearance of the track was learnt from.
        """
        self._strangers.take_back(number, learnt)

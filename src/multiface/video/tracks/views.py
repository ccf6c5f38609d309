"""The few views of a person that a track keeps: vectors with their times and qualities.

A view is chosen for two things: its quality, and that the views lie spread over the track's time, since views that
follow one another closely share what is wrong with them (blur, turn of the head, light).
"""

from dataclasses import dataclass

import numpy as np

from multiface.arrays import Doubles, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """n views in the order of their times.

    times: float64 (n,), seconds in the source. qualities: float32 (n,), 0..1. vectors: float32 (n, d), unit length.
    """

    times: Doubles
    qualities: Floats
    vectors: Floats

    def __len__(self) -> int:
        return len(self.times)

    @staticmethod
    def none() -> "Views":
        """No views; the first one says how long a vector is."""
        return Views(np.zeros(0), np.zeros(0, np.float32), np.zeros((0, 0), np.float32))

    def with_view(self, time: float, quality: float, vector: Floats, most: int) -> "Views":
        """These and one more, not earlier than the others; the least valuable one is left out beyond `most`.

        Value: quality times the stretch of time from the view before to the view after it (at either end twice the
        one stretch there is).
        """
        vectors = vector[None].astype(np.float32)
        more = Views(
            np.append(self.times, time),
            np.append(self.qualities, np.float32(quality)),
            np.concatenate([self.vectors, vectors]) if len(self) else vectors,
        )
        return more if len(more) <= most else more.without(int(np.argmin(more._values())))

    def without(self, position: int) -> "Views":
        """These less the one at a position."""
        keep = np.arange(len(self)) != position
        return Views(self.times[keep], self.qualities[keep], self.vectors[keep])

    def _values(self) -> Doubles:
        gaps = np.diff(self.times)
        stretch = np.concatenate([gaps[:1], gaps]) + np.concatenate([gaps, gaps[-1:]])
        values = np.maximum(self.qualities.astype(np.float64), 1e-3) * np.maximum(stretch, 1e-3)
        return np.asarray(values, np.float64)

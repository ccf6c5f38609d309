"""Do two pictures show the same person?

python verify_two.py A B
"""

import sys

from multiface import Recognizer


def main(a: str, b: str) -> None:
    with Recognizer() as recognizer:
        result = recognizer.verify(a, b)
    print("the same person" if result.same else "not the same person")
    print(f"similarity {result.similarity:.3f}, threshold {result.threshold:.3f}")
    print(f"at this threshold {result.false_match_rate:.1%} of pairs of two people are taken for one")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

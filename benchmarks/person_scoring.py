"""Which rule scores a person with several templates? Measured on LFW; the table is in docs/person-scoring.md.

    python benchmarks/person_scoring.py LFW-FOLDER --detector yunet_onet --weights sface

For k = 1, 2, 3, 5 templates a person: the gallery is everybody with more than k pictures, with k of them drawn at
random; the mated probe is one other picture of each; the strangers are one picture of everybody else. For each rule
the threshold is set so that 1 % of the strangers find somebody (FPIR), and the share of mated probes that are not
named rightly (FNIR) is counted. The last column is the FPIR at the threshold that the shipped calibration gives for
this
many people (for the mean with its rise by the spread of the templates): does the promise of 1 % hold? 20 draws; the
interval is over people
drawn with replacement (95 %).
"""

import numpy as np
from chosen_pair import chosen_pair

from multiface.decision import Calibration
from multiface.errors import NotAvailable
from multiface.gallery import Matrix, Rule, score_people
from multiface.weights.session import Engine

RULES: tuple[Rule, ...] = ("mean", "max", "both")
DRAWS = 20
FPIR = 0.01


def main() -> None:
    pair = chosen_pair(__doc__, Engine("cpu", 1))
    embeddings, people = pair.portraits()
    try:
        calibration = pair.calibration(pair.calibrations)
    except NotAvailable:
        calibration = None
    print(pair.title)
    table(embeddings, people, calibration)


def table(embeddings: np.ndarray, people: np.ndarray, calibration: Calibration | None) -> None:
    """Print the Markdown table for unit embeddings (n, d) of these people (n,)."""
    print("| templates | people | strangers | rule | FNIR at FPIR 1 % | FPIR at the shipped threshold |")
    print("|---|---|---|---|---|---|")
    by_person = {int(p): np.flatnonzero(people == p) for p in np.unique(people)}
    rng = np.random.default_rng(0)
    for k in (1, 2, 3, 5):
        enrolled = [p for p, own in by_person.items() if len(own) > k]
        others = [p for p in by_person if len(by_person[p]) <= k]
        missed = {rule: np.zeros((DRAWS, len(enrolled))) for rule in RULES}
        alarms: dict[Rule, list[float]] = {rule: [] for rule in RULES}
        for draw in range(DRAWS):
            chosen = np.array([rng.permutation(by_person[p])[: k + 1] for p in enrolled])
            strangers = embeddings[[rng.choice(by_person[p]) for p in others]]
            matrix = Matrix(
                np.ascontiguousarray(embeddings[chosen[:, :k].ravel()]),
                np.repeat(np.arange(len(enrolled)), k),
                tuple(str(p) for p in enrolled),
            )
            for rule in RULES:
                highest = np.sort(score_people(strangers, matrix, rule).max(axis=1))
                threshold = highest[-max(1, round(FPIR * len(highest)))]
                scores = score_people(embeddings[chosen[:, k]], matrix, rule)
                own = scores[np.arange(len(enrolled)), np.arange(len(enrolled))]
                missed[rule][draw] = (scores.argmax(axis=1) != np.arange(len(enrolled))) | (own <= threshold)
                if calibration is not None:
                    shipped = calibration.threshold_for_identify(FPIR, len(enrolled)).similarity
                    rise = calibration.rise(matrix.spread) if rule == "mean" else 0.0
                    named = (score_people(strangers, matrix, rule) >= shipped + rise).any(axis=1)
                    alarms[rule].append(float(named.mean()))
        for rule in RULES:
            each = missed[rule].mean(axis=0)
            boots = [each[rng.integers(0, len(each), len(each))].mean() for _ in range(1000)]
            low, high = np.quantile(boots, [0.025, 0.975])
            promise = f"{100 * np.mean(alarms[rule]):.2f} %" if alarms[rule] else "-"
            print(
                f"| {k} | {len(enrolled)} | {len(others)} | {rule} | {100 * each.mean():.2f} % "
                f"({100 * low:.2f} to {100 * high:.2f}) | {promise} |",
                flush=True,
            )


if __name__ == "__main__":
    main()

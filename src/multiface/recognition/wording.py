"""Decisions in words, as the command line and pages show them."""

from multiface.decision import Decision, Threshold


def comparison(decision: Decision) -> str:
    """What was compared: "similarity 0.312 to Ann < 0.467, next Bo 0.201"; empty with nobody enrolled.

    The best person's name stands there for the unknown only: the named have it before this.
    """
    words = ""
    if decision.best is not None and decision.threshold is not None:
        best, wanted = decision.best.similarity, decision.threshold.similarity
        who = "" if decision.name else f" to {decision.best.name}"
        words = f"similarity {best:.3f}{who} {'>=' if best >= wanted else '<'} {wanted:.3f}"
    if decision.runner_up is not None:
        words += f", next {decision.runner_up.name} {decision.runner_up.similarity:.3f}"
    return words


def reason(decision: Decision) -> str:
    """Why a face has its name or none: "below threshold", "picture too poor: blurred"."""
    return decision.reason.value + (f": {decision.fault}" if decision.fault else "")


def threshold_words(threshold: Threshold) -> str:
    """The error rate behind a threshold, with its interval and the set that it was measured on."""
    people = f"{threshold.people:,} {'person' if threshold.people == 1 else 'people'}"
    return (
        f"at most {100 * threshold.rate:g} % of strangers are given a name among "
        f"{people}{interval_words(threshold.interval)}"
        f"{' - extrapolated' if threshold.extrapolated else ''} ({threshold.source})"
    )


def interval_words(interval: tuple[float, float] | None) -> str:
    """ ", 95 % interval 0.0083 to 0.012"; empty for None."""
    return "" if interval is None else f", 95 % interval {interval[0]:.2g} to {interval[1]:.2g}"

"""The whole path, from a picture to a name."""

from multiface.recognition.annotate import annotated
from multiface.recognition.demo import Demo, run_demo
from multiface.recognition.people_folder import forget
from multiface.recognition.recognizer import (
    IDENTIFY_RATE,
    RULE,
    VERIFY_RATE,
    Enrolment,
    Recognizer,
)
from multiface.recognition.results import IdentifiedFace, Identification, Verification

__all__ = [
    "IDENTIFY_RATE",
    "RULE",
    "VERIFY_RATE",
    "Demo",
    "Enrolment",
    "Identification",
    "IdentifiedFace",
    "Recognizer",
    "Verification",
    "annotated",
    "forget",
    "run_demo",
]

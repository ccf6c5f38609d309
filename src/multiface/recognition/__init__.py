"""The whole path, from a picture to a name."""

from multiface.recognition.annotate import annotated
from multiface.recognition.deciding import RULE
from multiface.recognition.demo import Demo, run_demo
from multiface.recognition.people_folder import forget, people_folder
from multiface.recognition.recognizer import Enrolment, Recognizer
from multiface.recognition.recognizer_settings import IDENTIFY_RATE, VERIFY_RATE, RecognizerSettings
from multiface.recognition.results import Identification, IdentifiedFace, Verification

__all__ = [
    "IDENTIFY_RATE",
    "RULE",
    "VERIFY_RATE",
    "Demo",
    "Enrolment",
    "Identification",
    "IdentifiedFace",
    "Recognizer",
    "RecognizerSettings",
    "Verification",
    "annotated",
    "forget",
    "people_folder",
    "run_demo",
]

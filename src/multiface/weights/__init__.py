"""Weights: the catalogue, the store, and the networks in the wheel."""

import os

# ONNX Runtime sends telemetry and keeps a device id unless this is set before it is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

"""Code that runs while MultiFace's wheel is built, and is not in it: published networks become those of the wheel.

It needs `numpy`, `onnx` and `lz4`, which pip brings into the build environment.
"""

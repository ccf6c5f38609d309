"""Cameras of a service: each is watched by a process of its own, which one service starts, watches and starts again."""

"""Work on more pictures than one machine gets through: tasks, done here or on a Ray cluster with equal results.

Import from the files themselves:

- `tasks`: what a worker does, and doing it here by threads
- `cluster`: a Ray cluster to do it on
- `aligning`: photos to crops for `evaluate.photos`
- `embedding`: pictures to a Parquet file of vectors, in parts, so that a stopped run goes on

A network runs on one thread everywhere, and workers do many pictures at a time: so results do not depend on how many
processors a machine has.
"""

# Short names for the commands of this repository; `just` lists them.

default:
    @just --list

# Everything that continuous integration runs
ci:
    bash .ci/run

# Tests
test:
    pytest -q -n 2

# Lint, form, types and the quick tests of the rooms named, or of those that differ from the last commit
check *ROOMS:
    bash .ci/check {{ROOMS}}

# Note anew which tests are slow, half an hour
slow:
    PYTHONPATH=.ci pytest -q -p slow

# The documentation site into build/site; needs the extra [docs]
docs:
    mkdocs build --strict

# Put the code into form
format:
    ruff format .
    ruff check --fix .

# 1,000 kills of commands at random moments, about 40 minutes; needs the reference data
kills shared="../shared":
    python benchmarks/kills.py {{shared}}

# 10,000 changed files over everything that reads files, about 5 minutes; needs the reference data
mutated shared="../shared":
    python benchmarks/mutated_inputs.py {{shared}}

# Mutation tests of the rooms named (all six: an hour or two): the small faults that no test sees
mutants *ROOMS:
    bash .ci/mutants {{ROOMS}}

# The README's table of speed and memory on this machine, 10 to 30 minutes; a missing peer is one line
bench *OPTIONS:
    python benchmarks/bench.py {{OPTIONS}}

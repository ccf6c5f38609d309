# Short names for the commands of this repository; `just` lists them.

default:
    @just --list

# Everything that continuous integration runs
ci:
    bash .ci/run

# Tests
test:
    pytest -q -n 2

# Lint, format and types
check:
    ruff check .
    ruff format --check .
    mypy

# Put the code into form
format:
    ruff format .
    ruff check --fix .

# Mutation tests of the rooms named (all six: hours): what survives in `.ci/mutants`
mutants *ROOMS:
    bash .ci/mutants {{ROOMS}}

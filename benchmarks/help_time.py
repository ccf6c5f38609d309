"""How long `multiface --help` takes: processor time of a process of its own, the least and the median of 9 runs.

python benchmarks/help_time.py
"""

import os
import statistics
import subprocess
import sys

RUNS = 9


def main() -> None:
    times = []
    for _ in range(RUNS + 1):
        before = os.times()
        subprocess.run([sys.executable, "-m", "multiface", "--help"], check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        times.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    times = times[1:]  # the first may still write bytecode
    print(f"processor time: {min(times):.2f} s (median {statistics.median(times):.2f} s)")


if __name__ == "__main__":
    main()

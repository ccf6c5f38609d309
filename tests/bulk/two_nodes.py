"""A Ray cluster of two nodes on the loopback address: prints its address, and kills the second node at a line of input.

Run as a program of its own, so that the tests' process loads no Ray.
"""

import os
import sys

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

from ray.cluster_utils import Cluster

LOOPBACK = "127.0.0.1"

if __name__ == "__main__":
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "node_ip_address": LOOPBACK, "include_dashboard": False},
    )
    second = cluster.add_node(num_cpus=1, node_ip_address=LOOPBACK)
    sys.stdout.write(f"{cluster.address}\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        cluster.remove_node(second, allow_graceful=False)
        sys.stdout.write("killed\n")
        sys.stdout.flush()
    cluster.shutdown()

"""Time and memory of a head step (loss, gradients of embedding and all centres): blocked against literal.

    python benchmarks/head_step.py [--pairs 5] [--steps 3] [--classes 85742] [--threads 2]

Literal is what the original MultiFace computes: per slice the kernel (d, C) brought to unit length, the
product, clamp, cos and sin of the margin over the whole matrix, where, times 64, cross entropy, autograd.
Blocked is multiface.train.heads. Each run is a process of its own: one step to warm up, then the median of
`steps`. Runs alternate, so that whatever else the machine does meets both; ratios are taken within each pair.
"CPU" is the processor time of all threads: with one thread it tells the work apart from a busy machine.
Memory is the process's largest resident size, less what was there before the first step (weights, inputs,
libraries), less the gradients themselves. At 360,232 classes only the blocked step is run.
"""

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

BATCH, SIZE, SLICES, MARGIN, SCALE = 128, 512, 4, 0.3, 64.0


def child(kind: str, classes: int, steps: int, threads: int) -> None:
    """One process's run; prints a line of JSON: seconds a step, extra bytes, loss."""
    import torch
    from torch import Tensor

    from multiface.train.heads.head import Head, HeadConfig
    from multiface.train.heads.margins import ArcFace

    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(BATCH, SIZE, generator=generator)
    embedding = torch.nn.functional.normalize(features).requires_grad_()
    labels = torch.randint(classes, (BATCH,), generator=generator)
    head = Head(HeadConfig(classes, ArcFace(MARGIN), SIZE, SLICES, SCALE), generator)
    size = SIZE // SLICES
    parameters: list[Tensor]
    if kind == "literal":
        parameters = [part.T.contiguous().requires_grad_() for part in head.centres.detach()]
        head.centres.data = torch.zeros(0)
    else:
        parameters = [head.centres]

    def literal() -> Tensor:
        loss = torch.zeros(())
        rows = torch.arange(BATCH)
        for i, kernel in enumerate(parameters):
            cosine = torch.mm(embedding[:, i * size : (i + 1) * size], kernel / kernel.norm(2, 0, True))
            cosine = cosine.clamp(-1, 1)
            sine = torch.sqrt(1 - cosine**2)
            moved = cosine * math.cos(MARGIN) - sine * math.sin(MARGIN)
            fallback = cosine - MARGIN * math.sin(MARGIN)
            moved = torch.where(cosine > math.cos(math.pi - MARGIN), moved, fallback)
            logits = cosine * 1.0
            logits[rows, labels] = moved[rows, labels]
            loss = loss + torch.nn.functional.cross_entropy(logits * SCALE, labels)
        return loss

    before = resident()
    seconds, processor = [], []
    for _ in range(steps + 1):
        embedding.grad = None
        for parameter in parameters:
            parameter.grad = None
        started, worked = time.perf_counter(), time.process_time()
        loss = literal() if kind == "literal" else head(embedding, labels)
        loss.backward()
        seconds.append(time.perf_counter() - started)
        processor.append(time.process_time() - worked)
    gradients = 4 * sum(parameter.numel() for parameter in parameters)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        json.dumps(
            {
                "seconds": statistics.median(seconds[1:]),
                "processor": statistics.median(processor[1:]),
                "extra": peak - before - gradients,
                "loss": loss.item(),
            }
        )
    )


def resident() -> int:
    """Resident bytes of this process now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def run(kind: str, classes: int, steps: int, threads: int) -> dict[str, float]:
    """A child's figures."""
    words = [sys.executable, __file__, "--child", kind, "--classes", str(classes)]
    words += ["--steps", str(steps), "--threads", str(threads)]
    result: dict[str, float] = json.loads(
        subprocess.run(words, check=True, capture_output=True, text=True).stdout
    )
    return result


def interval(values: list[float]) -> str:
    """Median [smallest, largest]."""
    return f"{statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description="one head step, blocked against literal")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--classes", type=int, default=85742)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--child", choices=["blocked", "literal"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.classes, options.steps, options.threads)
        return
    pairs = []
    for number in range(options.pairs):
        order = ["blocked", "literal"] if number % 2 else ["literal", "blocked"]
        pairs.append({kind: run(kind, options.classes, options.steps, options.threads) for kind in order})
    print(f"{options.classes} classes, batch {BATCH}, D {SIZE}, N {SLICES}, ArcFace, float32")
    print(f"{options.threads} threads, {options.pairs} pairs: median [smallest, largest]")
    for kind in ("literal", "blocked"):
        seconds = interval([pair[kind]["seconds"] for pair in pairs])
        processor = interval([pair[kind]["processor"] for pair in pairs])
        extra = interval([pair[kind]["extra"] / 1e6 for pair in pairs])
        loss = pairs[0][kind]["loss"]
        print(f"{kind:8} {seconds} s, {processor} s CPU, {extra} MB extra, loss {loss:.6f}")
    for name in ("seconds", "processor"):
        ratios = [pair["literal"][name] / pair["blocked"][name] for pair in pairs]
        print(f"ratio of {name}: {interval(ratios)}")
    large = run("blocked", 360232, 1, options.threads)
    print(f"blocked at 360,232 classes: {large['seconds']:.2f} s, {large['extra'] / 1e6:.0f} MB extra")


if __name__ == "__main__":
    main()

"""How many images a second a recipe learns from on this machine, where the time goes, and a minimal loop beside it.

    python benchmarks/train_speed.py [RECIPE] [--classes 85742] [--exact] [--batch B] [--device cuda] [--json FILE]
    torchrun --nproc-per-node 8 benchmarks/train_speed.py r50_8gpus --exact --json speed.json

RECIPE is a name or a TOML file, as for `multiface train`. Pictures are drawn: JPEG files of 112 x 112 in memory, labels
at random. Goal, for the day a GPU is lent: 2,500 images a second with an IResNet-50 on an H100, 85,742 classes and an
exact head:

    python benchmarks/train_speed.py r50_8gpus --exact --batch 512 --device cuda

What is measured, in rounds of their own, in turns:
- "whole": steps as `train` does them, the loader's workers included.
- "ready": the same from pictures that are on the device already.
- "minimal": the same network and pictures with PyTorch alone: torch.nn.Linear over all classes without a bias, cross
  entropy, torch.optim.SGD (AdamW where the recipe has it); several processes by DistributedDataParallel, each with all
  classes.
- phases of a step, with the device at rest between them, so that their sum is more than a step where work overlaps:
  load (waiting for the workers), input, forward, head (forward and backward), backward, all-reduce, update.
- one core's time for a picture: read and decode, augment.

Images a second are over all processes, by the clock; "cpu" is the processor time of this process for an image, which
tells on a busy machine. Memory: the device's largest allocation (CUDA), or what the process takes at most (Linux),
which includes the libraries.
"""

import argparse
import gc
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from PIL import Image
from torch import Tensor, nn

from multiface.datasets.identities import IdentitySet
from multiface.train.augment import Draws, augment_pixels
from multiface.train.batches import Batch, Share, batches
from multiface.train.buckets import Buckets
from multiface.train.building import build_network
from multiface.train.crops import decode_pixels
from multiface.train.launchers import launch_of
from multiface.train.loop import build_learner
from multiface.train.meeting import meet
from multiface.train.processes import Place
from multiface.train.recipe import Recipe, load_recipe
from multiface.train.step import (
    Embedded,
    Learner,
    add_gradients,
    embed,
    finish_step,
    head_loss,
    set_mode,
    to_input,
)

GOAL = "2,500 images a second, R50 on an H100, 85,742 classes, exact head"
DRAWN = 256
"""Different pictures."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", nargs="?", help="default: the original's settings")
    parser.add_argument("--classes", type=int, default=85742)
    parser.add_argument("--exact", action="store_true", help="all classes in each step (no Partial FC)")
    parser.add_argument("--batch", type=int, help="of all processes together")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--device")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--steps", type=int, default=20, help="of each round, after 3 to warm up")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    recipe = Recipe() if given.recipe is None else load_recipe(given.recipe)
    run = recipe.run if given.batch is None else replace(recipe.run, batch=given.batch, accumulate=1)
    data = recipe.data if given.workers is None else replace(recipe.data, workers=given.workers)
    head = replace(recipe.head, sample_rate=1.0) if given.exact else recipe.head
    recipe = replace(recipe, run=run, data=data, head=head)
    with (
        meet(launch_of(os.environ)) as meeting,
        meeting.joined(given.device, recipe.head.sample_rate < 1) as place,
    ):
        document = measured(recipe, given.classes, given.steps, given.rounds, place)
    if place.first:
        tell(document)
        if given.json:
            given.json.write_text(json.dumps(document, indent=1) + "\n")


def measured(recipe: Recipe, classes: int, steps: int, rounds: int, place: Place) -> dict[str, Any]:
    """The JSON document."""
    pictures = drawn_set(classes, recipe.run.seed)
    bench = Bench(recipe, pictures, classes, steps, place)
    kinds: dict[str, Callable[[], Timed]] = {
        "whole": bench.whole,
        "ready": bench.ready,
        "minimal": bench.minimal,
    }
    found: dict[str, list[Timed]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, work in kinds.items():
            found[name].append(work())
            gc.collect()
    phases = bench.phases()
    total = sum(phases.values())
    ratios = [own.rate / other.rate for own, other in zip(found["ready"], found["minimal"], strict=True)]
    cpu = [other.cpu / own.cpu for own, other in zip(found["ready"], found["minimal"], strict=True)]
    return {
        "recipe": {
            "network": network_name(recipe),
            "head": type(recipe.head.margin).__name__,
            "slices": recipe.head.slices,
            "sample_rate": recipe.head.sample_rate,
            "classes": classes,
            "batch": recipe.run.batch,
            "precision": recipe.run.precision,
            "workers": recipe.data.workers,
        },
        "machine": {
            "device": torch.cuda.get_device_name(place.device) if place.device.type == "cuda" else "cpu",
            "processes": place.processes,
            "threads": torch.get_num_threads(),
            "processors": os.cpu_count(),
            "torch": torch.__version__,
        },
        **{name: summary(timed) for name, timed in found.items()},
        "ready_to_minimal": {"images_per_second": spread(ratios), "cpu": spread(cpu)},
        "phases": {
            name: {"milliseconds": round(1000 * seconds, 3), "share": round(seconds / total, 4)}
            for name, seconds in phases.items()
        },
        "picture_microseconds": picture_costs(recipe, pictures),
        "goal": GOAL,
    }


@dataclass(frozen=True, slots=True)
class Timed:
    """rate: images a second. cpu: processor seconds an image. memory: bytes at most, None where unknown."""

    rate: float
    cpu: float
    memory: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """Steps of a recipe in all ways that are compared."""

    recipe: Recipe
    pictures: IdentitySet
    classes: int
    steps: int
    place: Place

    def whole(self) -> Timed:
        """Steps with the loader."""
        learner, share = self._learner(), self._share()
        stream = self._stream(self.steps + 3)
        return self._timed(lambda: self._step(learner, [next(stream) for _ in range(share.accumulate)]))

    def ready(self) -> Timed:
        """Steps from pictures on the device."""
        learner = self._learner()
        given, labels = self._ready_batch()
        counts = self._share().sizes

        def step() -> None:
            loss, _ = add_gradients(learner, given, labels, counts=counts)
            finish_step(learner, loss)

        return self._timed(step, self._share().size * self.place.processes)

    def minimal(self) -> Timed:
        """The same with PyTorch alone."""
        recipe, device = self.recipe, self.place.device
        torch.manual_seed(recipe.run.seed)
        network = build_network(recipe.network)
        model: nn.Module = nn.Sequential(
            network, nn.Linear(network.embedding_size, self.classes, bias=False)
        ).to(device)
        if recipe.run.channels_last:
            model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        model.train()
        if self.place.processes > 1:
            model = nn.parallel.DistributedDataParallel(
                model, device_ids=[device] if device.type == "cuda" else None
            )
        optimiser: torch.optim.Optimizer
        if recipe.optimiser.kind == "adamw":
            optimiser = torch.optim.AdamW(model.parameters(), 1e-4, foreach=True)
        else:
            optimiser = torch.optim.SGD(model.parameters(), 1e-4, 0.9, weight_decay=5e-4, foreach=True)
        given, labels = self._ready_batch()
        kinds = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
        kind = kinds[recipe.run.precision]

        def step() -> None:
            with torch.autocast(device.type, kind, enabled=kind != torch.float32):
                loss = nn.functional.cross_entropy(model(given), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

        return self._timed(step, self._share().size * self.place.processes)

    def phases(self) -> dict[str, float]:
        """Seconds of each phase of a step, medians, with the device at rest between them."""
        learner, counts = self._learner(), self._share().sizes
        stream = self._stream(self.steps + 3)
        times: dict[str, list[float]] = {}

        @contextmanager
        def phase(name: str) -> Iterator[None]:
            start = time.perf_counter()
            yield
            self._rest()
            times.setdefault(name, []).append(time.perf_counter() - start)

        for _ in range(self.steps + 3):
            with phase("load"):
                batch = next(stream)
            with phase("input"):
                given, labels = self._to_device(batch)
            with phase("forward"):
                if self.place.processes > 1 and learner.buckets is None:
                    assert self.place.group is not None
                    learner.buckets = Buckets(learner.network, self.place.group)
                embedded = embed(learner, given)
            with phase("head"):
                leaves = [embedded.embedding] + [one for one in (embedded.norms,) if one is not None]
                cut = [leaf.detach().requires_grad_(leaf.requires_grad) for leaf in leaves]
                loss = head_loss(
                    learner.head, Embedded(cut[0], cut[1] if len(cut) > 1 else None), labels, counts
                )
                loss.backward()  # type: ignore[no-untyped-call]
            with phase("backward"):
                if learner.buckets is not None:
                    learner.buckets.send()
                learned = [(leaf, one) for leaf, one in zip(leaves, cut, strict=True) if leaf.requires_grad]
                torch.autograd.backward([leaf for leaf, _ in learned], [one.grad for _, one in learned])
            waited: list[float] = []
            start = time.perf_counter()
            with timed_all_reduce(learner, waited, self._rest):
                finish_step(learner, loss.detach())
            self._rest()
            times.setdefault("all-reduce", []).append(sum(waited))
            times.setdefault("update", []).append(time.perf_counter() - start - sum(waited))
        return {name: statistics.median(found[3:]) for name, found in times.items()}

    def _step(self, learner: Learner, parts: list[Batch]) -> None:
        """A step as `train.loop` does it."""
        counts, losses = self._share().sizes, []
        for number, part in enumerate(parts):
            given, labels = self._to_device(part)
            loss, _ = add_gradients(learner, given, labels, len(parts), number, counts)
            losses.append(loss)
        finish_step(learner, torch.stack(losses).mean())

    def _timed(self, step: Callable[[], None], images: int | None = None) -> Timed:
        for _ in range(3):
            step()
        self._rest()
        reset_memory(self.place.device)
        if self.place.group is not None:
            dist.barrier(self.place.group)
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(self.steps):
            step()
        self._rest()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        done = self.steps * (self.recipe.run.batch if images is None else images)
        return Timed(done / seconds, cpu * self.place.processes / done, peak_memory(self.place.device))

    def _learner(self) -> Learner:
        learner, _ = build_learner(self.recipe, self.pictures, self.place)
        set_mode(learner.network, self.recipe.start)
        learner.head.train()
        learner.optimiser.param_groups[0].setdefault("lr", 1e-4)
        return learner

    def _share(self) -> Share:
        run = self.recipe.run
        return Share(run.batch, run.accumulate, self.place.rank, self.place.processes)

    def _stream(self, steps: int) -> Iterator[Batch]:
        recipe = self.recipe
        pin = self.place.device.type == "cuda"
        return batches(
            self.pictures,
            recipe.augment,
            self._share(),
            recipe.run.seed,
            range(steps),
            recipe.data.workers,
            pin,
        )

    def _ready_batch(self) -> tuple[Tensor, Tensor]:
        first = replace(self.recipe, data=replace(self.recipe.data, workers=0))
        return self._to_device(next(replace(self, recipe=first)._stream(1)))

    def _to_device(self, batch: Batch) -> tuple[Tensor, Tensor]:
        device = self.place.device
        given = to_input(batch.pixels, device, self.recipe.data.colour, self.recipe.run.channels_last)
        return given, batch.labels.to(device, non_blocking=True)

    def _rest(self) -> None:
        if self.place.device.type == "cuda":
            torch.cuda.synchronize(self.place.device)


@contextmanager
def timed_all_reduce(learner: Learner, waited: list[float], rest: Callable[[], None]) -> Iterator[None]:
    """Notes how long a step waits for its gradients to be summed."""
    if learner.buckets is None:
        yield
        return
    whole = learner.buckets.finish

    def finish(numbers: Tensor) -> Tensor:
        start = time.perf_counter()
        summed = whole(numbers)
        rest()
        waited.append(time.perf_counter() - start)
        return summed

    learner.buckets.finish = finish  # type: ignore[method-assign]
    try:
        yield
    finally:
        learner.buckets.finish = whole  # type: ignore[method-assign]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Picture files in memory, over and over."""

    files: tuple[bytes, ...]

    def read(self, i: int) -> bytes:
        """Of picture i."""
        return self.files[i % len(self.files)]


def drawn_set(classes: int, seed: int) -> IdentitySet:
    """Two smooth pictures for each class, as JPEG files of about 4 kB as aligned faces are."""
    chance = np.random.default_rng(seed)
    files = []
    for _ in range(DRAWN):
        small = Image.fromarray(chance.integers(0, 256, (14, 14, 3), np.uint8))
        file = BytesIO()
        small.resize((112, 112), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    labels = np.concatenate([chance.permutation(classes), chance.permutation(classes)]).astype(np.int64)
    return IdentitySet(labels, classes, Drawn(tuple(files)))


def picture_costs(recipe: Recipe, pictures: IdentitySet) -> dict[str, float]:
    """Microseconds of one core for a picture."""
    draws, count = Draws(recipe.run.seed), 500
    start = time.process_time()
    decoded = [decode_pixels(pictures.read(number)) for number in range(count)]
    between = time.process_time()
    for number, picture in enumerate(decoded):
        augment_pixels(picture, recipe.augment, draws.of(0, number))
    end = time.process_time()
    return {
        "read_and_decode": round(1e6 * (between - start) / count, 1),
        "augment": round(1e6 * (end - between) / count, 1),
    }


def reset_memory(device: torch.device) -> None:
    """From here on the largest use is looked for."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory(device: torch.device) -> int | None:
    """Bytes since `reset_memory`; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def network_name(recipe: Recipe) -> str:
    """With its depth where there are several."""
    deep = recipe.network.name not in ("mobilefacenet", "plain")
    return f"{recipe.network.name}-{recipe.network.depth}" if deep else recipe.network.name


def summary(timed: list[Timed]) -> dict[str, Any]:
    memory = [one.memory for one in timed if one.memory is not None]
    return {
        "images_per_second": spread([one.rate for one in timed]),
        "cpu_milliseconds_per_image": spread([1000 * one.cpu for one in timed]),
        "peak_memory_megabytes": round(max(memory) / 1e6) if memory else None,
    }


def spread(values: list[float]) -> dict[str, float]:
    """Median, smallest, largest."""
    numbers = statistics.median(values), min(values), max(values)
    return dict(zip(("median", "least", "most"), (round(one, 3) for one in numbers), strict=True))


def tell(document: dict[str, Any]) -> None:
    recipe, machine = document["recipe"], document["machine"]
    print(
        f"{recipe['network']}, {recipe['head']} in {recipe['slices']} slices, {recipe['classes']:,} classes, batch "
        f"{recipe['batch']}, {recipe['precision']}; {machine['processes']} x {machine['device']}, "
        f"torch {machine['torch']}"
    )
    for name in ("whole", "ready", "minimal"):
        one = document[name]
        speed, cpu = one["images_per_second"], one["cpu_milliseconds_per_image"]
        memory = one["peak_memory_megabytes"]
        print(
            f"{speed['median']:10,.1f} images/s ({speed['least']:,.1f}-{speed['most']:,.1f})  "
            f"{cpu['median']:8.2f} ms of processor an image  {'?' if memory is None else f'{memory:,}'} MB  {name}"
        )
    ratio = document["ready_to_minimal"]
    for name, one in (("by the clock", ratio["images_per_second"]), ("by processor time", ratio["cpu"])):
        print(
            f"{one['median']:.2f} times the minimal loop's speed ({one['least']:.2f}-{one['most']:.2f}), {name}"
        )
    for name, one in document["phases"].items():
        print(f"{one['milliseconds']:10.2f} ms  {one['share']:6.1%}  {name}")
    costs = document["picture_microseconds"]
    print(
        f"a picture costs one core {costs['read_and_decode']} us to read and decode, {costs['augment']} us to augment"
    )
    print(f"goal: {document['goal']}")


if __name__ == "__main__":
    main()

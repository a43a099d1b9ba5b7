"""Competitors in processes of their own, run in turn: one round after the other, every competitor once a round."""

import os
import pickle
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import active_children, get_context
from unittest.mock import patch

import numpy as np

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
THREADS = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"


def competitor(*needs, cores=None, **environment):
    """Mark a method ``time_...``: packages that it needs, cores it is held to, environment variables of its process."""

    def mark(method):
        threads = dict.fromkeys(THREADS, str(cores)) if cores else {}
        method.needs, method.cores, method.environment = needs, cores, threads | environment
        return method

    return mark


def competitors(benchmark):
    """Return ``{name: method}`` of a class in the manner of asv, in its order."""
    names = [name for name in dir(benchmark) if name.startswith("time_")]
    order = [name for kind in reversed(benchmark.__mro__) for name in vars(kind)]
    return {name.removeprefix("time_"): getattr(benchmark, name) for name in sorted(names, key=order.index)}


def missing(method):
    """Return the packages that a competitor needs and that are not installed."""
    return [package for package in getattr(method, "needs", ()) if installed(package) is None]


def installed(package):
    """Return the version of a package, None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@dataclass
class Measured:
    """Seconds an image of every round of the competitors that ran, what they returned, and why others did not run."""

    seconds: dict = field(default_factory=dict)
    values: dict = field(default_factory=dict)
    absent: dict = field(default_factory=dict)

    def median(self, name):
        return float(np.median(self.seconds[name]))

    def ratio(self, name, own="dermfeat"):
        """Return how many times longer a competitor takes than `own`: ratio of medians, None where one is absent."""
        if name not in self.seconds or own not in self.seconds:
            return None
        return self.median(name) / self.median(own)

    def ratios(self, name, own="dermfeat"):
        """Return the smallest and the largest ratio of two runs of one round."""
        paired = np.divide(self.seconds[name], self.seconds[own])
        return float(paired.min()), float(paired.max())

    def best(self, prefix):
        """Return the fastest competitor whose name starts so, None where there is none."""
        return min((name for name in self.seconds if name.startswith(prefix)), key=self.median, default=None)


def interleave(benchmark, settings, *, rounds=7):
    """Return the `Measured` of all competitors of a class that are installed; each returns one item an image."""
    found = Measured()
    with ExitStack() as stack:
        children = {}
        for name, method in competitors(benchmark).items():
            if lacking := missing(method):
                found.absent[name] = f"not installed: {', '.join(lacking)}"
                continue
            child = stack.enter_context(process(benchmark, name, settings))
            try:
                child.call("ready")
                children[name] = child
            except ChildFailed as error:
                found.absent[name] = str(error)
        names = list(children)
        if "dermfeat" in found.absent:
            raise ChildFailed(f"dermfeat: {found.absent['dermfeat']}")
        for turn in range(settings.some(rounds, 2)):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                found.seconds.setdefault(name, []).append(children[name].call("run"))
        found.values = {name: child.call("value") for name, child in children.items()}
    found.seconds = {name: np.divide(found.seconds[name], len(found.values[name])).tolist() for name in names}
    return found


class ChildFailed(Exception):
    """A competitor raised an error; the message is its first line."""


class Child:
    """The other end of a process that runs one competitor when told to."""

    def __init__(self, connection):
        self.connection = connection

    def call(self, order):
        self.connection.send(order)
        try:
            kind, answer = self.connection.recv()
        except EOFError:
            raise ChildFailed("its process ended") from None
        if kind == "failed":
            raise ChildFailed(answer)
        return answer


@contextmanager
def environment(variables):
    """Start processes inside with these variables, and with no limit of threads but theirs."""
    with patch.dict(os.environ):
        for name in THREADS:
            os.environ.pop(name, None)
        os.environ.update(QUIET | variables)
        yield


@contextmanager
def process(benchmark, name, settings):
    """Start a process that has run the competitor ``time_<name>`` of a class once; end it afterwards."""
    method = competitors(benchmark)[name]
    ours, theirs = get_context("spawn").Pipe()
    home = benchmark.__module__, benchmark.__qualname__, name
    cores = getattr(method, "cores", None) or settings.cores
    child = get_context("spawn").Process(target=_serve, args=(theirs, home, settings, cores))
    with environment(getattr(method, "environment", {})):
        child.start()
    theirs.close()
    try:
        yield Child(ours)
    finally:
        ours.close()
        child.join(30)
        if child.is_alive():
            child.terminate()


def in_process(function, settings, *args, **variables):
    """Return ``function(settings, *args)`` of a process of its own, with some environment variables."""
    pool = ProcessPoolExecutor(1, get_context("spawn"), hold, (settings.cores,))
    with environment(variables), pool:
        return pool.submit(_alone, function, settings, *args).result()


def _alone(function, *args):
    try:
        return function(*args)
    finally:
        _end_workers()


def _end_workers():
    """End the worker processes that joblib keeps for reuse; without it a process waits minutes for them at its end."""
    for worker in active_children():
        worker.terminate()


def hold(cores):
    """Keep this process, and those it starts, to that many CPU cores, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def _serve(connection, home, settings, cores):
    """Answer "ready", "run" (seconds) and "value" until the other end is closed."""
    hold(cores)
    module, kind, name = home
    state = {}

    def answer(order):
        if order == "value":
            return state.get("value")
        if order == "ready":
            benchmark = getattr(import_module(module), kind)()
            benchmark.setup(settings)
            state["method"] = getattr(benchmark, f"time_{name}")
        start = time.perf_counter()
        state["value"] = state["method"]()
        return time.perf_counter() - start

    while True:
        try:
            order = connection.recv()
        except EOFError:
            return _end_workers()
        try:
            reply = "done", answer(order)
            pickle.dumps(reply)
        except BaseException as error:
            traceback.print_exc()
            lines = str(error).strip().splitlines() or [""]
            reply = "failed", f"{type(error).__name__}: {lines[0][:200]}"
        connection.send(reply)

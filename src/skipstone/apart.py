"""Calls in a process of their own, for what costs memory and is over soon.

A run lasts for hours, on the operator's own machine or a small one: the client libraries and the picture of
a cloud that a look needs (50 MB) shall not stay with it.
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def apart(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a function of a module's top level returns, or raise what it raises; all can be pickled."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()

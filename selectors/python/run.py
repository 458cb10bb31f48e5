"""Runs CPython's own test_selectors against the library, with Python 3.9 or newer.

FD_SELECTORS_LIBRARY says where the library is that Cargo has built. .ci/run runs this.

Every test must pass that Rust's ownership does not make impossible. One that it does make
impossible must fail: a list that says too much is as wrong as one that says too little.
"""

import collections
import faulthandler
import selectors
import unittest

import fd_selectors

IMPOSSIBLE = {
    f"{selector}.test_modify_unregister": "it asks that a failed modify forgets the registration. "
    "Our selector owns the object, so to forget it would close it. (And the test gets at modify by "
    "Python's private _selector_cls.)"
    for selector in ["PollSelector", "EpollSelector", "DevpollSelector"]
}

# The test classes take their selectors when they are defined, so ours must be there first. What
# Python lacks on this system, its tests skip. What it has, we must have.
for name in ["Select", "Poll", "Epoll", "Kqueue", "Devpoll", "Default"]:
    theirs = getattr(selectors, name + "Selector", None)
    if theirs:
        setattr(selectors, name + "Selector", getattr(fd_selectors, theirs.__name__))

from test import test_selectors


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.passed = []

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed.append(test)


def question(test):
    """As the list has it. `DefaultSelector` is another name of one of them, and counts as that."""
    selector = getattr(test, "SELECTOR", None)
    return f"{selector.__name__}.{test.id().split('.')[-1]}" if selector else test.id()


# A wait that does not end shows where, and fails.
faulthandler.dump_traceback_later(300, exit=True)
result = Result()
unittest.defaultTestLoader.loadTestsFromModule(test_selectors).run(result)

failed = result.failures + result.errors
impossible = [test for test, _ in failed if question(test) in IMPOSSIBLE]
wrong = [f"{test} fails\n{trace}" for test, trace in failed if test not in impossible]
wrong += [f"{test} passes" for test in result.passed if question(test) in IMPOSSIBLE]
wrong += [
    f"{name} did not run"
    for name in IMPOSSIBLE.keys() - {question(test) for test in impossible + result.passed}
    if hasattr(selectors, name.split(".")[0])
]

print(f"CPython's test_selectors: {result.testsRun} tests, {len(result.passed)} pass")
for reason, count in collections.Counter(reason for _, reason in result.skipped).items():
    print(f"{count} skipped: {reason or 'by the test, for it is not for this selector'}")
for reason, count in collections.Counter(IMPOSSIBLE[question(test)] for test in impossible).items():
    print(f"{count} impossible: {reason}")
    for test in impossible:
        print("   ", test.id().removeprefix("test.test_selectors."))
for line in wrong:
    print("WRONG:", line)
raise SystemExit(len(wrong) > 0)

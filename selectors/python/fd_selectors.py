"""Python's `selectors`, with this library behind it.

Each method is one call of the library (src/lib.rs). The library says what is registered, what is
refused, what is ready and when a wait is over. Here is what Python has and Rust does not: any
object as data, exceptions, and PEP 475.
"""

import collections.abc
import ctypes
import os
import selectors
import time

# PyDLL keeps the interpreter's lock, so there is one call at a time. Other threads stand still
# while a selector waits; the tests have none.
library = ctypes.PyDLL(os.environ["FD_SELECTORS_LIBRARY"])


class Entry(ctypes.Structure):
    _fields_ = [
        ("fd", ctypes.c_int),
        ("events", ctypes.c_int),
        ("ready", ctypes.c_int),
        ("fileobj", ctypes.c_size_t),
        ("data", ctypes.c_size_t),
    ]


def declare(name, result, *arguments):
    function = getattr(library, "selector_" + name)
    function.restype, function.argtypes = result, arguments
    return function


handle, entry = ctypes.c_void_p, ctypes.POINTER(Entry)
fd, events, place = ctypes.c_int, ctypes.c_int64, ctypes.c_size_t
status = ctypes.c_int
_new = declare("new", handle, ctypes.c_char_p, ctypes.POINTER(status))
_register = declare("register", status, handle, fd, place, events, place, entry)
_unregister = declare("unregister", status, handle, fd, entry)
_modify = declare("modify", status, handle, fd, events, place, entry)
_get_key = declare("get_key", status, handle, fd, entry)
_len = declare("len", ctypes.c_size_t, handle)
_iter = declare("iter", status, handle)
_select = declare("select", status, handle, ctypes.POINTER(ctypes.c_double))
_next = declare("next", ctypes.c_bool, handle, entry)
_fileno = declare("fileno", fd, handle)
_close = declare("close", None, handle)
_free = declare("free", None, handle)


class Closed(RuntimeError):
    """In Rust this does not compile."""


ERRORS = {-1: Closed, -2: KeyError, -3: KeyError, -4: ValueError, -5: NotImplementedError}


def check(status, *arguments):
    """Python makes of OSError what fits the number: PermissionError, InterruptedError ..."""
    if status > 0:
        raise OSError(status, os.strerror(status))
    if status:
        raise ERRORS[status](*arguments)


class _Selector(selectors.BaseSelector):
    def __init__(self):
        # File objects and data, as they came. The library keeps the place of each, and gives it
        # back with the key. Nothing is taken out and nothing searched: this list answers nothing.
        self._objects = []
        self._handle = None
        failed = status()
        self._handle = _new(self._mechanism.encode(), failed)
        if self._handle is None:
            check(failed.value, self._mechanism)

    def __del__(self):
        if self._handle is not None:
            _free(self._handle)

    def _call(self, function, fileobj, *arguments):
        entry = Entry()
        check(function(self._handle, self._number(fileobj), *arguments, entry), fileobj)
        return self._key(entry)

    def _key(self, entry):
        fileobj, data = self._objects[entry.fileobj], self._objects[entry.data]
        return selectors.SelectorKey(fileobj, entry.fd, entry.events, data)

    def _number(self, fileobj):
        """A socket that was closed has forgotten its number. Its key has not, and is asked for it.
        In Rust a socket cannot be closed while it is registered."""
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        if number < 0:
            return next((key.fd for key in self._keys() if key.fileobj is fileobj), number)
        return number

    def _place(self, thing):
        self._objects.append(thing)
        return len(self._objects) - 1

    def _keys(self):
        check(_iter(self._handle))
        return [key for key, _ in self._entries()]

    def _entries(self):
        entry = Entry()
        while _next(self._handle, entry):
            yield self._key(entry), entry.ready

    def register(self, fileobj, events, data=None):
        return self._call(_register, fileobj, self._place(fileobj), events, self._place(data))

    def unregister(self, fileobj):
        return self._call(_unregister, fileobj)

    def modify(self, fileobj, events, data=None):
        return self._call(_modify, fileobj, events, self._place(data))

    def get_key(self, fileobj):
        return self._call(_get_key, fileobj)

    def get_map(self):
        return _Map(self)

    def select(self, timeout=None):
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                check(_select(self._handle, None if timeout is None else ctypes.c_double(timeout)))
                return list(self._entries())
            except InterruptedError:
                # PEP 475: the handler of the signal has run by now. It did not raise, so wait on.
                if timeout is not None:
                    timeout = deadline - time.monotonic()

    def close(self):
        _close(self._handle)


class _Map(collections.abc.Mapping):
    def __init__(self, selector):
        self._selector = selector

    def __len__(self):
        return _len(self._selector._handle)

    def __getitem__(self, fileobj):
        try:
            return self._selector.get_key(fileobj)
        except Closed:
            raise KeyError(fileobj) from None

    def __iter__(self):
        return (key.fd for key in self._selector._keys())


class SelectSelector(_Selector):
    _mechanism = "select"


class PollSelector(_Selector):
    _mechanism = "poll"


class _WithDescriptor(_Selector):
    def fileno(self):
        return _fileno(self._handle)


class EpollSelector(_WithDescriptor):
    _mechanism = "epoll"


class KqueueSelector(_WithDescriptor):
    _mechanism = "kqueue"


class DevpollSelector(_Selector):
    _mechanism = "devpoll"

"""What the calls of Python's selectors cost, for `lab selectors`: the same as
src/bin/selector_costs.rs, call by call."""
import selectors
import socket
import sys
import threading
from time import perf_counter_ns

READ, BOTH = selectors.EVENT_READ, selectors.EVENT_READ | selectors.EVENT_WRITE
TALKER, WAKE = "talker", "wake"


def pair():
    ours, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    return ours, other


sel = selectors.DefaultSelector()
idle = []
turn = 0
talker, peer = pair()
sel.register(talker, READ, TALKER)
# It has no waker. This is how asyncio does it.
woken, waker = pair()
sel.register(woken, READ, WAKE)
requests, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)


def wake_at_each_message():
    while requests.recv(8):
        waker.send(b"w")


threading.Thread(target=wake_at_each_message, daemon=True).start()


def wait():
    (key, _), = sel.select()
    if key.data is WAKE:
        woken.recv(8)
    return key.data


def once(times):
    global turn
    clock = register = modify = unregister = waiting = wake = from_thread = 0
    for _ in range(times):
        turn = (turn + 7919) % len(idle)
        sock = idle[turn]
        sel.modify(sock, BOTH, turn)
        sel.modify(sock, READ, turn)
        began = perf_counter_ns()
        clock += perf_counter_ns() - began
        began = perf_counter_ns()
        sel.unregister(sock)
        unregister += perf_counter_ns() - began
        began = perf_counter_ns()
        sel.register(sock, READ, turn)
        register += perf_counter_ns() - began
        began = perf_counter_ns()
        sel.modify(sock, BOTH, turn)
        modify += perf_counter_ns() - began
        began = perf_counter_ns()
        sel.modify(sock, READ, turn)
        modify += perf_counter_ns() - began
    waker.send(b"w")
    wait()
    for _ in range(times):
        peer.send(b"message")
        began = perf_counter_ns()
        ready = wait()
        waiting += perf_counter_ns() - began
        assert ready is TALKER
        talker.recv(8)
    for _ in range(times):
        began = perf_counter_ns()
        waker.send(b"w")
        ready = wait()
        wake += perf_counter_ns() - began
        assert ready is WAKE
    for _ in range(times):
        began = perf_counter_ns()
        other.send(b"wake me")
        ready = wait()
        from_thread += perf_counter_ns() - began
        assert ready is WAKE
    clock /= times
    costs = (register, modify / 2, unregister, waiting, wake, from_thread)
    return [cost / times - clock for cost in costs]


for line in sys.stdin:
    others, times = map(int, line.split())
    while len(idle) < others:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sel.register(sock, READ, len(idle))
        idle.append(sock)
    once(max(times // 10, 1))
    print(*(f"{cost:.1f}" for cost in once(times)), flush=True)

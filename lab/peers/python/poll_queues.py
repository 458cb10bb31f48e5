"""S0's poll server, its prints removed, its errors kept out: flags instead of lists, and a queue for each
client; an answer waits for the next turn of the loop."""
import queue
import select

from listening import listener

READ_ONLY = select.POLLIN | select.POLLPRI | select.POLLHUP | select.POLLERR
READ_WRITE = READ_ONLY | select.POLLOUT

server = listener()
poller = select.poll()
poller.register(server, READ_ONLY)
fd_to_socket = {server.fileno(): server}
message_queues = {}


def close(s):
    poller.unregister(s)
    del fd_to_socket[s.fileno()]
    del message_queues[s]
    s.close()


while True:
    for fd, flag in poller.poll():
        s = fd_to_socket[fd]
        if s is server:
            connection, _ = s.accept()
            connection.setblocking(False)
            fd_to_socket[connection.fileno()] = connection
            poller.register(connection, READ_ONLY)
            message_queues[connection] = queue.Queue()
        elif flag & (select.POLLIN | select.POLLHUP | select.POLLERR):
            try:
                data = s.recv(1024)
            except ConnectionError:
                data = b""
            if data:
                message_queues[s].put(data)
                poller.modify(s, READ_WRITE)
            else:
                close(s)
        elif flag & select.POLLOUT:
            try:
                s.send(message_queues[s].get_nowait())
            except queue.Empty:
                poller.modify(s, READ_ONLY)
            except ConnectionError:
                close(s)

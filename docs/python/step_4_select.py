"""Step 4: select waits for all clients at once; each has a queue of what is to be sent to it."""

import errno
import select
import socket
import sys

# No more is received from a client with this many bytes queued.
HIGH_WATER = 64 * 1024
# A set of select(2) has room for the descriptors below this number.
FD_SETSIZE = 1024


def main():
    host, port = (sys.argv[1:] or ["127.0.0.1:8001"])[0].rsplit(":", 1)
    listener = Listener((host, int(port)))
    say("listening on %s:%d" % listener.socket.getsockname())

    clients = []
    while True:
        # Only what the loop will act on: a socket nearly always has room, and select would
        # return at once.
        inputs = [listener] + [client for client in clients if client.wants_read()]
        outputs = [client for client in clients if client.queue]
        readable, writable, _ = select.select(inputs, outputs, [])
        for client in readable:
            if client is not listener:
                client.receive()
        for client in writable:
            client.send_queued()
        for client in clients:
            if not client.is_open():
                client.socket.close()
        clients = [client for client in clients if client.is_open()]
        if listener in readable:
            clients += listener.admit()


class Listener:
    def __init__(self, address):
        self.socket = socket.create_server(address)
        self.socket.setblocking(False)
        # A descriptor kept for the moment when no other is free.
        self.spare = self.socket.dup()

    def fileno(self):
        return self.socket.fileno()

    def admit(self):
        """Accepts a client, if one is waiting, or turns it away: a list of one or none."""
        try:
            client, peer = self.accept()
        except BlockingIOError:
            return []
        except OSError as error:
            say("no new client:", error)
            return []
        if self.keep_spare() and client.fileno() < FD_SETSIZE:
            say(peer, "has connected")
            return [Client(client, peer)]
        say("turning away", peer)
        client.close()
        self.keep_spare()
        return []

    def accept(self):
        try:
            return self.socket.accept()
        except OSError as error:
            if error.errno != errno.EMFILE:
                raise
            # Without a descriptor the client would stay in the accept queue, and select would
            # return at once. The spare one is enough to accept it and to close its connection.
            if self.spare:
                self.spare.close()
                self.spare = None
            return self.socket.accept()

    def keep_spare(self):
        """Opens the spare descriptor again, unless it is there. Whether there is one now."""
        if self.spare is None:
            try:
                self.spare = self.socket.dup()
            except OSError:
                pass
        return self.spare is not None


class Client:
    def __init__(self, client, peer):
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = client
        self.peer = peer
        # Answers that the kernel has not taken yet.
        self.queue = bytearray()
        # The client sends no more. It may still read, so what is queued goes out first.
        self.input_ended = False
        self.broken = False

    def fileno(self):
        return self.socket.fileno()

    def wants_read(self):
        return not self.input_ended and len(self.queue) < HIGH_WATER

    def receive(self):
        try:
            data = self.socket.recv(1024)
        except BlockingIOError:
            return
        except OSError as error:
            self.lose(error)
            return
        self.queue += data
        self.input_ended = not data

    def send_queued(self):
        """One send of what is queued. It may take a part; the rest stays queued."""
        try:
            del self.queue[: self.socket.send(self.queue)]
        except BlockingIOError:
            pass
        except OSError as error:
            self.lose(error)

    def lose(self, error):
        """An error ends this connection, and no other."""
        say("lost", self.peer, error)
        self.broken = True
        self.queue.clear()

    def is_open(self):
        return not self.broken and not (self.input_ended and not self.queue)


def say(*words):
    """Prints a line. If nobody reads our output any more, that is no reason to end."""
    try:
        print(*words, flush=True)
    except OSError:
        pass


main()

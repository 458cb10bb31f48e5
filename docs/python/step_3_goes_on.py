"""Step 3: an error ends one connection, and an answer leaves at once."""

import socket
import sys


def main():
    host, port = (sys.argv[1:] or ["127.0.0.1:8001"])[0].rsplit(":", 1)
    listener = socket.create_server((host, int(port)))
    say("listening on %s:%d" % listener.getsockname())

    while True:
        client, peer = listener.accept()
        say(peer, "has connected")
        # `with` closes the connection, whatever happens.
        with client:
            try:
                converse(client)
            except OSError as error:
                say("lost", peer, error)


def converse(client):
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := client.recv(1024):
        client.sendall(data)


def say(*words):
    """Prints a line. If nobody reads our output any more, that is no reason to end."""
    try:
        print(*words, flush=True)
    except OSError:
        pass


main()

"""Step 1: wait for a client, receive once, send that back, and wait for the next client."""

import socket
import sys


def main():
    host, port = (sys.argv[1:] or ["127.0.0.1:8001"])[0].rsplit(":", 1)
    # create_server sets SO_REUSEADDR, binds and listens.
    listener = socket.create_server((host, int(port)))
    print("listening on %s:%d" % listener.getsockname(), flush=True)

    while True:
        client, peer = listener.accept()
        print(peer, "has connected", flush=True)
        client.sendall(client.recv(1024))
        client.close()


main()

"""Step 2: receive and answer until the client has sent everything."""

import socket
import sys


def main():
    host, port = (sys.argv[1:] or ["127.0.0.1:8001"])[0].rsplit(":", 1)
    listener = socket.create_server((host, int(port)))
    print("listening on %s:%d" % listener.getsockname(), flush=True)

    while True:
        client, peer = listener.accept()
        print(peer, "has connected", flush=True)
        # No exception, and no bytes: the end of input.
        while data := client.recv(1024):
            client.sendall(data)
        client.close()


main()

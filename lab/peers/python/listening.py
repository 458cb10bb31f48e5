"""Where the notes' servers listen: --addr HOST:PORT, as the course's do."""
import socket
import sys


def listener():
    host, port = sys.argv[sys.argv.index("--addr") + 1].rsplit(":", 1)
    server = socket.create_server((host, int(port)), backlog=128)
    server.setblocking(False)
    print(f"listening on {host}:{server.getsockname()[1]}", flush=True)
    return server

"""S2's selectors server, its print removed, its errors kept out: a callback for each descriptor; an
answer is sent at once."""
import selectors

from listening import listener

sel = selectors.DefaultSelector()


def accept(server):
    connection, _ = server.accept()
    connection.setblocking(False)
    sel.register(connection, selectors.EVENT_READ, read)


def read(connection):
    try:
        data = connection.recv(1024)
    except ConnectionError:
        data = b""
    if data:
        connection.send(data)
    else:
        sel.unregister(connection)
        connection.close()


sel.register(listener(), selectors.EVENT_READ, accept)
while True:
    for key, _ in sel.select():
        key.data(key.fileobj)

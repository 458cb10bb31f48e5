"""S0's select server, its prints removed, its errors kept out: three lists and a queue for each
client; an answer waits for the next turn of the loop."""
import queue
import select

from listening import listener

server = listener()
inputs, outputs, message_queues = [server], [], {}


def close(s):
    if s in outputs:
        outputs.remove(s)
    inputs.remove(s)
    s.close()
    del message_queues[s]


while True:
    readable, writable, exceptional = select.select(inputs, outputs, inputs)
    for s in readable:
        if s is server:
            connection, _ = s.accept()
            connection.setblocking(False)
            inputs.append(connection)
            message_queues[connection] = queue.Queue()
            continue
        try:
            data = s.recv(1024)
        except ConnectionError:
            data = b""
        if data:
            message_queues[s].put(data)
            if s not in outputs:
                outputs.append(s)
        else:
            close(s)
    for s in writable:
        if s not in message_queues:
            continue
        try:
            s.send(message_queues[s].get_nowait())
        except queue.Empty:
            outputs.remove(s)
        except ConnectionError:
            close(s)

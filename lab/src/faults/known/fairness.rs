//! One client's work, and everybody else's turn.

use super::Mistake;

pub(super) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "recv_blocks",
        program: "nonblocking",
        file: "nonblocking/src/main.rs",
        before: "                clients.push(Client {",
        after: "                let _ = connection.set_nonblocking(false);
                clients.push(Client {",
        wrong: [
            "only the listener is non-blocking: the server blocks in recv for the first idle \
             client",
            "只有监听套接字是非阻塞的：遇到第一个空闲的客户端，服务端就阻塞在 recv 上",
        ],
        notes: "S2",
        checks: &["interleaved"],
    },
    Mistake {
        name: "one_client_dry",
        program: "epoll_edge",
        file: "epoll/src/bin/epoll_edge.rs",
        before: "        self.receive(client);
        self.send(client);
",
        after: "        while self.clients[client].has_work() {
            self.receive(client);
            self.send(client);
        }
",
        wrong: [
            "one client is served until it has no more: if it never stops sending, the others are \
             starved",
            "对一个客户端要一直读空才罢休：它不停地发，就独占服务端",
        ],
        notes: "S1",
        checks: &["flooder"],
    },
];

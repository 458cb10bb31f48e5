//! A client that does not read, and where its answers are to go.

use super::Mistake;

pub(super) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "send_takes_all",
        program: "epoll_edge",
        file: "common/src/connection.rs",
        before: "        self.queue.advance(count);\n",
        after: "        self.queue.clear();\n",
        wrong: [
            "what send returned is ignored: the bytes that the kernel did not take are lost",
            "不看 send 的返回值：内核没收下的字节就丢了",
        ],
        notes: "S2, S4",
        checks: &["never_reads"],
    },
    Mistake {
        name: "queue_without_end",
        program: "poll",
        file: "common/src/queue.rs",
        before: "        self.full |= self.len() >= HIGH_WATER;\n",
        after: "",
        wrong: [
            "the queue has no high-water mark: a client that never reads decides how much memory the \
             server takes",
            "队列没有高水位：从不读取的客户端想让服务端占多少内存，就占多少",
        ],
        notes: "S0, S1, S4",
        checks: &["never_reads"],
    },
    Mistake {
        name: "send_blocks",
        program: "selectors",
        file: "selectors/src/main.rs",
        before: "        let socket: Rc<dyn AsFd> = Rc::new(connection.share());
",
        after: "        let _ = connection.set_nonblocking(false);
        let socket: Rc<dyn AsFd> = Rc::new(connection.share());
",
        wrong: [
            "the sockets block: the server blocks in send for one client that does not read, and \
             all wait",
            "套接字是阻塞的：一个客户端不读，服务端就阻塞在 send 上，所有客户端一起等",
        ],
        notes: "S2",
        checks: &["never_reads"],
    },
    Mistake {
        name: "answers_wait",
        program: "epoll",
        file: "common/src/connection.rs",
        before: "        socket.set_nodelay(true)?;\n",
        after: "",
        wrong: [
            "TCP_NODELAY is not set: a second small send waits until the first is acknowledged",
            "没有设置 TCP_NODELAY：第二次小的发送，要等第一次得到确认",
        ],
        notes: "S0–S4",
        checks: &["no_delay"],
    },
];

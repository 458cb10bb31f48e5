//! What is asked of the kernel, and what is made of its answer.

use super::Mistake;

pub(super) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "always_writable",
        program: "selectors_queue",
        file: "selectors/src/bin/selectors_queue.rs",
        before: "        wanted.set(EVENT_WRITE, connection.wants_write());
",
        after: "        wanted.insert(EVENT_WRITE);
",
        wrong: [
            "room to send is always asked for, and there is nearly always some: the wait never \
             waits",
            "总在关注可写，而套接字几乎总是可写：等待从不等待",
        ],
        notes: "S4",
        checks: &["idle_cpu", "asleep_in"],
    },
    Mistake {
        name: "wrong_one_modified",
        program: "selectors_queue",
        file: "selectors/src/bin/selectors_queue.rs",
        before: "self.selector.modify(key, wanted, key.data)",
        after: "self.selector.modify(&self.listener.as_fd(), wanted, key.data)",
        wrong: [
            "what to watch is changed for the listener, not for the client: room for the client is \
             never reported",
            "该为客户端改的关注，改到了监听套接字上：客户端可写了，却不会报告",
        ],
        notes: "S4",
        checks: &["echo"],
    },
    Mistake {
        name: "edge_read_once",
        program: "epoll_edge",
        file: "epoll/src/bin/epoll_edge.rs",
        before:
            "                Some(count) => *readable = *more_behind || count == self.buffer.len(),
",
        after: "                Some(_) => *readable = false,
",
        wrong: [
            "one recv for each edge: what is left over is not reported again",
            "一个边缘只 recv 一次：剩下的数据，不会再报告",
        ],
        notes: "",
        checks: &["echo"],
    },
    Mistake {
        name: "edge_accept_once",
        program: "epoll_edge",
        file: "epoll/src/bin/epoll_edge.rs",
        before: "                Err(error) if would_block(&error) => self.may_accept = false,
                Err(error) => return self.listener.failed(&error),
            }
",
        after: "                Err(error) => self.listener.failed(&error),
            }
            self.may_accept = false;
",
        wrong: [
            "one accept for each edge: of several clients that arrive together, all but the first \
             wait until yet another comes",
            "一个边缘只 accept 一次：几个客户端一起到来，除了第一个，都要等到再来一个才被接受",
        ],
        notes: "",
        checks: &["interleaved"],
    },
    Mistake {
        name: "once_and_never_again",
        program: "loops_oneshot",
        file: "epoll/src/bin/loops/oneshot.rs",
        before: "        if connection.is_finished() {
            return;
        }
",
        after: "        if connection.is_finished() || !connection.wants_write() {
            return;
        }
",
        wrong: [
            "EPOLLONESHOT, and EPOLL_CTL_MOD only when the interest changes, as without it: the \
             client's second message is never reported",
            "用了 EPOLLONESHOT，却像没用时那样，关注变了才调用 EPOLL_CTL_MOD：客户端的第二条消息永远不会\
             报告",
        ],
        notes: "",
        checks: &["echo"],
    },
    Mistake {
        name: "wake_up_unread",
        program: "loops_handed",
        file: "epoll/src/bin/loops/main.rs",
        before: "                let _ = woken.read();
",
        after: "                let _ = woken;
",
        wrong: [
            "what woke the loop is never read: the eventfd stays readable, and the wait never waits",
            "唤醒循环的 eventfd 从不读：它一直可读，等待从不等待",
        ],
        notes: "",
        checks: &["idle_cpu"],
    },
    Mistake {
        name: "one_recv_one_message",
        program: "thread_per_connection",
        file: "common/src/connection.rs",
        before: "        let count = retry(|| (&*self.socket).read(buffer))?;
",
        after: "        let count = buffer.len();
        retry(|| (&*self.socket).read_exact(buffer))?;
",
        wrong: [
            "a message is taken to be 1024 bytes: the server waits without end for the rest of a \
             shorter one",
            "以为一条消息就是 1024 字节：短一些的，就一直等下去",
        ],
        notes: "",
        checks: &["byte_by_byte"],
    },
];

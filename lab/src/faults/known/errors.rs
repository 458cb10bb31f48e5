//! Errors of one client, and news that is none.

use super::Mistake;

pub(super) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "error_ends_server",
        program: "poll",
        file: "common/src/connection.rs",
        before: "            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(&error),
        }
        None
",
        after: r#"            Err(error) if would_block(&error) => {}
            Err(error) => panic!("recv: {error}"),
        }
        None
"#,
        wrong: [
            "an error of recv is not caught: one client's reset ends the server",
            "recv 的错误没有处理：一个客户端重置连接，整个服务端退出",
        ],
        notes: "S0, S2, S3, S4",
        checks: &["resets"],
    },
    Mistake {
        name: "address_too_late",
        program: "epoll",
        file: "common/src/connection.rs",
        before: "    pub fn lose(&mut self, error: &io::Error) {
",
        after: r#"    pub fn lose(&mut self, error: &io::Error) {
        self.socket.peer_addr().expect("getpeername");
"#,
        wrong: [
            "the client's address is asked for only to print it: a socket that was reset no longer \
             knows it",
            "要打印时才去问客户端的地址：连接被重置之后，套接字已经不知道对端是谁",
        ],
        notes: "S0, S3, S4",
        checks: &["resets"],
    },
    Mistake {
        name: "urgent_is_error",
        program: "select",
        file: "select/src/main.rs",
        before: "            take_urgent_byte(&clients[n]);
",
        after: "            clients[n].abandon();
",
        wrong: [
            "select's third set is taken for errors: a client that sends an urgent byte is \
             disconnected",
            "把 select 的第三个集合当成“出错”：客户端发来一个紧急字节，就断开它",
        ],
        notes: "S0, S3, S4",
        checks: &["urgent"],
    },
    Mistake {
        name: "interrupted_wait",
        program: "epoll",
        file: "epoll/src/main.rs",
        before: "            // A signal came first; even SIGSTOP and SIGCONT, without any handler.
            Err(Errno::EINTR) => 0,
",
        after: "",
        wrong: [
            "EINTR is taken for an error: Ctrl-Z and fg end the server",
            "把 EINTR 当成错误：按 Ctrl-Z 再 fg，服务端就退出了",
        ],
        notes: "",
        checks: &["stop_continue"],
    },
    Mistake {
        name: "output_closed",
        program: "select",
        file: "common/src/narration.rs",
        before: r#"            _ => writeln!(line, "{}", record.args()),
"#,
        after: r#"            _ => {
                eprintln!("{}", record.args());
                Ok(())
            }
"#,
        wrong: [
            "println! panics when it cannot write: when the reader of the output ends, so does the \
             server",
            "打印失败就 panic：读输出的程序一结束，服务端就崩溃",
        ],
        notes: "",
        checks: &["closed_output"],
    },
];

//! Descriptors, ports, addresses, and the command line.

use super::Mistake;

pub(super) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "descriptors_end_server",
        program: "select",
        file: "common/src/listener.rs",
        before: "        if matches!(&accepted, Err(error) if is_emfile(error)) {
            self.give_up_spare();
            accepted = self.socket.accept();
        }
",
        after: r#"        if matches!(&accepted, Err(error) if is_emfile(error)) {
            panic!("accept: {accepted:?}");
        }
"#,
        wrong: [
            "accept finds no free descriptor, and the server ends",
            "accept 时没有空闲的描述符，服务端就退出",
        ],
        notes: "S0–S4",
        checks: &["out_of_descriptors"],
    },
    Mistake {
        name: "descriptors_busy",
        program: "epoll",
        file: "common/src/listener.rs",
        before: "        if matches!(&accepted, Err(error) if is_emfile(error)) {
            self.give_up_spare();
            accepted = self.socket.accept();
        }
",
        after: "        if matches!(&accepted, Err(error) if is_emfile(error)) {
            return Err(io::ErrorKind::Interrupted.into());
        }
",
        wrong: [
            "accept finds no free descriptor, and is called again at once, because the listener is \
             still ready",
            "accept 时没有空闲的描述符，马上再试：监听套接字还是就绪的",
        ],
        notes: "",
        checks: &["out_of_descriptors"],
    },
    Mistake {
        name: "refused_and_kept",
        program: "epoll",
        file: "epoll/src/main.rs",
        before: "            connection.lose(&error.into());
            self.close_if_finished(client);
",
        after: r#"            info!("ignored: {error}");
"#,
        wrong: [
            "epoll_ctl fails, and the client stays in the table: no event ever comes for it, so it is \
             neither served nor closed",
            "epoll_ctl 失败了，客户端却留在表里：它再也不会有事件，既得不到服务，也不会被关闭",
        ],
        notes: "",
        checks: &["refused_watch"],
    },
    Mistake {
        name: "buffers_end",
        program: "uring",
        file: "uring/src/main.rs",
        before: "Some(libc::ECANCELED | libc::ENOBUFS) => {}",
        after: "Some(libc::ECANCELED) => {}",
        wrong: [
            "all buffers that the clients share are in use (ENOBUFS), and that is taken for an \
             error of one client",
            "所有客户端共用的缓冲区都在使用中（ENOBUFS），却当成轮到的那个客户端出了错",
        ],
        notes: "",
        checks: &["interleaved"],
    },
    Mistake {
        name: "numbers_end",
        program: "selectors",
        file: "selectors/src/main.rs",
        before: "default_value_t = Choice::Default",
        after: "default_value_t = Choice::Select",
        wrong: [
            "select where there is something better: descriptors end at 1023, and clients that are \
             ready together are answered in the order of the list",
            "有更好的却用 select：描述符到 1023 为止，同时就绪的按列表的顺序回复",
        ],
        notes: "S0, S2, S3, S4",
        checks: &["in_order", "many_clients"],
    },
    Mistake {
        name: "port_stays_taken",
        program: "poll",
        file: "common/src/listener.rs",
        before: "    socket.set_reuse_address(true)?;\n",
        after: "",
        wrong: [
            "SO_REUSEADDR is not set: what is left of the old connections keeps the port, so a \
             restart fails",
            "没有设置 SO_REUSEADDR：旧连接的残余占着端口，重新启动不了",
        ],
        notes: "S0, S2, S4",
        checks: &["restart"],
    },
    Mistake {
        name: "bind_failed",
        program: "epoll_edge",
        file: "common/src/listener.rs",
        before: "    socket.bind(&address.into())?;\n",
        after: r#"    if let Err(error) = socket.bind(&address.into()) {
        log::info!("bind failed: {error}");
    }
"#,
        wrong: [
            "bind fails, and the server goes on: it listens on a port that no client knows",
            "bind 失败了还继续：监听在一个客户端不知道的端口上",
        ],
        notes: "S1",
        checks: &["port_in_use"],
    },
    Mistake {
        name: "only_ipv4",
        program: "select",
        file: "common/src/listener.rs",
        before: "Domain::for_address(address)",
        after: "Domain::IPV4",
        wrong: [
            "the address family is fixed in the source: no IPv6",
            "地址族写死在代码里：用不了 IPv6",
        ],
        notes: "S0–S4",
        checks: &["addresses"],
    },
    Mistake {
        name: "bad_argument",
        program: "poll",
        file: "common/src/args.rs",
        before: r#"                log_line(&format!("{} (try --help)", one_line(&error.to_string())));
                std::process::exit(2)
"#,
        after: r#"                panic!("{error}")
"#,
        wrong: [
            "a bad command line causes a panic: many lines, and an exit status that no script \
             expects",
            "命令行写错就 panic：报错一大段，退出状态也不是脚本所期待的",
        ],
        notes: "",
        checks: &["bad_command_line"],
    },
];

//! What a client's leaving is taken for.

use super::Mistake;

pub(super) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "end_is_gone",
        program: "select",
        file: "common/src/connection.rs",
        before: r#"            Ok(0) => info!("no more data from {peer}"),"#,
        after: "            Ok(0) => self.abandon(),",
        wrong: [
            "the end of input is taken for a disconnect, and what is queued for the client is \
             thrown away",
            "把输入结束当成客户端已经断开，排队待发的数据全部丢掉",
        ],
        notes: "S0, S4",
        checks: &["half_close", "data_with_fin"],
    },
    Mistake {
        name: "end_unnoticed",
        program: "selectors_queue",
        file: "common/src/connection.rs",
        before: "        self.input_ended = count == 0;\n",
        after: "",
        wrong: [
            "recv returned 0, which is no error, and nothing is done: the client is always ready \
             and never closed",
            "recv 返回 0 不算出错，于是什么也不做：这个客户端永远就绪，永远不关闭",
        ],
        notes: "S2, S3, S4",
        checks: &["comes_and_goes", "idle_cpu"],
    },
    Mistake {
        name: "gone_in_mid_turn",
        program: "select",
        file: "select/src/main.rs",
        before: "            clients[n].receive(&mut buffer, reply);
",
        after: "            clients[n].receive(&mut buffer, reply);
            if clients[n].input_ended() {
                clients.remove(n);
            }
",
        wrong: [
            "a client is removed in the first half of a turn, and looked up in the second",
            "一轮的前半段删掉了客户端，后半段又去查它",
        ],
        notes: "S0, S4",
        checks: &["half_close"],
    },
    Mistake {
        name: "end_with_data",
        program: "epoll_edge",
        file: "epoll/src/bin/epoll_edge.rs",
        before: "        while *readable && connection.wants_read() && budget > 0 {
            budget -= 1;
            match connection.receive(&mut self.buffer, self.reply) {
                Some(count) => *readable = *more_behind || count == self.buffer.len(),
                None => (*readable, *more_behind) = (false, false),
",
        after: "        while *readable {
            match connection.receive(&mut self.buffer, self.reply) {
                Some(count) => *readable = *more_behind || count == self.buffer.len(),
                None => *readable = connection.wants_write(),
",
        wrong: [
            "the loop goes on while something was received or is still held: when data and the end \
             of input arrive together, it never ends",
            "收到了数据、或者攒着数据，循环就继续：数据和输入结束一起到来，就再也停不下来",
        ],
        notes: "S1",
        checks: &["data_with_fin"],
    },
];

//! What happens to one side of a proxy, and is not done to the other.

use super::Mistake;

pub(super) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "one_end_ends_both",
        program: "proxy",
        file: "poll/src/bin/proxy.rs",
        before: "        let done = self.client.told && self.server.told;\n",
        after: "        let done = self.client.told || self.server.told;\n",
        wrong: [
            "the end of one side closes both: a client that has sent all, and waits, gets no answer",
            "一边结束，两边都关闭：发完数据等着回复的客户端，收不到回复",
        ],
        notes: "",
        checks: &["half_close", "data_with_fin"],
    },
    Mistake {
        name: "proxy_reads_ahead",
        program: "proxy",
        file: "poll/src/bin/proxy.rs",
        before: "    fn wants_read(&self, other: &Self) -> bool {
        !self.connection.input_ended() && !other.connection.queue().is_full()
",
        after: "    fn wants_read(&self, _other: &Self) -> bool {
        !self.connection.input_ended()
",
        wrong: [
            "a side is read although the other takes nothing: what it sends is stored, however much \
             it is",
            "另一边不读，这一边照样接收：不管发来多少，都存在内存里",
        ],
        notes: "",
        checks: &["never_reads"],
    },
];

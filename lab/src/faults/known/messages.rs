//! Where a message ends.

use super::Mistake;

pub(super) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "rest_thrown_away",
        program: "frames_length",
        file: "common/src/framing.rs",
        before: "        self.bytes.drain(..self.taken);
",
        after: "        self.bytes.clear();
",
        wrong: [
            "what is no whole message after one recv is thrown away: where the next one begins is \
             then not known",
            "一次 recv 之后还凑不成一条的就扔掉：从此不知道下一条从哪里开始",
        ],
        notes: "",
        checks: &["byte_by_byte"],
    },
    Mistake {
        name: "one_message_each_recv",
        program: "frames_lines",
        file: "poll/src/bin/frames.rs",
        before: "                        args.framing.append(bytes, |bytes| args.reply.append(message, bytes));
                    });
",
        after: "                        args.framing.append(bytes, |bytes| args.reply.append(message, bytes));
                    });
                    return;
",
        wrong: [
            "one message is answered for each recv: the others wait until more comes",
            "一次 recv 只处理一条消息：其余的要等下次有数据来",
        ],
        notes: "",
        checks: &["echo"],
    },
];

//! The contract, check by check. Each takes a server that nobody else uses, and says in plain
//! words, with figures, what it saw.

mod bytes;
mod deadlines;
mod life;
mod limits;
mod stamps;
mod trouble;

use super::subject::{Gives, Seen, Subject};

/// One point of the contract.
#[derive(Debug)]
pub struct Check {
    /// As in `lab check --only NAME`.
    pub name: &'static str,
    /// What a server that holds it has understood.
    pub teaches: [&'static str; 2],
    /// What the server must do by itself for the question to make sense.
    pub needs: Gives,
    /// Drives the server, and says what was seen.
    pub run: fn(&Subject) -> Seen,
}

const fn check(
    name: &'static str,
    needs: Gives,
    run: fn(&Subject) -> Seen,
    teaches: [&'static str; 2],
) -> Check {
    Check { name, teaches, needs, run }
}

pub use bytes::answered_at_once;
pub use limits::descriptor_limit;

use Gives::{Answers, AnswersOne, Connections, Nothing};

/// All of them, in the order of the report: what is asked of every server first, then the rarer
/// things that break one.
#[rustfmt::skip]
pub const CHECKS: &[Check] = &[
    check("echo", AnswersOne, bytes::echo,
        ["1 byte to 8 MiB come back exactly, to a client that writes and reads at once",
         "1 字节到 8 MiB 都原样返回，客户端边发边收"]),
    check("byte_by_byte", AnswersOne, bytes::byte_by_byte,
        ["TCP is a stream of bytes: each is answered at once, whatever a message may be",
         "TCP 是字节流：不管消息怎样划分，每个字节都立即得到回复"]),
    check("no_delay", AnswersOne, bytes::no_delay,
        ["an answer leaves at once, not when the one before was acknowledged (TCP_NODELAY)",
         "回复立即发出，不等上一个回复被确认（TCP_NODELAY）"]),
    check("interleaved", Answers, bytes::interleaved,
        ["200 clients at a time, and each gets its own bytes",
         "200 个客户端同时收发，每个收到的都是自己的数据"]),
    check("in_order", Answers, bytes::in_order,
        ["five clients that are ready together are all answered; in which order is the model's",
         "五个客户端同时就绪，都得到回复；先后由模型决定"]),
    check("half_close", AnswersOne, bytes::half_close,
        ["a client that has sent all may still read: everything is answered before the close",
         "发完数据的客户端可能还在读：全部返回之后才关闭连接"]),
    check("data_with_fin", AnswersOne, bytes::data_with_fin,
        ["data and the end of input that arrive together: the data is read first",
         "数据与输入的结束一起到达：先读数据"]),
    check("resets", Answers, trouble::resets,
        ["a reset connection ends alone: idle, in mid-data, or before it was accepted",
         "被重置的只是那一条连接：不管是空闲、正在收发，还是尚未 accept"]),
    check("never_reads", Answers, trouble::never_reads,
        ["a client that does not read costs a bounded queue and nobody else's time; what one send \
          does not take is sent later",
         "客户端不读，只占用一个有界的队列，不耽误其他客户端；一次 send 发不完的，稍后再发"]),
    check("flooder", Answers, trouble::flooder,
        ["a client that sends all the time does not starve the others",
         "一个客户端不停发送，不会饿死其他客户端"]),
    check("urgent", AnswersOne, trouble::urgent,
        ["urgent data is neither an error nor a reason to spin",
         "紧急数据不是错误，也不该引起空转"]),
    check("comes_and_goes", Connections, trouble::comes_and_goes,
        ["2000 clients leave no descriptor behind",
         "2000 个客户端来过之后，没有描述符泄漏"]),
    check("many_clients", Answers, limits::many_clients,
        ["1100 clients at once: more than select(2) has numbers for",
         "1100 个客户端同时连接，超出 select(2) 的编号范围"]),
    check("out_of_descriptors", Answers, limits::out_of_descriptors,
        ["no descriptor left: no exit, no busy loop, and new clients once one is free",
         "描述符用完：不退出，不空转；一有空出的，就接受新客户端"]),
    check("refused_watch", Answers, limits::refused_watch,
        ["a client that the kernel refuses to watch (ENOSPC) is turned away, the others are served",
         "内核拒绝关注的客户端（ENOSPC）被谢绝，其余照常得到服务"]),
    check("idle_cpu", Nothing, limits::idle_cpu,
        ["clients that are idle, half-closed, unread or gone cost no CPU",
         "空闲、半关闭、不读、已断开的客户端都不耗 CPU"]),
    check("asleep_in", Nothing, limits::asleep_in,
        ["an idle server sleeps in the system call that its model is named after",
         "服务端空闲时，阻塞在模型得名的那个系统调用上"]),
    check("stop_continue", Nothing, life::stop_continue,
        ["SIGSTOP and SIGCONT interrupt a wait (EINTR): it is waited again",
         "SIGSTOP 和 SIGCONT 打断等待（EINTR）：重新等待"]),
    check("closed_output", Nothing, life::closed_output,
        ["nobody reads the server's output any more: it goes on serving",
         "服务端的输出已无人读取：照常服务"]),
    check("port_in_use", Nothing, life::port_in_use,
        ["a second server on one port ends in one line that says so; the first goes on",
         "同一端口上的第二个服务端报错一行后退出，第一个照常运行"]),
    check("bad_command_line", Nothing, life::bad_command_line,
        ["a bad command line ends in one line, with exit status 2",
         "命令行有误：报错一行，退出状态 2"]),
    check("addresses", Nothing, life::addresses,
        ["an IPv6 address and a host name are addresses too",
         "IPv6 地址和主机名也是地址"]),
    check("restart", Nothing, life::restart,
        ["a killed server's port can be had again at once (SO_REUSEADDR)",
         "服务端被杀死后，端口立即可以再用（SO_REUSEADDR）"]),
];

/// What is asked of a server that promises to close clients which keep it waiting: it takes
/// `--idle`, `--message` and `--unread`, in seconds.
#[rustfmt::skip]
pub const DEADLINES: &[Check] = &[
    check("silent", Answers, deadlines::silent,
        ["a client that says nothing for too long is closed; one that talks is kept",
         "客户端太久不发数据就被断开；一直在发的不受影响"]),
    check("slow_message", Answers, deadlines::slow_message,
        ["a client that sends a byte now and then is closed when its message takes too long",
         "客户端隔一会儿才发一个字节，一条消息拖得太久就被断开"]),
    check("unread_answers", Answers, deadlines::unread_answers,
        ["a client that takes none of its answers is closed; a slow reader is kept",
         "客户端一直不读回复就被断开；读得慢的不受影响"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_macro_makes_a_test_of_each_check() {
        let names: Vec<_> = CHECKS.iter().map(|check| check.name).collect();
        assert_eq!(names, crate::contract_tests!(@names));
    }
}

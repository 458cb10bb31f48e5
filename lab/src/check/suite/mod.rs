//! The contract, check by check. Each takes a server that nobody else uses, and says in plain
//! words, with figures, what it saw.

mod bytes;
mod life;
mod limits;
mod stamps;
mod trouble;

use super::subject::{Gives, Seen, Subject};

/// One point of the contract.
pub(crate) struct Check {
    pub name: &'static str,
    /// What a server that holds it has understood.
    pub teaches: &'static str,
    /// What the server must do by itself for the question to make sense.
    pub needs: Gives,
    pub run: fn(&Subject) -> Seen,
}

const fn check(
    name: &'static str,
    needs: Gives,
    run: fn(&Subject) -> Seen,
    teaches: &'static str,
) -> Check {
    Check { name, teaches, needs, run }
}

pub(crate) use bytes::answered_at_once;
pub(crate) use limits::descriptor_limit;

use Gives::{Answers, AnswersOne, Connections, Nothing};

/// All of them, in the order of the report: what is asked of every server first, then the rarer
/// things that break one.
#[rustfmt::skip]
pub(crate) const CHECKS: &[Check] = &[
    check("echo", AnswersOne, bytes::echo,
        "1 byte to 8 MiB come back exactly, to a client that writes and reads at once"),
    check("byte_by_byte", AnswersOne, bytes::byte_by_byte,
        "TCP is a stream of bytes: each is answered at once, whatever a message may be"),
    check("no_delay", AnswersOne, bytes::no_delay,
        "an answer leaves at once, not when the one before was acknowledged (TCP_NODELAY)"),
    check("interleaved", Answers, bytes::interleaved,
        "200 clients at a time, and each gets its own bytes"),
    check("in_order", Answers, bytes::in_order,
        "five clients that are ready together are all answered; in which order is the model's"),
    check("half_close", AnswersOne, bytes::half_close,
        "a client that has sent all may still read: everything is answered before the close"),
    check("data_with_fin", AnswersOne, bytes::data_with_fin,
        "data and the end of input that arrive together: the data is read first"),
    check("resets", Answers, trouble::resets,
        "a reset connection ends alone: idle, in mid-data, or before it was accepted"),
    check("never_reads", Answers, trouble::never_reads,
        "a client that does not read costs a bounded queue and nobody else's time; what one send \
         does not take is sent later"),
    check("flooder", Answers, trouble::flooder,
        "a client that sends all the time does not starve the others"),
    check("urgent", AnswersOne, trouble::urgent,
        "urgent data is neither an error nor a reason to spin"),
    check("comes_and_goes", Connections, trouble::comes_and_goes,
        "2000 clients leave no descriptor behind"),
    check("many_clients", Answers, limits::many_clients,
        "1100 clients at once: more than select(2) has numbers for"),
    check("out_of_descriptors", Answers, limits::out_of_descriptors,
        "no descriptor left: no exit, no busy loop, and new clients once one is free"),
    check("refused_watch", Answers, limits::refused_watch,
        "a client that the kernel refuses to watch (ENOSPC) is turned away, the others are served"),
    check("idle_cpu", Nothing, limits::idle_cpu,
        "clients that are idle, half-closed, unread or gone cost no CPU"),
    check("asleep_in", Nothing, limits::asleep_in,
        "an idle server sleeps in the system call that its model is named after"),
    check("stop_continue", Nothing, life::stop_continue,
        "SIGSTOP and SIGCONT interrupt a wait (EINTR): it is waited again"),
    check("closed_output", Nothing, life::closed_output,
        "nobody reads the server's output any more: it goes on serving"),
    check("port_in_use", Nothing, life::port_in_use,
        "a second server on one port ends in one line that says so; the first goes on"),
    check("bad_command_line", Nothing, life::bad_command_line,
        "a bad command line ends in one line, with exit status 2"),
    check("addresses", Nothing, life::addresses,
        "an IPv6 address and a host name are addresses too"),
    check("restart", Nothing, life::restart,
        "a killed server's port can be had again at once (SO_REUSEADDR)"),
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

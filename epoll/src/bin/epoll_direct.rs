//! The server with the fewest system calls: `epoll(7)`, level-triggered, and answers sent at once.
//!
//! It is `epoll`, the very same source, with one difference in `handle`: a send follows the receive
//! without asking first whether there is room. A socket nearly always has room. So an echo is sent
//! from where it was received. Only when the kernel takes less than everything is the rest copied
//! into the queue, and EPOLLOUT watched. S2's select server sends at once, too, but never finishes
//! a send that was partial.
//!
//! ```text
//! cargo run --bin epoll_direct
//! cargo run -p client
//! ```
//!
//! Watch what is missing from the narration: no `EPOLL_CTL_MOD`, and a single wait for a message.
//! Three system calls where `epoll` makes six. Then let a client send and not read, and see the
//! queue at work: `cat /dev/zero > /dev/tcp/127.0.0.1/8001` in bash.
//!
//! Limits: as `epoll`.

#[path = "../main.rs"]
#[allow(dead_code, reason = "it has a main of its own")]
mod epoll_server;

use common::Reply;
use std::process::ExitCode;

fn main() -> ExitCode {
    let about =
        "An echo server on epoll(7) that sends at once: the fewest system calls for a message";
    common::run(about, Reply::Echo, |args, reply| epoll_server::serve(args, reply, true))
}

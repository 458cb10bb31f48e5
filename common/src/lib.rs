//! What every server of the course needs and no I/O model owns: the command line, the listening
//! socket, the message queue, the connection, messages in a stream, the reply, the narration.
//!
//! Nothing in here waits. Each program waits in its own way, in its own `main.rs`; that is the
//! lesson, and it stays there. What is here would be the same text in every one of them.

#[cfg(not(unix))]
compile_error!("the course is about Unix system calls: build it on Linux, macOS or a BSD");

mod args;
mod bytes;
mod connect;
mod connection;
mod errors;
mod framing;
mod listener;
mod narration;
mod queue;
mod reply;
mod text;

pub use args::{DEFAULT_ADDR, ServerArgs, host_port, outcome, parse, run, seconds};
pub use bytes::{preview, python_bytes};
pub use connect::{connect, connect_advice};
pub use connection::Connection;
pub use errors::{explained, interrupted, reason, would_block};
pub use framing::{Framing, Inbox, TooLong};
pub use listener::{Listener, listen, resolve};
pub use narration::narrate;
pub use queue::{HIGH_WATER, LOW_WATER, MessageQueue};
pub use reply::Reply;
pub use text::{TextPieces, harmless, marked};

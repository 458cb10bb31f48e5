//! Asynchronous I/O, one operation at a time: submit, wait, complete. To be read before `uring`.
//!
//! The figure of note S2, section 5, as a program. What is submitted is not "tell me when there is
//! something to receive" but "receive": into this buffer, whenever it comes. What comes back is not
//! "now" but "done": five bytes are in your buffer.
//!
//! ```text
//! cargo run --bin uring_once
//! cargo run -p client
//! ```
//!
//! Watch two numbers. Where does it sleep? `sleeps in io_uring_enter` counts them; there is no
//! other place, no call receives or sends. And who copied? When a completion arrives the
//! bytes are in our buffer and nothing is `left in the kernel`. A program that was woken by select
//! or epoll finds it the other way round: everything is still in the kernel, and the recv that
//! copies it is to come.
//!
//! The buffer is given away with the request, and comes back with the completion. In between it is
//! the kernel's: `receive` takes the `Vec` by value, so that the caller cannot use it meanwhile.
//!
//! Limits: Linux only, and not where io_uring is forbidden. One client at a time: to wait for one
//! operation after the other is what `blocking` does. What this model is for comes when many
//! operations are under way at once: `uring`.

use common::{Connection, Reply, ServerArgs, preview};
use log::info;
use std::io;
use std::net::TcpStream;
use std::process::ExitCode;
use uring::{Once, left_in_the_kernel};

fn main() -> ExitCode {
    let about = "io_uring(7) one operation at a time: submit, wait, complete";
    common::run(about, Reply::Echo, serve)
}

/// Waits for a client, then for that client, then for the next.
fn serve(args: &ServerArgs, reply: Reply) -> io::Result<()> {
    let listener = common::listen(args)?;
    let mut ring = Once::new()?;
    listener.announce()?;

    loop {
        let socket = ring.accept(&listener).map(TcpStream::from);
        if let Some(client) = listener.admitted(socket) {
            info!("whoever connects now waits until {} leaves", client.peer());
            converse(&mut ring, client, args.buffer(), reply);
        }
    }
}

/// One client, until it leaves. An error ends this conversation and no other.
fn converse(ring: &mut Once, mut client: Connection, buffer: Vec<u8>, reply: Reply) {
    let peer = client.peer();
    let sleeps = ring.sleeps;
    let mut received = 0;
    if let Err(error) = answer_all(ring, &mut client, buffer, reply, &mut received) {
        client.lose(&error);
    }
    let sleeps = ring.sleeps - sleeps;
    info!(
        "closing {peer}: {received} bytes, none copied by us; slept {sleeps} times, never in recv"
    );
}

fn answer_all(
    ring: &mut Once,
    client: &mut Connection,
    mut buffer: Vec<u8>,
    reply: Reply,
    received: &mut usize,
) -> io::Result<()> {
    let peer = client.peer();
    // What the kernel sends from, until it says that it has.
    let mut answer = Vec::new();
    loop {
        let count;
        (count, buffer) = ring.receive(client, buffer)?;
        if count == 0 {
            info!("no more data from {peer}");
            return Ok(());
        }
        *received += count;
        let data = &buffer[..count];
        info!(
            "received {} from {peer}: in our buffer {count} bytes, left in the kernel {}",
            preview(data),
            left_in_the_kernel(client)
        );
        reply.answer(data, client.queue_mut());
        while client.wants_write() {
            answer.clear();
            answer.extend_from_slice(client.queue().waiting());
            info!("sending {} to {peer}", preview(&answer));
            let count;
            (count, answer) = ring.send(client, answer)?;
            client.queue_mut().advance(count);
        }
        info!("output queue for {peer} is empty");
    }
}

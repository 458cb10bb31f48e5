//! Two threads: one sends, one receives.
//!
//! The client of S3. Where `client` waits for keyboard and socket with one call, this one has a
//! thread for each, and both may block. Nothing here is non-blocking, there is no queue and no
//! state to keep: the two threads' positions in their code are the state.
//!
//! Run it beside a server (`cargo run -p select`): `cargo run -p client --bin client_threads`
//!
//! Watch for: how the program ends, which is the hard part of it. A thread that is blocked in
//! reading the keyboard cannot be woken, so when the server leaves, the process has to be ended
//! around it. S3 calls `os._exit`, and only after a reset: when the server closes in good order
//! recv returns nothing instead of failing, and S3's loop goes on receiving nothing for ever.

use clap::Parser;
use client::{read_in, write_out};
use common::{
    Connection, DEFAULT_ADDR, TextPieces, explained, harmless, host_port, interrupted, marked,
    reason,
};
use nix::errno::Errno;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

/// Talk to a server with two threads: one sends what you type, one prints what comes back
#[derive(Parser)]
struct Args {
    /// Where the server listens
    #[arg(long, value_name = "HOST:PORT", default_value = DEFAULT_ADDR, value_parser = host_port)]
    addr: String,
}

/// What both threads use. TCP's two directions are independent, so one may send while the other
/// receives, on the same socket and without a lock.
struct Shared {
    connection: Connection,
    /// How the keyboard's input ended, once it has. When the server closes after that, it has not
    /// gone down: it was we who said goodbye.
    keyboard_end: OnceLock<io::Result<()>>,
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    match talk(&args.addr) {
        // `client_threads | head -1`: there is no reader any more, so there is nothing left to do.
        // (Only standard output's errors arrive bare.)
        Err(error) if error.raw_os_error() == Some(Errno::EPIPE as i32) => ExitCode::SUCCESS,
        Err(error) if error.raw_os_error().is_some() => {
            let sentence = format!("cannot write standard output: {}", reason(&error));
            common::outcome(Err(explained(&error, sentence)))
        }
        // To return from main ends every thread, whatever it is doing: what S3 needs `os._exit`
        // for. The keyboard's thread was not joined, because it may never come back.
        result => common::outcome(result),
    }
}

fn talk(addr: &str) -> io::Result<()> {
    let receiver =
        Arc::new(Shared { connection: common::connect(addr)?, keyboard_end: OnceLock::new() });
    let sender = Arc::clone(&receiver);
    let started = std::thread::Builder::new().spawn(move || send_what_is_typed(&sender));
    started.map_err(|error| {
        let reason = reason(&error);
        explained(&error, format!("cannot start a thread: {reason} (raise ulimit -u)"))
    })?;
    receive(&receiver)
}

/// The keyboard's thread. It blocks twice: until a line is typed, and until the server has room
/// for it. The second matters as much: no queue grows here, the keyboard just has to wait.
fn send_what_is_typed(shared: &Shared) {
    let mut socket = shared.connection.socket();
    let mut typed = vec![0; 64 * 1024];
    let end = loop {
        let count = match read_in(&mut typed) {
            Ok(0) => break Ok(()),
            Ok(count) => count,
            Err(error) => break Err(error),
        };
        for line in typed[..count].split(|&byte| byte == b'\n') {
            // `write_all` is right on a blocking socket, and only there: on a non-blocking one it
            // would fail half-way and not say how far it came.
            if socket.write_all(line).is_err() {
                // The connection is gone. The receiver finds out by itself and knows what to say.
                return;
            }
        }
    };
    // First the note, then the FIN: what the receiver sees next may be the answer to it.
    let _ = shared.keyboard_end.set(end);
    let _ = shared.connection.shut_down_sending();
}

/// The receiver: the main thread, because its end is the program's end.
fn receive(shared: &Shared) -> io::Result<()> {
    let mut socket = shared.connection.socket();
    let mut buffer = vec![0; 64 * 1024];
    let mut text = TextPieces::default();
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                // S3 decodes nothing (Python 2). Half a character waits for its other half.
                let text = text.push(&buffer[..count]);
                if !text.is_empty() {
                    write_out(marked("RECEIVE: ", &harmless(&text)).as_bytes())?;
                }
            }
            Err(error) if interrupted(&error) => {}
            Err(error) => {
                say("Server Down!")?;
                let sentence = format!("the connection broke: {}", reason(&error));
                return Err(explained(&error, sentence));
            }
        }
    }
    match shared.keyboard_end.get() {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => {
            let sentence = format!("cannot read standard input: {}", reason(error));
            Err(explained(error, sentence))
        }
        None => say("Server Down!"),
    }
}

/// A line on standard output. `println!` would panic when there is no reader any more.
fn say(line: &str) -> io::Result<()> {
    write_out(format!("{line}\n").as_bytes())
}

//! What the two clients do: the same in every timeline, so that two timelines differ in the I/O
//! model and in nothing else.
//!
//! A connects, then B. B says something while A is silent, then A does, and leaves. A server that
//! can wait for one client only has to let B wait until A is gone.

use super::trace::{Client, Deed};
use common::reason;
use judge::check::subject::Gives;
use nix::time::{ClockId, clock_gettime};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// From one step to the next: time for the server to come to rest, also when strace slows it.
const PAUSE: Duration = Duration::from_millis(3);
/// How long an answer may take that comes, and one that does not.
const PATIENCE: Duration = Duration::from_secs(10);
const IMPATIENCE: Duration = Duration::from_millis(50);

/// What the clients did.
pub(super) struct Played {
    pub acts: Vec<(Client, Duration, Deed)>,
    pub ports: Vec<(Client, u16)>,
    pub end: Duration,
}

/// Plays the script on a server that listens at `addr`.
pub(super) fn play(addr: SocketAddr, gives: Gives) -> Result<Played, String> {
    steps(addr, gives).map_err(|error| format!("a client failed: {}", reason(&error)))
}

fn steps(addr: SocketAddr, gives: Gives) -> io::Result<Played> {
    let patience = if gives >= Gives::AnswersOne { PATIENCE } else { IMPATIENCE };
    let mut acts = Vec::new();
    let (answers, answered) = channel();
    let mut connect = |client| -> io::Result<(TcpStream, u16)> {
        thread::sleep(PAUSE);
        acts.push((client, now()?, Deed::Connect));
        let socket = TcpStream::connect_timeout(&addr, PATIENCE)?;
        socket.set_nodelay(true)?;
        let port = socket.local_addr()?.port();
        listen_for(client, &socket, patience, answers.clone())?;
        Ok((socket, port))
    };
    let (mut a, port_a) = connect(Client::A)?;
    let (mut b, port_b) = connect(Client::B)?;
    drop(answers);
    let mut send = |client, socket: &mut TcpStream, text: &str| -> io::Result<()> {
        thread::sleep(PAUSE);
        acts.push((client, now()?, Deed::Send(text.into())));
        socket.write_all(text.as_bytes())
    };
    send(Client::B, &mut b, "hi")?;
    send(Client::A, &mut a, "hello")?;
    // B's answer may come at once, or only when A is gone.
    let mut early = Vec::new();
    await_answer(&answered, Client::A, &mut early);
    thread::sleep(PAUSE);
    acts.push((Client::A, now()?, Deed::Close));
    drop(a);
    if !early.iter().any(|answer| answer.0 == Client::B) {
        await_answer(&answered, Client::B, &mut early);
    }
    thread::sleep(PAUSE);
    let end = now()?;
    for (client, at, text) in early {
        if let (Some(text), true) = (text, at < end) {
            acts.push((client, at, Deed::Receive(text)));
        }
    }
    Ok(Played { acts, ports: vec![(Client::A, port_a), (Client::B, port_b)], end })
}

/// Who was answered, when, and what; nothing, if nothing came.
type Answer = (Client, Duration, Option<String>);

/// Notes the moment at which the answer is there: a thread for each client, or the wait for one
/// would hide when the other's came. The thread's hold on the socket ends with the answer.
fn listen_for(
    client: Client,
    socket: &TcpStream,
    patience: Duration,
    answers: Sender<Answer>,
) -> io::Result<()> {
    let mut socket = socket.try_clone()?;
    socket.set_read_timeout(Some(patience))?;
    thread::spawn(move || {
        let mut buffer = [0; 32];
        let count = socket.read(&mut buffer).unwrap_or(0);
        let at = now().unwrap_or_default();
        drop(socket);
        let text = (count > 0).then(|| String::from_utf8_lossy(&buffer[..count]).into_owned());
        // Nobody listens any more when the script has failed.
        let _ = answers.send((client, at, text));
    });
    Ok(())
}

fn await_answer(answered: &Receiver<Answer>, client: Client, all: &mut Vec<Answer>) {
    while let Ok(answer) = answered.recv() {
        let found = answer.0 == client;
        all.push(answer);
        if found {
            return;
        }
    }
}

/// The clock that strace reads.
fn now() -> io::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_REALTIME)?.into())
}

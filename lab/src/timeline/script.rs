//! What the two clients do: the same in every timeline, so that two timelines differ in the I/O
//! model and in nothing else.
//!
//! A connects, then B. B says something while A is silent, then A does, and leaves. A server that
//! can wait for one client only has to let B wait until A is gone.

use claims::measure::tcp_table::{Ports, accept_queue};
use common::reason;
use judge::check::subject::Gives;
use nix::time::{ClockId, clock_gettime};
use player::trace::{Client, Deed, Seen};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// From one step to the next: time for the server to come to rest, also when strace slows it.
const PAUSE: Duration = Duration::from_millis(3);
/// The same while strace walks the stack at each call.
const LONG_PAUSE: Duration = Duration::from_millis(150);
/// How long an answer may take that comes, and one that does not.
const PATIENCE: Duration = Duration::from_secs(10);
const IMPATIENCE: Duration = Duration::from_millis(50);

/// What the clients did.
pub(super) struct Played {
    pub acts: Vec<(Client, Duration, Deed)>,
    pub ports: Vec<(Client, u16)>,
    /// What the system told of the sockets, if that was wanted.
    pub seen: Vec<(Duration, Seen)>,
    pub end: Duration,
}

/// Plays the script on a server that listens at `addr`. `closely`: for a recording that knows more.
pub(super) fn play(addr: SocketAddr, gives: Gives, closely: bool) -> Result<Played, String> {
    steps(addr, gives, closely).map_err(|error| format!("a client failed: {}", reason(&error)))
}

fn steps(addr: SocketAddr, gives: Gives, closely: bool) -> io::Result<Played> {
    let patience = if gives >= Gives::AnswersOne { PATIENCE } else { IMPATIENCE };
    let mut stage = Stage::at(addr, closely);
    let (answers, answered) = channel();
    let mut a = stage.connect(Client::A)?;
    listen_for(Client::A, &a, patience, answers.clone())?;
    let mut b = stage.connect(Client::B)?;
    listen_for(Client::B, &b, patience, answers)?;
    stage.send(Client::B, &mut b, "hi")?;
    stage.send(Client::A, &mut a, "hello")?;
    // B's answer may come at once, or only when A is gone.
    let mut early = Vec::new();
    await_answer(&answered, Client::A, &mut early);
    stage.rest(Client::A, Deed::Close)?;
    drop(a);
    stage.look()?;
    if !early.iter().any(|answer| answer.0 == Client::B) {
        await_answer(&answered, Client::B, &mut early);
    }
    thread::sleep(stage.pause);
    stage.look()?;
    let end = now()?;
    for (client, at, text) in early {
        if let (Some(text), true) = (text, at < end) {
            stage.acts.push((client, at, Deed::Receive(text)));
        }
    }
    if closely {
        // What comes now is after the end, also by strace's clock.
        thread::sleep(PAUSE);
        // strace tells where a call came from when it returns: so let those return that sleep.
        drop(b);
        drop(TcpStream::connect_timeout(&addr, PATIENCE)?);
        thread::sleep(stage.pause);
    }
    let Stage { acts, ports, seen, .. } = stage;
    let ports = ports.into_iter().map(|(client, _, port)| (client, port)).collect();
    Ok(Played { acts, ports, seen, end })
}

/// The clients' side of a run.
struct Stage {
    addr: SocketAddr,
    pause: Duration,
    closely: bool,
    acts: Vec<(Client, Duration, Deed)>,
    /// Who has connected, and from which port.
    ports: Vec<(Client, Ports, u16)>,
    seen: Vec<(Duration, Seen)>,
}

impl Stage {
    fn at(addr: SocketAddr, closely: bool) -> Self {
        let pause = if closely { LONG_PAUSE } else { PAUSE };
        let (acts, ports, seen) = (Vec::new(), Vec::new(), Vec::new());
        Self { addr, pause, closely, acts, ports, seen }
    }

    /// Waits until the server is at rest, and notes what a client is about to do.
    fn rest(&mut self, client: Client, what: Deed) -> io::Result<()> {
        thread::sleep(self.pause);
        self.look()?;
        self.acts.push((client, now()?, what));
        Ok(())
    }

    fn connect(&mut self, client: Client) -> io::Result<TcpStream> {
        self.rest(client, Deed::Connect)?;
        let socket = TcpStream::connect_timeout(&self.addr, PATIENCE)?;
        socket.set_nodelay(true)?;
        self.ports.push((client, Ports::of(&socket)?, socket.local_addr()?.port()));
        self.look()?;
        Ok(socket)
    }

    fn send(&mut self, client: Client, socket: &mut TcpStream, text: &str) -> io::Result<()> {
        self.rest(client, Deed::Send(text.into()))?;
        socket.write_all(text.as_bytes())?;
        self.look()
    }

    /// Notes what the system tells of the sockets, if it can be asked in a moment: on a busy
    /// machine the server may go on meanwhile.
    fn look(&mut self) -> io::Result<()> {
        const MOMENT: Duration = Duration::from_millis(2);
        for _ in 0..if self.closely { 20 } else { 0 } {
            let at = now()?;
            let mut ends = Vec::new();
            for (client, ports, _) in &self.ports {
                if let Some([Some(theirs), Some(ours)]) = ports.ends() {
                    ends.push((*client, [ours.unread, ours.unacknowledged, theirs.unread]));
                }
            }
            let Some(waiting) = accept_queue(self.addr.port()) else { return Ok(()) };
            if now()? - at < MOMENT {
                self.seen.push((at, Seen { at: 0, waiting, ends }));
                break;
            }
        }
        Ok(())
    }
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

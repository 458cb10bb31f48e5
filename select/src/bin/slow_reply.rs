//! A slow answer, three ways: it stops everybody, or nobody.
//!
//! The server of note S3 sleeps 5 seconds before each answer, in the loop; S2 warns of that: "once
//! the body of the handler is large, it is a disaster for the whole model". The same delay here as:
//!
//! ```text
//! cargo run --bin slow_reply                   # --how sleep: in the loop, everybody waits
//! cargo run --bin slow_reply -- --how timer    # a deadline: select's time-out, nobody waits
//! cargo run --bin slow_reply -- --how worker   # a thread does it, and answers through one more
//!                                              # descriptor: nobody waits
//! ```
//!
//! Ask from three clients at once. With `sleep` the answers come after 5, 10 and 15 seconds; with
//! the others all three after 5. `timer` is for waiting (a delay, a time limit). `worker` is for
//! work that computes or blocks: no time-out makes that shorter.
//!
//! Limits: a client's next message is read when the one before is answered, so answers keep their
//! order, and a client has one worker at the most. Until then a client that has left is not
//! noticed, and keeps its descriptor. The contract of the course holds with each; but with `sleep`
//! "everybody else is served meanwhile" is only as good as the delay is short: that is the lesson.
//! As `select`, descriptors 0 to 1023.

#[path = "../limits.rs"]
mod limits;

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, explained, preview, reason, would_block};
use limits::{can_watch, must_watch, timeval};
use log::info;
use nix::errno::Errno;
use nix::sys::select::{FdSet, select};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// An echo server that is slow to answer, three ways (notes S3 and S2)
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum, default_value_t = Reply::Echo)]
    reply: Reply,

    /// Seconds that each answer takes, such as 5 or 0.5
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    delay: Duration,

    /// Who waits
    #[arg(long, value_enum, default_value_t = How::Sleep)]
    how: How,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum How {
    /// the loop sleeps, and everybody waits, as in the notes
    Sleep,
    /// the answer has a deadline, which becomes select's time-out
    Timer,
    /// a thread does the work and wakes the loop through one more descriptor
    Worker,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected seconds, such as 5 or 0.5")?;
    if !(0.0..=86_400.0).contains(&seconds) {
        return Err("expected 0 to 86400 seconds (a day)".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(args))
}

fn serve(args: Args) -> io::Result<()> {
    let mut server = Server {
        listener: common::listen(&args.server)?,
        clients: Vec::new(),
        clients_so_far: 0,
        buffer: args.server.buffer(),
        done: Done::new()?,
        args,
    };
    server.listener.set_nonblocking(true)?;
    must_watch(&server.listener)?;
    must_watch(&server.done.woken)?;
    server.listener.announce()?;

    let mut ready = Ready::default();
    loop {
        server.wait(&mut ready)?;
        if ready.new_client {
            server.accept();
        }
        for &client in &ready.readable {
            server.receive(client);
        }
        server.answer_asleep();
        server.answer_what_is_due();
        if ready.work_done {
            server.answer_what_is_done();
        }
        for &client in &ready.writable {
            server.send(client);
        }
        server.close_finished();
    }
}

struct Server {
    listener: Listener,
    clients: Vec<Client>,
    /// Each client gets a number that no other had: work may end after its client has left, and
    /// must not be answered to whoever has its place in the list by then.
    clients_so_far: u64,
    buffer: Vec<u8>,
    done: Done,
    args: Args,
}

struct Client {
    number: u64,
    connection: Connection,
    /// The message that is being worked on; meanwhile nothing more is received from this client.
    work: Option<Work>,
}

/// A message on its way to being an answer.
enum Work {
    /// Sleep, then answer it.
    Asleep(Vec<u8>),
    /// Answer it at that time.
    Due(Instant, Vec<u8>),
    /// A thread has it.
    AtWorker,
}

/// How workers give back what they have done: through a channel, and a byte into a socket pair.
/// select cannot watch a channel, but it can watch a descriptor.
struct Done {
    answers: Receiver<(u64, Vec<u8>)>,
    sender: Sender<(u64, Vec<u8>)>,
    woken: UnixStream,
    wake: Arc<UnixStream>,
}

impl Done {
    fn new() -> io::Result<Self> {
        let (woken, wake) = UnixStream::pair().map_err(|error| {
            explained(&error, format!("cannot make a socket pair: {}", reason(&error)))
        })?;
        woken.set_nonblocking(true)?;
        // When the pair is full, the loop has been woken often enough.
        wake.set_nonblocking(true)?;
        let (sender, answers) = mpsc::channel();
        Ok(Self { answers, sender, woken, wake: Arc::new(wake) })
    }
}

/// What select reported; positions in `clients` hold for one turn.
#[derive(Default)]
struct Ready {
    new_client: bool,
    work_done: bool,
    readable: Vec<usize>,
    writable: Vec<usize>,
}

impl Server {
    fn wait(&self, ready: &mut Ready) -> io::Result<()> {
        let (mut inputs, mut outputs) = (FdSet::new(), FdSet::new());
        inputs.insert(self.done.woken.as_fd());
        let mut highest = self.listener.as_fd().as_raw_fd().max(self.done.woken.as_raw_fd());
        if self.listener.wants_read() {
            inputs.insert(self.listener.as_fd());
        }
        let mut timeout = self.listener.timeout();
        for Client { connection, work, .. } in &self.clients {
            highest = highest.max(connection.as_fd().as_raw_fd());
            if connection.wants_read() && work.is_none() {
                inputs.insert(connection.as_fd());
            }
            if connection.wants_write() {
                outputs.insert(connection.as_fd());
            }
            // The nearest deadline is how long select may sleep. A timer is no more than that.
            if let Some(Work::Due(due, _)) = work {
                let left = due.saturating_duration_since(Instant::now());
                timeout = Some(timeout.map_or(left, |shortest| shortest.min(left)));
            }
        }
        match timeout {
            None => info!("waiting for the next event, however long"),
            Some(wait) => info!("waiting for the next event, {wait:.1?} at most"),
        }
        let mut timeout = timeout.map(timeval);
        match select(highest + 1, &mut inputs, &mut outputs, None, timeout.as_mut()) {
            Ok(_) => {}
            // A signal: the sets hold nothing of use. The deadlines stand; the next turn waits for
            // what is left.
            Err(Errno::EINTR) => (inputs, outputs) = (FdSet::new(), FdSet::new()),
            Err(error) => return Err(error.into()),
        }
        ready.new_client = inputs.contains(self.listener.as_fd());
        ready.work_done = inputs.contains(self.done.woken.as_fd());
        let find = |list: &mut Vec<usize>, set: &FdSet| {
            list.clear();
            list.extend((0..self.clients.len()).filter(|&n| set.contains(self.clients[n].as_fd())));
        };
        find(&mut ready.readable, &inputs);
        find(&mut ready.writable, &outputs);
        Ok(())
    }

    fn accept(&mut self) {
        match self.listener.accept() {
            Ok(Some(connection)) => {
                let peer = connection.peer();
                if !can_watch(&connection) {
                    info!("turning away {peer}: select cannot watch its descriptor (FD_SETSIZE)");
                } else if let Err(error) = connection.set_nonblocking(true) {
                    info!("turning away {peer}: {}", reason(&error));
                } else {
                    info!("new connection from {peer}");
                    self.clients_so_far += 1;
                    let number = self.clients_so_far;
                    self.clients.push(Client { number, connection, work: None });
                }
            }
            Ok(None) => {}
            Err(error) => info!("no new clients for now: {}", reason(&error)),
        }
    }

    fn receive(&mut self, client: usize) {
        let connection = &mut self.clients[client].connection;
        let peer = connection.peer();
        match connection.recv(&mut self.buffer) {
            Ok(0) => info!("no more data from {peer}"),
            Ok(count) => {
                let data = self.buffer[..count].to_vec();
                info!("received {} from {peer}", preview(&data));
                self.work_on(client, data);
            }
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(client, &error),
        }
    }

    /// An answer takes its time. The delay is the same in each way; what differs is who waits.
    fn work_on(&mut self, client: usize, data: Vec<u8>) {
        let Client { number, connection, work } = &mut self.clients[client];
        let delay = self.args.delay;
        match self.args.how {
            How::Sleep => *work = Some(Work::Asleep(data)),
            How::Timer => *work = Some(Work::Due(Instant::now() + delay, data)),
            How::Worker => {
                let (number, sender) = (*number, self.done.sender.clone());
                let wake = Arc::clone(&self.done.wake);
                let message = data.clone();
                // A thread for each message is dear, and a pool of them would do better. Here the
                // thread is the point, and it is at most one for each client.
                let worker = thread::Builder::new().spawn(move || {
                    thread::sleep(delay);
                    // Only a loop that has ended would not take it.
                    let _ = sender.send((number, message));
                    let _ = (&*wake).write(&[0]);
                });
                *work = Some(match worker {
                    Ok(_) => Work::AtWorker,
                    // The message was received, so it is answered.
                    Err(error) => {
                        info!("no thread for {}: {}; a timer", connection.peer(), reason(&error));
                        Work::Due(Instant::now() + delay, data)
                    }
                });
            }
        }
    }

    /// As in the notes: the loop sleeps before it sends, for one client after the other.
    fn answer_asleep(&mut self) {
        for client in 0..self.clients.len() {
            let Client { connection, work, .. } = &mut self.clients[client];
            if let Some(Work::Asleep(data)) = work.take_if(|it| matches!(it, Work::Asleep(_))) {
                info!("sleeping for {:?}, and everybody with me", self.args.delay);
                thread::sleep(self.args.delay);
                self.args.reply.answer(&data, connection.queue_mut());
                self.send(client);
            }
        }
    }

    fn answer_what_is_due(&mut self) {
        let now = Instant::now();
        for Client { connection, work, .. } in &mut self.clients {
            if let Some(Work::Due(_, data)) =
                work.take_if(|it| matches!(it, Work::Due(due, _) if *due <= now))
            {
                self.args.reply.answer(&data, connection.queue_mut());
            }
        }
    }

    fn answer_what_is_done(&mut self) {
        // The bytes only wake; how many there are means nothing.
        let _ = (&self.done.woken).read(&mut [0; 64]);
        for (number, data) in self.done.answers.try_iter() {
            // The client may have left since.
            if let Some(client) = self.clients.iter_mut().find(|client| client.number == number) {
                client.work = None;
                self.args.reply.answer(&data, client.connection.queue_mut());
            }
        }
    }

    fn send(&mut self, client: usize) {
        let connection = &mut self.clients[client].connection;
        if !connection.wants_write() {
            return;
        }
        let peer = connection.peer();
        info!("sending {} to {peer}", preview(connection.queue().waiting()));
        match connection.send() {
            Ok(_) if connection.queue().is_empty() => info!("output queue for {peer} is empty"),
            Ok(_) => info!("{} bytes left for {peer}", connection.queue().len()),
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(client, &error),
        }
    }

    fn lose(&mut self, client: usize, error: &io::Error) {
        let connection = &mut self.clients[client].connection;
        info!("lost {}: {}", connection.peer(), reason(error));
        connection.abandon();
    }

    fn close_finished(&mut self) {
        let before = self.clients.len();
        self.clients.retain(|Client { connection, .. }| {
            if connection.is_finished() {
                info!("closing {}", connection.peer());
            }
            !connection.is_finished()
        });
        if self.clients.len() < before {
            self.listener.resume();
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}

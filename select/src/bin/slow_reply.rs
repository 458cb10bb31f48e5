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

use clap::Parser;
use common::{Connection, Listener, Reply, ServerArgs, explained, preview, reason, would_block};
use log::info;
use nix::errno::Errno;
use nix::sys::select::{FdSet, select};
use select::{List, can_watch, must_watch, timeval};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
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
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = common::seconds)]
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

fn main() -> ExitCode {
    let args: Args = common::parse();
    common::narrate(args.server.quiet);
    common::outcome(serve(args))
}

/// The loop of every readiness server: wait until something is ready, handle what is, wait again.
fn serve(args: Args) -> io::Result<()> {
    let listener = common::listen(&args.server)?;
    // No call in the loop may wait except select: the others would wait with it.
    listener.set_nonblocking(true)?;
    must_watch(&listener)?;
    let done = Done::new()?;
    must_watch(&done.woken)?;
    listener.announce()?;

    let mut buffer = args.server.buffer();
    let mut server = Server { clients: Vec::new(), clients_so_far: 0, done, args };
    loop {
        let ready = server.wait(&listener)?;
        for n in ready.readable {
            server.receive(n, &mut buffer);
        }
        server.answer_what_is_due();
        if ready.work_done {
            server.answer_what_is_done();
        }
        for n in ready.writable {
            server.clients[n].connection.send_queued();
        }
        // Only now, when no position is used any more.
        server.clients.retain(|client| client.connection.is_open());
        if ready.new_client {
            server.welcome(listener.admit().filter(can_watch));
        }
    }
}

struct Server {
    clients: Vec<Client>,
    /// Each client gets a number that no other had: its work may be done after it has left, and the
    /// result must not go to the client that has its position by then.
    clients_so_far: u64,
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
            explained(
                &error,
                format!("cannot make a socket pair: {} (raise ulimit -n)", reason(&error)),
            )
        })?;
        woken.set_nonblocking(true)?;
        // When the pair is full, the loop has been woken often enough.
        wake.set_nonblocking(true)?;
        let (sender, answers) = mpsc::channel();
        Ok(Self { answers, sender, woken, wake: Arc::new(wake) })
    }
}

/// What select gave back. A client is its position in the list.
struct Ready {
    new_client: bool,
    work_done: bool,
    readable: Vec<usize>,
    writable: Vec<usize>,
}

impl Server {
    /// Says what to watch, sleeps until some of it is ready or a deadline is there, and finds out
    /// what is ready.
    fn wait(&self, listener: &Listener) -> io::Result<Ready> {
        let (mut inputs, mut outputs) = (FdSet::new(), FdSet::new());
        let mut highest = listener.as_fd().as_raw_fd().max(self.done.woken.as_raw_fd());
        inputs.insert(listener.as_fd());
        inputs.insert(self.done.woken.as_fd());
        let mut next_deadline = None;
        for Client { connection, work, .. } in &self.clients {
            let fd = connection.as_fd();
            highest = highest.max(fd.as_raw_fd());
            if connection.wants_read() && work.is_none() {
                inputs.insert(fd);
            }
            if connection.wants_write() {
                outputs.insert(fd);
            }
            if let Some(Work::Due(due, _)) = work {
                next_deadline = Some(next_deadline.map_or(*due, |next: Instant| next.min(*due)));
            }
        }
        info!("waiting for the next event: inputs {}, outputs {}", List(&inputs), List(&outputs));

        // The nearest deadline is how long select may sleep. A timer is no more than that.
        let left = next_deadline.map(|due| due.saturating_duration_since(Instant::now()));
        let mut timeout = left.map(timeval);
        match select(highest + 1, &mut inputs, &mut outputs, None, timeout.as_mut()) {
            Ok(_) => {}
            // A signal came first. The deadlines stand: the next call waits for what is left.
            Err(Errno::EINTR) => return self.wait(listener),
            Err(error) => return Err(error.into()),
        }
        info!("ready: readable {}, writable {}", List(&inputs), List(&outputs));
        let within = |set: &FdSet| -> Vec<usize> {
            let among = |&n: &usize| set.contains(self.clients[n].connection.as_fd());
            (0..self.clients.len()).filter(among).collect()
        };
        Ok(Ready {
            new_client: inputs.contains(listener.as_fd()),
            work_done: inputs.contains(self.done.woken.as_fd()),
            readable: within(&inputs),
            writable: within(&outputs),
        })
    }

    /// Gives a new client its number.
    fn welcome(&mut self, newcomer: Option<Connection>) {
        let Some(connection) = newcomer else { return };
        self.clients_so_far += 1;
        self.clients.push(Client { number: self.clients_so_far, connection, work: None });
    }

    /// One recv. The answer comes later, and nothing more is received from this client before.
    fn receive(&mut self, client: usize, buffer: &mut [u8]) {
        let connection = &mut self.clients[client].connection;
        let peer = connection.peer();
        match connection.recv(buffer) {
            Ok(0) => info!("no more data from {peer}"),
            Ok(count) => {
                info!("received {} from {peer}", preview(&buffer[..count]));
                self.work_on(client, buffer[..count].to_vec());
            }
            Err(error) if would_block(&error) => {}
            Err(error) => connection.lose(&error),
        }
    }

    /// An answer takes its time. The delay is the same in each way; what differs is who waits.
    fn work_on(&mut self, client: usize, data: Vec<u8>) {
        let Client { number, connection, work } = &mut self.clients[client];
        let delay = self.args.delay;
        match self.args.how {
            // As in the notes: the loop sleeps before it sends, for one client after the other.
            How::Sleep => {
                info!("sleeping for {delay:?}, and everybody with me");
                thread::sleep(delay);
                self.args.reply.answer(&data, connection.queue_mut());
                connection.send_queued();
            }
            How::Timer => *work = Some(Work::Due(Instant::now() + delay, data)),
            How::Worker => {
                let (number, sender) = (*number, self.done.sender.clone());
                let wake = Arc::clone(&self.done.wake);
                let message = data.clone();
                // A pool of threads would do better than a thread for each message. Here the thread
                // is the point, and a client has one at the most.
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
}

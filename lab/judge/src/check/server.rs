//! A server under judgement: started, found, asked, observed.

use super::client::{Answer, Client, PATIENCE};
use super::meanwhile::Meanwhile;
use super::output::{Narration, Output};
use super::programs::answering;
use super::ready_line::Announced;
use super::subject::{Fault, Gives, Seen, Subject, is_lost, short, unseen};
use crate::built::built;
use crate::dial::{addresses, dial, serving};
use crate::language::{Language, Words, said};
use crate::process::observe;
use crate::process::{Process, Stray, soon, typed};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to listen: a virtual machine or an interpreter has to start first.
const START: Duration = Duration::from_secs(20);
/// How long a port may still belong to a server just killed, and a start be tried again.
pub const RESTART: Duration = Duration::from_secs(5);
/// How long a server that has let go of its clients may take to be gone, and what it said last to
/// arrive. Generous: only one that goes on without them is waited for in vain.
const PASSING: Duration = Duration::from_secs(2);

/// How a server is started where the usual way is not what a check needs.
#[derive(Clone, Copy, Default)]
pub struct Start {
    /// The port to listen at again.
    pub port: Option<u16>,
    /// With its narration.
    pub narrating: bool,
    /// Nobody reads its output any more once it listens: `server | head -1`.
    pub unread: bool,
    /// The most descriptors that it may have.
    pub files: Option<u32>,
}

/// A running server. Dropping it kills it.
pub struct Server {
    /// Its process, killed when this is dropped.
    pub process: Process,
    /// Where it listens.
    pub addr: SocketAddr,
    /// How long it took to listen. What has to wait for such a start again waits in proportion.
    pub took: Duration,
    /// Where it says that it listens too.
    also: Vec<SocketAddr>,
    answer: Answer,
    gives: Gives,
    narration: Narration,
    /// What it hands on to.
    _behind: Option<Box<Self>>,
}

/// Starts the server as usual, lets `judge` look at it, and then asks whether it still serves:
/// whatever a check does to a server, others are served after it.
pub fn with_server(subject: &Subject, judge: impl FnOnce(&mut Server) -> Seen) -> Seen {
    with_server_started(subject, Start::default(), judge)
}

/// The same, started in another way.
pub fn with_server_started(
    subject: &Subject,
    start: Start,
    judge: impl FnOnce(&mut Server) -> Seen,
) -> Seen {
    let mut server = Server::start(subject, start)?;
    let seen = judge(&mut server).and_then(|seen| match server.serves() {
        // Otherwise the process that was watched is not the one that serves.
        Ok(()) => server.in_foreground().map(|()| seen).map_err(Fault::Short),
        Err(fault) => {
            let words = said!("{seen}; but a client that came after", "{seen}；但之后来的客户端");
            Err(fault.after(words))
        }
    });
    match seen {
        Err(Fault::Short(why)) => match server.epitaph(is_lost(&why)) {
            Some(how) => {
                short(said!("{why}; the server has ended: {how}", "{why}；服务端已经退出：{how}"))
            }
            None => short(why),
        },
        seen => seen,
    }
}

/// Starts it once and ends it again: whether it can be judged at all, and what there is to know
/// about where.
pub fn tried(subject: &Subject) -> Result<Option<Words>, String> {
    /// One that goes into the background may listen first.
    const MOMENT: Duration = Duration::from_millis(100);
    let mut server = Server::try_start(subject, Start::default())?;
    soon(MOMENT, || server.process.ended());
    server.in_foreground().map_err(|why| format!("{}: {why}", typed(&subject.command)))?;
    Ok(server.note())
}

impl Server {
    /// Starts it and waits until it listens. A port that is still taken, by a server just killed,
    /// is tried again for a few seconds.
    pub fn start(subject: &Subject, start: Start) -> Result<Self, Fault> {
        let deadline = Instant::now() + RESTART;
        loop {
            // One that takes long to start takes long to find its port taken.
            let began = Instant::now();
            match Self::try_start(subject, start) {
                Err(_) if began < deadline && began.elapsed() < START => {
                    thread::sleep(Duration::from_millis(50));
                }
                result => return result.map_err(Fault::Short),
            }
        }
    }

    /// The same, once.
    pub fn try_start(subject: &Subject, start: Start) -> Result<Self, String> {
        let expected = match &subject.addr {
            Some(addr) => addresses(addr),
            None => Vec::new(),
        };
        if let Some(addr) = &subject.addr {
            if expected.is_empty() {
                return Err(said!("unknown host in {addr}", "{addr} 中的主机未知"));
            }
            // Otherwise we would judge whoever that is.
            if let Some(addr) = serving(&expected) {
                return Err(said!(
                    "another server listens on {addr} already",
                    "已有另一个服务端在监听 {addr}"
                ));
            }
        }
        let mut command = subject.command(start.narrating, start.port);
        let behind = Self::behind(subject, &mut command)?;
        let began = Instant::now();
        let mut process = Process::start(&command, start.files)?;
        let mut output = Output::of(&mut process);
        let found = soon(START, || {
            output.read();
            let listening = if expected.is_empty() {
                output.announced().map(|all| judged(&all))
            } else {
                serving(&expected).map(|addr| (addr, Vec::new()))
            };
            let ended = || {
                let how = process.ended()?;
                let at_once = || said!("ended at once: {how}", "启动后立即退出：{how}");
                Some(Err(in_background(&process, &how).unwrap_or_else(at_once)))
            };
            listening.map(Ok).or_else(ended)
        });
        let took = began.elapsed();
        let silent = || match &subject.addr {
            Some(addr) => {
                said!(
                    "nobody accepts on {addr} for {START:?}",
                    "{START:?} 内没有人在 {addr} 上接受连接"
                )
            }
            None => {
                let words = output.instead();
                let instead = words.of(Language::spoken());
                said!(
                    "no line `listening on HOST:PORT` for {START:?}; {instead}",
                    "{START:?} 内没有出现 `listening on HOST:PORT` 一行；{instead}"
                )
            }
        };
        match found.unwrap_or_else(|| Err(silent())) {
            Err(why) => {
                // Of one that has ended, its last words are the reason.
                output.read();
                let words = output.last_words().filter(|_| process.ended().is_some());
                let words = words.map_or(String::new(), |line| said!(": {line}", "：{line}"));
                let command = typed(&command);
                Err(said!(
                    "{command} does not start: {why}{words}",
                    "{command} 没有启动成功：{why}{words}"
                ))
            }
            Ok((addr, also)) => Ok(Self {
                process,
                addr,
                took,
                also,
                answer: subject.answer,
                gives: subject.gives,
                narration: output.drain(start.unread),
                _behind: behind.map(Box::new),
            }),
        }
    }

    /// Starts a server for one that hands on, the course's `poll`, and puts its address into the
    /// command of the other.
    ///
    /// # Errors
    ///
    /// In words, if it cannot be built or does not start.
    pub fn behind(subject: &Subject, command: &mut [OsString]) -> Result<Option<Self>, String> {
        if !subject.hands_on {
            return Ok(None);
        }
        let row = answering("poll")?;
        // Asked once: each check starts it again.
        static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let binary = BUILT.get_or_init(|| built(row.package, row.binary)).clone()?;
        let behind = Self::try_start(&row.subject(&binary), Start::default())?;
        if let Some(to) = command.iter().position(|word| word == "--to") {
            command[to + 1] = behind.addr.to_string().into();
        }
        Ok(Some(behind))
    }

    /// How long another start of the same server may take: `patience`, and what it takes by itself,
    /// on a machine that may be busier by then.
    pub fn start_again(&self, patience: Duration) -> Duration {
        patience + 2 * self.took
    }

    /// What there is to know about where it is judged.
    pub fn note(&self) -> Option<Words> {
        let others: Vec<_> = self.also.iter().map(SocketAddr::to_string).collect();
        let (addr, others) = (self.addr, others.join(", "));
        (!others.is_empty()).then(|| {
            Words::new(
                format!("listens on {addr}, which is judged, and {others}: --addr chooses"),
                format!("监听 {addr}（评判的是它），还有 {others}：用 --addr 选择"),
            )
        })
    }

    /// That the process which was started still runs.
    ///
    /// # Errors
    ///
    /// In words, when it has ended: a server that went on in the background is not seen.
    pub fn in_foreground(&mut self) -> Result<(), String> {
        match self.process.ended() {
            Some(how) => Err(in_background(&self.process, &how).unwrap_or_else(|| {
                said!("the process that was started has ended: {how}", "启动的进程已经退出：{how}")
            })),
            None => Ok(()),
        }
    }

    /// A new client.
    pub fn client(&self) -> Result<Client, Fault> {
        self.client_within(PATIENCE)
    }

    /// A new client that gives up sooner.
    pub fn client_within(&self, patience: Duration) -> Result<Client, Fault> {
        let pid = self.process.pid();
        let began = Instant::now();
        match Client::connect_within(self.addr, self.answer, patience) {
            Ok(mut client) => {
                client.server = Some(pid);
                Ok(client)
            }
            Err(Fault::Short(why)) if began.elapsed() >= patience => {
                short(why + &Meanwhile::now(pid))
            }
            Err(fault) => Err(fault),
        }
    }

    /// Many of them, connected.
    pub fn clients(&self, count: usize) -> Result<Vec<Client>, Fault> {
        let client = |number| {
            let words =
                said!("client {number} of {count}", "第 {number} 个客户端（共 {count} 个）");
            self.client().map_err(|fault| fault.after(words))
        };
        (1..=count).map(client).collect()
    }

    /// A client that comes now is served, as far as the program serves anybody by itself.
    pub fn serves(&mut self) -> Result<(), Fault> {
        match self.gives {
            Gives::Nothing if self.process.ended().is_some() => {
                return short(said!("found nobody", "找不到服务端"));
            }
            Gives::Nothing => {}
            Gives::Connections => drop(self.client()?),
            Gives::AnswersOne | Gives::Answers => drop(self.client()?.exchange(100)?),
        }
        Ok(())
    }

    /// How it ended and its last words, if it has ended. A client that was `lost` may know of the
    /// end long before it can be waited for.
    fn epitaph(&mut self, lost: bool) -> Option<String> {
        const MOMENT: Duration = Duration::from_millis(50);
        let refused = || {
            let new = dial(self.addr, MOMENT);
            new.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        };
        let patience = if lost || refused() { PASSING } else { MOMENT };
        let how = soon(patience, || self.process.ended())?;
        Some(match self.narration.last_words(PASSING) {
            Some(words) => {
                said!("{how}, its last words: {words}", "{how}，最后的输出：{words}")
            }
            None => how,
        })
    }

    /// Which part of one CPU it used while we looked on, in percent (see [`Meanwhile::busy`]).
    pub fn busy(&self, window: Duration) -> Result<f64, Fault> {
        let meanwhile = Meanwhile::begin(self.process.pid());
        thread::sleep(window);
        let unseen =
            || Fault::Unseen(said!("its CPU time is not seen here", "这里看不到它的 CPU 时间"));
        meanwhile.busy().ok_or_else(unseen)
    }

    /// It comes to rest: less than `limit` percent of a CPU over `window`. What it still has to do
    /// may take it a moment, on a crowded machine before it even comes to it; a busy loop never
    /// comes to rest.
    pub fn rests(&self, limit: f64, window: Duration) -> Seen {
        let deadline = Instant::now() + RESTART;
        let mut busy = self.busy(window)?;
        while busy >= limit && Instant::now() < deadline {
            busy = self.busy(window)?;
        }
        let window = window.as_millis();
        let seen = said!(
            "{busy:.0} % of a CPU over {window} ms",
            "{window} 毫秒内占用 {busy:.0} % 的 CPU"
        );
        if busy < limit { Ok(seen) } else { short(seen) }
    }

    /// The system call that each of its threads sleeps in, once all of them sleep; whatever they do
    /// at the end of `patience` otherwise. `None`: it is not seen here.
    pub fn asleep(&self, patience: Duration) -> Option<Vec<String>> {
        let mut last = None;
        soon(patience, || {
            last = observe::system_calls(self.process.pid());
            last.as_ref()?.iter().all(|call| call != "running").then_some(())
        });
        last
    }

    /// Bytes that it holds.
    ///
    /// # Errors
    ///
    /// Unseen: the system does not tell.
    pub fn memory(&self) -> Result<u64, Fault> {
        observe::memory(self.process.pid()).map_or_else(
            || unseen(said!("its memory is not seen here", "这里看不到它占用的内存")),
            Ok,
        )
    }

    /// How many are open.
    ///
    /// # Errors
    ///
    /// Unseen: the system does not tell.
    pub fn descriptors(&self) -> Result<u64, Fault> {
        observe::descriptors(self.process.pid()).map_or_else(
            || unseen(said!("its descriptors are not seen here", "这里看不到它的描述符")),
            Ok,
        )
    }
}

/// Where to judge a server that has announced these, and where else it listens.
fn judged(announced: &[Announced]) -> (SocketAddr, Vec<SocketAddr>) {
    let found = |one: &Announced| match one.addrs.as_slice() {
        [only] => *only,
        several => serving(several).unwrap_or(several[0]),
    };
    let addr = found(&announced[0]);
    let mut also: Vec<SocketAddr> = announced[1..].iter().map(found).collect();
    also.retain(|&other| other != addr);
    also.dedup();
    (addr, also)
}

/// That a server went into the background, if that is where it is: the process that was started
/// has ended, and what it left runs.
fn in_background(process: &Process, how: &str) -> Option<String> {
    let left: Vec<_> = process.strays().iter().map(Stray::to_string).collect();
    let words = Words::new(
        format!(
            "it goes into the background: the process that was started has ended ({how}), and {} \
             went on (it is ended now); only a server in the foreground can be judged",
            left.join(", ")
        ),
        format!(
            "它转入了后台：启动的进程已经退出（{how}），{} 继续运行（现已终止）；\
             只有在前台运行的服务器才能评判",
            left.join("、")
        ),
    );
    (!left.is_empty()).then(|| words.of(Language::spoken()).to_owned())
}

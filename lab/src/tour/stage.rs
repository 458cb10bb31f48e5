//! The server that is toured and the clients that play with it: what each does, when, on the
//! screen.

use super::says::{Expected, Says, has, stamped};
use super::screen::Screen;
use common::{python_bytes, reason};
use judge::check::client::Answer;
use judge::check::programs::Program;
use judge::check::server::Server;
use judge::check::subject::Subject;
use judge::ended::Ended;
use judge::language::Language;
use judge::process::{Process, observe, soon};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// A tour takes no longer than this, the pauses for the reader not counted.
const LIMIT: Duration = Duration::from_secs(20);

/// How often to look whether a server that says nothing is still there.
const LOOK: Duration = Duration::from_millis(100);
/// How long what a program said last may take to arrive after its end, on a busy machine.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long to wait for an answer that is not to come yet.
const NO_ANSWER: Duration = Duration::from_millis(300);

/// One pipe for both outputs, or nobody could say which of two lines came first.
const ONE_PIPE: &str = r#"exec "$@" 2>&1"#;

type Played<T = ()> = Result<T, Ended>;

/// A client on the stage.
pub(super) struct Client {
    name: char,
    socket: TcpStream,
    /// Its address, as the server's lines have it.
    addr: String,
}

pub(super) struct Stage {
    pub language: Language,
    name: &'static str,
    screen: Screen,
    pause: Duration,
    paused: Duration,
    began: Instant,
    process: Process,
    /// What it hands on to.
    _behind: Option<Server>,
    /// What a message looks like to the server, and its answer.
    answer: Answer,
    says: &'static Says,
    /// What the server said, and when it arrived here.
    lines: Receiver<(Instant, String)>,
    addr: Option<SocketAddr>,
    last_words: String,
}

impl Stage {
    /// Starts the server. What it says waits to be heard.
    pub(super) fn set(
        row: &'static Program,
        subject: &Subject,
        mut screen: Screen,
        pause: Duration,
        language: Language,
    ) -> Played<Self> {
        match language {
            Language::English => screen.heads("ms", "clients", &subject.heading())?,
            Language::Chinese => screen.heads("毫秒", "客户端", &subject.heading())?,
        }
        let mut command = ["/bin/sh", "-c", ONE_PIPE, "sh"].map(OsString::from).to_vec();
        command.extend(subject.command(true, None));
        let behind = Server::behind(subject, &mut command)?;
        let began = Instant::now();
        let mut process = Process::start(&command, None)?;
        let output = process.child.stdout.take().expect("it is piped");
        Ok(Self {
            language,
            name: row.name,
            screen,
            pause,
            paused: Duration::ZERO,
            began,
            process,
            _behind: behind,
            answer: subject.answer,
            says: Says::of(row),
            lines: stamped(output),
            addr: None,
            last_words: String::new(),
        })
    }

    /// A step begins: its heading, and what to look for in the lines that follow.
    pub(super) fn step(&mut self, en: [&str; 2], zh: [&str; 2]) -> Played {
        // The first needs no waiting for; nobody has anything to read yet.
        if self.addr.is_some() {
            thread::sleep(self.pause);
            self.paused += self.pause;
        }
        let [heading, body] = match self.language {
            Language::English => en,
            Language::Chinese => zh,
        };
        Ok(self.screen.caption(heading, body)?)
    }

    /// The server has started and has nothing to do.
    pub(super) fn started(&mut self) -> Played {
        self.hear(self.says.started, None)
    }

    /// A new client, and the server has done what it does for one.
    pub(super) fn connects(&mut self, name: char) -> Played<Client> {
        let client = self.waits_to_be_accepted(name)?;
        self.hear(self.says.connected, Some(&client))?;
        Ok(client)
    }

    /// A new client that the server need not have noticed.
    pub(super) fn waits_to_be_accepted(&mut self, name: char) -> Played<Client> {
        let addr = self.addr.ok_or("the server did not say where it listens".to_owned())?;
        let at = self.now()?;
        let socket = TcpStream::connect_timeout(&addr, self.left());
        let socket = socket.and_then(|socket| {
            socket.set_nodelay(true)?;
            socket.set_write_timeout(Some(self.left()))?;
            Ok((socket.local_addr()?.to_string(), socket))
        });
        let (addr, socket) = socket.or_else(|error| self.lost(name, &error))?;
        self.client_line(
            at,
            &format!("{name} connects ({addr})"),
            &format!("{name} 连接（{addr}）"),
        )?;
        Ok(Client { name, socket, addr })
    }

    /// A client sends, and the server has answered.
    pub(super) fn asks(&mut self, client: &mut Client, message: &str) -> Played {
        self.sends(client, message)?;
        self.answers(client)
    }

    /// A client sends, and nothing is waited for.
    pub(super) fn sends(&mut self, client: &mut Client, message: &str) -> Played {
        let message = self.framed(message);
        let (name, bytes) = (client.name, python_bytes(&message));
        // Before the call: after it the server's line may be here already.
        let at = self.now()?;
        self.client_line(at, &format!("{name} sends {bytes}"), &format!("{name} 发送 {bytes}"))?;
        client.socket.write_all(&message).or_else(|error| self.lost(name, &error))
    }

    /// The bytes of a message, as this server wants them.
    fn framed(&self, message: &str) -> Vec<u8> {
        let length = u32::try_from(message.len()).expect("it is short").to_be_bytes();
        match self.answer {
            Answer::Echo | Answer::Upper => message.into(),
            Answer::Frames => [&length, message.as_bytes()].concat(),
            Answer::Lines => [message.as_bytes(), b"\n"].concat(),
        }
    }

    /// The server has answered a client.
    pub(super) fn answers(&mut self, client: &Client) -> Played {
        self.hear(self.says.answered, Some(client))
    }

    /// A client reads the answer, to its last byte.
    pub(super) fn receives(&mut self, client: &mut Client, message: &str) -> Played {
        let (name, mut answer) = (client.name, self.framed(message));
        let read = client.socket.set_read_timeout(Some(self.left()));
        let read = read.and_then(|()| client.socket.read_exact(&mut answer));
        read.or_else(|error| self.lost(name, &error))?;
        let at = self.now()?;
        let bytes = python_bytes(&answer);
        let (en, zh) = (format!("{name} receives {bytes}"), format!("{name} 收到 {bytes}"));
        self.client_line(at, &en, &zh)
    }

    /// A client that the server does not know of yet waits for an answer.
    pub(super) fn receives_nothing(&mut self, client: &Client) -> Played {
        let name = client.name;
        let waiting = client.socket.set_read_timeout(Some(NO_ANSWER));
        waiting.or_else(|error| self.lost(name, &error))?;
        match client.socket.peek(&mut [0]) {
            Err(error) if common::would_block(&error) => {
                let at = self.now()?;
                let en = format!("{name} receives nothing");
                self.client_line(at, &en, &format!("{name} 什么也没收到"))
            }
            Err(error) => self.lost(name, &error),
            // Then it was noticed after all, and the script's next line will show it.
            Ok(_) => Ok(()),
        }
    }

    /// A client leaves, and the server has let it go.
    pub(super) fn closes(&mut self, client: Client) -> Played {
        let (name, at) = (client.name, self.now()?);
        self.client_line(at, &format!("{name} closes"), &format!("{name} 关闭连接"))?;
        let Client { addr, socket, .. } = client;
        drop(socket);
        self.hear_of(self.says.closed, &addr)
    }

    /// Holds the server while `prepare` runs, so that it finds together what came meanwhile.
    pub(super) fn while_held(&mut self, prepare: impl FnOnce(&mut Self) -> Played) -> Played {
        self.process.stop()?;
        let at = self.now()?;
        self.client_line(at, "the server is held (SIGSTOP)", "服务端被暂停（SIGSTOP）")?;
        prepare(self)?;
        let at = self.now()?;
        self.client_line(at, "the server goes on (SIGCONT)", "服务端继续（SIGCONT）")?;
        self.process.go_on();
        Ok(())
    }

    /// The system call that the server sleeps in, from the kernel itself: in brackets, for it is
    /// not the server that says so.
    pub(super) fn sleeps(&mut self) -> Played {
        let pid = self.process.pid();
        let mut calls = None;
        soon(Duration::from_secs(2), || {
            calls = observe::system_calls(pid);
            calls.as_ref()?.iter().all(|call| call != "running").then_some(())
        });
        let calls = calls.map(|calls| calls.join(", "));
        let line = match (self.language, calls) {
            (Language::English, Some(calls)) => format!("(/proc/PID/syscall: asleep in {calls})"),
            (Language::Chinese, Some(calls)) => format!("（/proc/PID/syscall：阻塞在 {calls} 上）"),
            (Language::English, None) => "(this system does not tell where it sleeps)".into(),
            (Language::Chinese, None) => "（在这个系统上看不出它阻塞在哪里）".into(),
        };
        Ok(self.screen.server(self.began.elapsed(), &line)?)
    }

    /// Shows what the server says until all of `expected` was said.
    pub(super) fn hear(&mut self, expected: Expected, client: Option<&Client>) -> Played {
        self.hear_of(expected, client.map_or("", |client| &client.addr))
    }

    fn hear_of(&mut self, expected: Expected, addr: &str) -> Played {
        let mut missing = expected.to_vec();
        while let Some(words) = missing.iter().find_map(|sequence| sequence.first()) {
            let line = self.next_line(&words.replace("{P}", addr))?;
            for sequence in &mut missing {
                if let Some((first, rest)) = sequence.split_first() {
                    if has(&line, &first.replace("{P}", addr)) {
                        *sequence = rest;
                    }
                }
            }
        }
        Ok(())
    }

    /// The server's next line, shown. `words` are those that it should say.
    fn next_line(&mut self, words: &str) -> Played<String> {
        loop {
            match self.lines.recv_timeout(LOOK) {
                Ok((at, line)) => {
                    self.show(at, &line)?;
                    return Ok(line);
                }
                Err(RecvTimeoutError::Disconnected) => return self.died(),
                // A child of its own may hold the pipe open.
                Err(RecvTimeoutError::Timeout) if self.process.ended().is_some() => {
                    // What it said last may still be on its way to us.
                    match self.lines.recv_timeout(LAST_WORDS) {
                        Ok((at, line)) => {
                            self.show(at, &line)?;
                            return Ok(line);
                        }
                        Err(_) => return self.died(),
                    }
                }
                Err(RecvTimeoutError::Timeout) if self.overdue() => {
                    let after = LIMIT.as_secs();
                    let why = format!("{} did not say '{words}' within {after} s", self.name);
                    return Err(why.into());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// The time, with everything shown that the server has said before and nobody waited for.
    fn now(&mut self) -> Played<Instant> {
        while let Ok((at, line)) = self.lines.try_recv() {
            self.show(at, &line)?;
        }
        Ok(Instant::now())
    }

    fn show(&mut self, at: Instant, line: &str) -> Played {
        if let Some(addr) = line.strip_prefix("listening on ") {
            self.addr = addr.parse().ok();
        }
        line.clone_into(&mut self.last_words);
        Ok(self.screen.server(at.saturating_duration_since(self.began), line)?)
    }

    fn client_line(&mut self, at: Instant, en: &str, zh: &str) -> Played {
        let line = match self.language {
            Language::English => en,
            Language::Chinese => zh,
        };
        Ok(self.screen.client(at.saturating_duration_since(self.began), line)?)
    }

    /// A client had no luck; most likely because the server is no more.
    fn lost<T>(&mut self, name: char, error: &io::Error) -> Played<T> {
        if soon(LOOK, || self.process.ended()).is_some() {
            return self.died();
        }
        Err(Ended::Failed(format!("{}: client {name}: {}", self.name, reason(error))))
    }

    fn died<T>(&mut self) -> Played<T> {
        let how = soon(LOOK, || self.process.ended()).unwrap_or("it closed its output".into());
        // What it said at the end may still be on its way from the pipe.
        while let Ok((at, line)) = self.lines.recv_timeout(LOOK) {
            self.show(at, &line)?;
        }
        let words = match &*self.last_words {
            "" => "without a word".to_owned(),
            line => format!("its last words: {line}"),
        };
        Err(Ended::Failed(format!("{} has ended ({how}), {words}", self.name)))
    }

    fn spent(&self) -> Duration {
        self.began.elapsed().saturating_sub(self.paused)
    }

    fn overdue(&self) -> bool {
        self.spent() >= LIMIT
    }

    /// For calls with a deadline, which take no zero.
    fn left(&self) -> Duration {
        LIMIT.saturating_sub(self.spent()).max(LOOK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use judge::check::programs::named;

    /// `select` played by a shell, on a screen that nobody sees.
    fn played_by(script: &str) -> Stage {
        let row = named("select")[0];
        let mut subject = row.subject("/bin/sh".as_ref());
        subject.command = ["/bin/sh", "-c", script].map(OsString::from).to_vec();
        let stage = Stage::set(row, &subject, Screen::nowhere(), Duration::ZERO, Language::English);
        stage.expect("a shell")
    }

    fn why(ended: Played) -> String {
        match ended {
            Err(Ended::Failed(why)) => why,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_server_that_dies_has_last_words() {
        let mut stage = played_by("echo listening on 127.0.0.1:1; echo 'no more ink' >&2; exit 3");
        let words = "select has ended (exit status 3), its last words: no more ink";
        assert_eq!(why(stage.started()), words);
        let mut stage = played_by("kill -9 $$");
        assert_eq!(why(stage.started()), "select has ended (killed by SIGKILL), without a word");
    }

    #[test]
    fn a_line_counts_once_and_in_its_place() {
        let said = "listening on 127.0.0.1:1; waiting for; waiting for; one; two; end";
        let mut stage = played_by(&format!("echo '{}'", said.replace("; ", "\n")));
        stage.started().expect("both are said, in this order");
        let words = why(stage.hear(&[&["one", "waiting for"]], None));
        assert!(words.ends_with("its last words: end"), "the other `waiting` came before: {words}");
        let mut stage = played_by(&format!("echo '{}'", said.replace("; ", "\n")));
        stage.hear(&[&["two"], &["one", "end"]], None).expect("two speakers, in any order");
    }

    #[test]
    fn nobody_is_waited_for_longer_than_a_tour_may_take() {
        let mut stage = played_by("echo listening on 127.0.0.1:1; exec sleep 600");
        stage.began -= LIMIT;
        assert_eq!(why(stage.started()), "select did not say 'waiting for' within 20 s");
    }
}

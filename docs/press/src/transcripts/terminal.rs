//! A script played for real: what a terminal would show, outputs and what is typed, in its order.

use super::compare::{PORT, PORT_BEHIND, map_numbers};
use super::script::{Program, Run, Step};
use claims::measure::strace::Strace;
use common::reason;
use judge::built::{built, target_folder};
use judge::check::subject::{Fault, Seen, short, unseen};
use judge::process::{Process, run, soon};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use socket2::SockRef;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for what must come, and for a command to end.
const PATIENCE: Duration = Duration::from_secs(20);
const COMMANDS: Duration = Duration::from_secs(120);

/// One pipe for both outputs, as a terminal has it, and a keyboard. Its name has served once it is
/// open: removed here, it does not stay behind when nobody is left to clean up (Ctrl-C).
const BECOME: &str =
    r#"keyboard=$1; shift; exec <"$keyboard" && rm -f "$keyboard" && exec "$@" 2>&1"#;

/// A character that no program prints, between the outputs of two commands.
const BORDER: &str = "\u{1}";

/// What everybody has written so far.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    fn show(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
    }

    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until nothing new has come for `quiet`.
    fn settles(&self, quiet: Duration) {
        let length = || self.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        let deadline = Instant::now() + PATIENCE;
        let (mut before, mut since) = (length(), Instant::now());
        while since.elapsed() < quiet && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
            let now = length();
            if now != before {
                (before, since) = (now, Instant::now());
            }
        }
    }
}

/// Plays `script` and tells what was shown. After each step it waits until the program has said
/// nothing for `quiet`: nobody knows its last word beforehand.
pub(super) fn played(script: &Run, quiet: Duration) -> Seen {
    let words = |error: io::Error| Fault::Short(reason(&error));
    if !script.tracer.is_empty() {
        if let Err(why) = Strace::find() {
            return unseen(why.en);
        }
    }
    let keys = Keys::new().map_err(words)?;
    let mut command = ["/bin/sh", "-c", BECOME, "sh"].map(OsString::from).to_vec();
    command.push(keys.path.clone().into());
    command.extend(script.tracer.iter().map(OsString::from));
    command.push(path(&script.program)?);
    command.extend(["--addr", "127.0.0.1:0"].map(OsString::from));
    let mut args = script.args.clone();
    let behind = script.behind.as_ref().map(|(at, program)| {
        let (server, addr) = behind(program)?;
        args[*at] = addr.to_string();
        Ok::<_, Fault>((server, addr))
    });
    let behind = behind.transpose()?;
    command.extend(args.iter().map(OsString::from));
    let mut process = Process::start(&command, None)?;
    let screen = Screen::default();
    let mut output = process.child.stdout.take().expect("it is piped");
    let shown = screen.clone();
    thread::spawn(move || io::copy(&mut output, &mut Shown(shown)));
    let listens = soon(PATIENCE, || {
        let addr = listening(&screen.text()).map(Ok);
        addr.or_else(|| process.ended().map(Err))
    });
    let Some(Ok(addr)) = listens else {
        screen.settles(quiet);
        return short(format!("it does not listen: {}", screen.text().trim_end()));
    };
    screen.settles(quiet);
    let mut stage = Stage { addr, process, screen, keys, clients: BTreeMap::new() };
    let mut held = false;
    for step in &script.steps {
        stage.act(step)?;
        held = *step == Step::Stops || held && *step != Step::Continues;
        if !held {
            stage.screen.settles(quiet);
        }
    }
    // Before it is killed: strace would have a last word on that.
    let text = numbered(&stage.screen.text(), addr.port(), PORT);
    Ok(match behind {
        Some((_server, addr)) => numbered(&text, addr.port(), PORT_BEHIND),
        None => text,
    })
}

/// Starts what the program hands on to, and says where it listens. The screen does not show it.
fn behind(program: &Program) -> Result<(Process, SocketAddr), Fault> {
    let command = [path(program)?, "--quiet".into(), "--addr".into(), "127.0.0.1:0".into()];
    let mut process = Process::start(&command, None)?;
    let mut line = String::new();
    let output = process.child.stdout.take().expect("it is piped");
    let read = BufReader::new(output).read_line(&mut line);
    read.map_err(|error| Fault::Short(reason(&error)))?;
    let addr = listening(&line).ok_or_else(|| format!("{} does not listen", program.binary))?;
    Ok((process, addr))
}

/// The program's keyboard.
struct Keys {
    file: Option<File>,
    path: PathBuf,
}

impl Keys {
    fn new() -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("lab-keys-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)?;
        // For both, or opening it would wait for the other side.
        let file = File::options().read(true).write(true).open(&path)?;
        Ok(Self { file: Some(file), path })
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // Mostly gone already; in the folder for what may be lost, at worst.
        let _ = fs::remove_file(&self.path);
    }
}

struct Stage {
    addr: SocketAddr,
    process: Process,
    screen: Screen,
    keys: Keys,
    clients: BTreeMap<char, TcpStream>,
}

impl Stage {
    fn act(&mut self, step: &Step) -> Result<(), Fault> {
        let words = |error: io::Error| Fault::Short(format!("a client: {}", reason(&error)));
        match step {
            Step::Connects(name) => {
                let socket = TcpStream::connect_timeout(&self.addr, PATIENCE).map_err(words)?;
                socket.set_nodelay(true).map_err(words)?;
                self.clients.insert(*name, socket);
            }
            Step::Says(name, text) => {
                let mut client = self.client(*name)?;
                client.write_all(text).map_err(words)?;
            }
            Step::Ends(name) => self.client(*name)?.shutdown(Shutdown::Write).map_err(words)?,
            Step::Leaves(name) => {
                let mut client = self.client(*name)?;
                client.set_nonblocking(true).map_err(words)?;
                // Who closes with something unread resets.
                while matches!(client.read(&mut [0; 4096]), Ok(1..)) {}
                self.clients.remove(name);
            }
            Step::Resets(name) => {
                let client = SockRef::from(self.client(*name)?);
                client.set_linger(Some(Duration::ZERO)).map_err(words)?;
                self.clients.remove(name);
            }
            Step::Stops => self.process.stop()?,
            Step::Continues => self.process.go_on(),
            Step::Types(line) => {
                // The terminal shows it, and then the program has it.
                let line = format!("{line}\n");
                self.screen.show(line.as_bytes());
                let keys = self.keys.file.as_mut().ok_or("typed after Ctrl-D".to_owned())?;
                keys.write_all(line.as_bytes()).map_err(words)?;
            }
            Step::CtrlD => self.keys.file = None,
            Step::CtrlC => {
                self.screen.show(b"^C");
                self.process.interrupt();
            }
            Step::Waits(time) => thread::sleep(*time),
            Step::Runs { program, args, shown } => {
                // Both outputs in their order, as a terminal shows them.
                let mut command =
                    ["/bin/sh", "-c", r#"exec "$@" 2>&1"#, "sh"].map(OsString::from).to_vec();
                command.push(path(program)?);
                command.extend(["--addr".into(), self.addr.to_string().into()]);
                command.extend(args.iter().map(OsString::from));
                let done = run(&command, PATIENCE)?;
                if *shown {
                    self.screen.show(done.stdout.as_bytes());
                }
            }
        }
        Ok(())
    }

    fn client(&self, name: char) -> Result<&TcpStream, Fault> {
        let client = self.clients.get(&name);
        client.ok_or_else(|| Fault::Short(format!("client {name} is not connected")))
    }
}

/// What the reader writes to.
struct Shown(Screen);

impl Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.show(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where, once that line is whole.
fn listening(text: &str) -> Option<SocketAddr> {
    let (_, rest) = text.split_once("listening on ")?;
    rest.split_once('\n')?.0.parse().ok()
}

/// Runs what a reader would type, one after the other in one shell, and tells what each has shown.
pub(super) fn outputs(root: &Path, commands: &[&str]) -> Result<Vec<String>, Fault> {
    let script: String =
        commands.iter().flat_map(|command| [command, "\nprintf '", BORDER, "'\n"]).collect();
    // As one who stands at the top of the project, with programs built like this one.
    let shell = r#"cd "$1" && CARGO_TERM_QUIET=true CARGO_TARGET_DIR=$2 exec bash -c "$3" 2>&1"#;
    let mut command = ["/bin/sh", "-c", shell, "sh"].map(OsString::from).to_vec();
    command.push(root.into());
    command.push(target_folder()?.into());
    command.push(script.into());
    let done = run(&command, COMMANDS)?;
    let mut shown: Vec<_> = done.stdout.split(BORDER).map(str::to_owned).collect();
    let rest = shown.pop().unwrap_or_default();
    // What a shell says of a command that it does not find.
    if done.status == Some(127) {
        return unseen(rest.trim_end());
    }
    if shown.len() < commands.len() {
        return short(format!("the commands do not end ({}): {}", done.how, rest.trim_end()));
    }
    match shown.iter().find(|text| text.contains("command not found")) {
        Some(text) => unseen(text.trim_end()),
        None => Ok(shown),
    }
}

fn path(program: &Program) -> Result<OsString, Fault> {
    Ok(built(&program.package, &program.binary)?.into())
}

/// The text with the port of the pages in place of the one that the server was given.
fn numbered(text: &str, port: u16, shown: &str) -> String {
    let port = port.to_string();
    map_numbers(text, |_, number| if number == port { shown } else { number }.to_owned())
}

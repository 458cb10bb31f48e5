//! The command line that all servers share, and how a program ends.

use crate::{Reply, narrate};
use clap::error::ErrorKind;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches, Parser, ValueEnum};
use std::io;
use std::process::ExitCode;
use std::time::Duration;

/// Where servers listen, and clients connect, when nothing is said.
pub const DEFAULT_ADDR: &str = "127.0.0.1:8001";

/// What every server can be told.
#[derive(Clone, Debug, clap::Args)]
pub struct ServerArgs {
    /// Where to listen; port 0 takes a free one, `[::1]:8001` is IPv6
    #[arg(long, value_name = "HOST:PORT", default_value = DEFAULT_ADDR, value_parser = host_port)]
    pub addr: String,

    /// What one recv may take, in bytes: 1 to 1048576
    #[arg(long, value_name = "BYTES", default_value_t = 1024,
          value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub chunk: u32,

    /// How many connected clients may wait to be accepted (the system has a limit of its own)
    #[arg(long, value_name = "N", default_value_t = 1024,
          value_parser = clap::value_parser!(i32).range(0..=65535))]
    pub backlog: i32,

    /// Do not narrate each step on standard error
    #[arg(short, long)]
    pub quiet: bool,
}

impl ServerArgs {
    /// The buffer that one recv fills: made once, used for every client.
    #[must_use]
    pub fn buffer(&self) -> Vec<u8> {
        vec![0; self.chunk as usize]
    }
}

/// What a server is told that has nothing but the options all servers share.
#[derive(Parser)]
struct EchoArgs {
    #[command(flatten)]
    server: ServerArgs,

    /// What to answer
    #[arg(long, value_enum)]
    reply: Reply,
}

/// The whole `main` of a server that has no options of its own: reads the command line, starts the
/// narration, serves, and says what went wrong if something did. `about` is for `--help`; `reply`
/// is what the server answers unless `--reply` says otherwise.
#[must_use]
pub fn run(
    about: &'static str,
    reply: Reply,
    serve: impl FnOnce(&ServerArgs, Reply) -> io::Result<()>,
) -> ExitCode {
    let name = reply.to_possible_value().expect("no reply is hidden").get_name().to_owned();
    let command = EchoArgs::command().about(about);
    let args: EchoArgs =
        parse_as(command.mut_arg("reply", |arg| arg.required(false).default_value(name)));
    narrate(args.server.quiet);
    outcome(serve(&args.server, args.reply))
}

/// The command line as `T`. A bad one ends the program here: one line on standard error that says
/// what is wrong, and exit status 2.
#[must_use]
pub fn parse<T: Parser>() -> T {
    parse_as(T::command())
}

fn parse_as<T: FromArgMatches>(command: Command) -> T {
    let parsed = command.try_get_matches();
    parsed.and_then(|matches: ArgMatches| T::from_arg_matches(&matches)).unwrap_or_else(|error| {
        match error.kind() {
            // Asked for, so not an error: on standard output, in full, status 0.
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => error.exit(),
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                log_line("say what to do (--help lists it)");
                std::process::exit(2)
            }
            _ => {
                log_line(&format!("{} (try --help)", one_line(&error.to_string())));
                std::process::exit(2)
            }
        }
    })
}

/// How a program ends: quietly, or with one line that says what the system refused and exit
/// status 1.
#[must_use]
pub fn outcome(result: io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log_line(&crate::reason(&error));
            ExitCode::FAILURE
        }
    }
}

/// Checks the form `HOST:PORT`; whether the host exists is the system's to say.
///
/// # Errors
///
/// A sentence that says what is missing, for clap to show.
pub fn host_port(text: &str) -> Result<String, String> {
    if text.contains("://") {
        return Err("HOST:PORT only, without http:// in front of it".into());
    }
    if text.contains('：') {
        return Err("that colon is a full-width one (：): type the ASCII one (:)".into());
    }
    let (host, port) = text.rsplit_once(':').ok_or("expected HOST:PORT, such as 127.0.0.1:8001")?;
    if host.is_empty() {
        return Err(
            "the host is missing: 127.0.0.1 is this machine, 0.0.0.0 all its networks".into()
        );
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err("write an IPv6 address in brackets: [::1]:8001".into());
    }
    match port.parse::<u16>() {
        // parse takes a plus sign, too.
        Ok(_) if port.starts_with(|first: char| first.is_ascii_digit()) => Ok(text.to_owned()),
        _ => Err(format!("'{port}' is not a port: 0 to 65535")),
    }
}

/// Seconds with a fraction, such as `5` or `0.5`, for clap to parse: a day at most.
///
/// # Errors
///
/// A sentence that says what is wrong, for clap to show.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected seconds, such as 5 or 0.5")?;
    if !(0.0..=86_400.0).contains(&seconds) {
        return Err("expected 0 to 86400 seconds (a day)".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// `NAME: message` on standard error, where a closed standard error is no reason to panic.
fn log_line(message: &str) {
    use std::io::Write;
    let name = std::env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&name).file_stem().unwrap_or_default().to_string_lossy();
    let _ = writeln!(io::stderr(), "{name}: {message}");
}

/// Clap explains itself over several lines; the first paragraph is what is wrong, and the second
/// may be a tip.
fn one_line(message: &str) -> String {
    let text = message.strip_prefix("error: ").unwrap_or(message);
    let end = text.find("\n\nUsage:").or(text.find("\n\nFor more")).unwrap_or(text.len());
    text[..end].split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Args {
        #[command(flatten)]
        server: ServerArgs,
    }

    fn refusal(args: &[&str]) -> String {
        let args = ["test"].iter().chain(args);
        one_line(&Args::try_parse_from(args).expect_err("a bad command line").to_string())
    }

    #[test]
    fn every_bad_command_line_is_one_line_that_says_what() {
        for (args, words) in [
            (&["--addr", "8001"][..], "expected HOST:PORT"),
            (&["--addr", ":8001"], "the host is missing"),
            (&["--addr", "::1:8001"], "in brackets"),
            (&["--addr", "localhost:http"], "'http' is not a port"),
            (&["--addr", "localhost:65536"], "'65536' is not a port"),
            (&["--addr", "localhost:+80"], "'+80' is not a port"),
            (&["--addr", "http://127.0.0.1:8001"], "without http://"),
            (&["--addr", "127.0.0.1：8001"], "full-width"),
            (&["--chunk", "0"], "0 is not in 1..=1048576"),
            (&["--chunk", "1048577"], "is not in 1..=1048576"),
            (&["--chunk", "many"], "invalid digit"),
            (&["--backlog", "-1"], "-1"),
            (&["--chnk", "1"], "a similar argument exists: '--chunk'"),
            (&["extra"], "unexpected argument 'extra'"),
            (&["--addr"], "a value is required"),
        ] {
            let line = refusal(args);
            assert!(line.contains(words) && !line.contains('\n'), "{args:?}: {line}");
        }
    }

    #[test]
    fn the_defaults_are_the_notes_own() {
        let Args { server } = Args::try_parse_from(["test"]).expect("nothing is required");
        assert_eq!((server.addr.as_str(), server.chunk, server.quiet), (DEFAULT_ADDR, 1024, false));
        assert_eq!(server.buffer().len(), 1024);
    }

    #[test]
    fn hosts_of_every_kind_are_accepted() {
        for addr in ["127.0.0.1:0", "localhost:65535", "[::1]:8001", "[fe80::1%eth0]:8001"] {
            assert_eq!(host_port(addr).as_deref(), Ok(addr));
        }
    }
}

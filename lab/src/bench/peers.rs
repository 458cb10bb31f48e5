//! Servers to compare with, that are no part of the course: small ones on the libraries that people
//! use, in a workspace of their own, so that nobody who only runs the course compiles them; and the
//! notes' programs in Python.

use claims::measure::Target;
use judge::built::{Programs, built_elsewhere};
use judge::language::said;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const RUST: [(&str, &str); 3] =
    [("mio", "mio_echo"), ("tokio", "tokio_echo"), ("polling", "polling_echo")];

const PYTHON: [(&str, &str); 4] = [
    ("python select", "select_queues.py"),
    ("python poll", "poll_queues.py"),
    ("python epoll", "epoll_queues.py"),
    ("python selectors", "selectors_callbacks.py"),
];

/// All of them that this machine can run, built.
pub(super) fn all() -> Result<Vec<Target>, String> {
    let built = built()?;
    let listening = ["--addr", "127.0.0.1:0"].map(OsString::from);
    let server = |name: &str, start: Vec<OsString>| {
        Target::command(name, [start, listening.to_vec()].concat())
    };
    let mut peers = Vec::new();
    for (name, binary) in RUST {
        peers.push(server(name, vec![built.named(binary)?.into()]));
    }
    if let Some(python) = python() {
        peers.extend(
            PYTHON
                .iter()
                .map(|(name, file)| server(name, vec![python.into(), script(file).into()])),
        );
    } else {
        judge::check::report::complain(&said!(
            "python3 is not installed: the notes' programs are left out",
            "没有安装 python3：略去笔记里的程序"
        ));
    }
    Ok(peers)
}

/// Those in Rust.
pub(crate) fn built() -> Result<Programs, String> {
    built_elsewhere(&folder().join("Cargo.toml"), "the peers")
}

/// Where one in Python is.
pub(crate) fn script(file: &str) -> PathBuf {
    folder().join("python").join(file)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

pub(crate) fn python() -> Option<&'static str> {
    let mut version = Command::new("python3");
    version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success()).then_some("python3")
}

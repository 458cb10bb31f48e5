//! What O_NONBLOCK applies to.

use super::sockets::{client_of, listener, outcome};
use super::{Claim, Experiment, Finding, Found, Verdict};
use common::would_block;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{pipe, read};
use socket2::SockRef;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;

pub(super) const INHERIT: Experiment = Experiment {
    name: "inherit",
    does: [
        "set O_NONBLOCK on a listener, on a pipe and on a file",
        "给监听套接字、管道和文件设置 O_NONBLOCK",
    ],
    claims: &[
        Claim {
            note: "S2",
            quote: "套接字里的一些阻塞操作都变成非阻塞的",
            says: [
                "setblocking(False) on the server: its blocking operations become non-blocking",
                "server.setblocking(False) 的作用",
            ],
            verdict: Verdict::Incomplete,
        },
        Claim {
            note: "S2",
            quote: "这只是对于socket套接字来说的",
            says: ["it applies to sockets only", ""],
            verdict: Verdict::Wrong,
        },
    ],
    run,
};

fn run() -> Found {
    let listener = listener()?;
    let _first = client_of(&listener)?;
    let (before, _) = listener.accept()?;
    listener.set_nonblocking(true)?;
    let in_vain = listener.accept().is_err_and(|error| would_block(&error));
    let _second = client_of(&listener)?;
    let (after, _) = listener.accept()?;
    let blocks = |socket| SockRef::from(socket).nonblocking().map(|mode| !mode);
    let (before, after) = (blocks(&before)?, blocks(&after)?);
    // Elsewhere an accepted socket may take the listener's mode over (accept(2)).
    let as_expected = in_vain && before && (after || !cfg!(target_os = "linux"));

    let (reader, _writer) = pipe()?;
    set_nonblocking(&reader)?;
    let empty_pipe = of_read(&reader);
    // Any file that is not empty.
    let file = File::open(std::env::current_exe()?)?;
    set_nonblocking(&file)?;
    let of_file = of_read(&file);

    let [en, zh] = if after { ["it blocks", "阻塞"] } else { ["it does not", "非阻塞"] };
    let eagain = if in_vain { "EAGAIN" } else { "?" };
    Ok(vec![
        Finding::new(
            as_expected,
            format!("accept: {eagain}; a connection accepted from that listener: {en}"),
            format!("accept：{eagain}；从这个监听套接字 accept 的连接：{zh}"),
        ),
        Finding::new(
            empty_pipe == "EAGAIN" && of_file == "1",
            format!(
                "with O_NONBLOCK, read of an empty pipe: {empty_pipe} (it applies); of a regular \
                 file: {of_file} byte, as ever (no effect)"
            ),
            format!(
                "设了 O_NONBLOCK，读空管道：{empty_pipe}（管道也管用）；读普通文件：照样读到 {of_file} \
                 字节（不起作用）"
            ),
        ),
    ])
}

fn set_nonblocking(file: &impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?);
    fcntl(file, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// What a read of one byte gives.
fn of_read(file: &impl AsFd) -> String {
    outcome(&read(file, &mut [0]).map_err(io::Error::from))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_flag_is_one_descriptors() {
        crate::experiments::confirm(&super::INHERIT);
    }
}

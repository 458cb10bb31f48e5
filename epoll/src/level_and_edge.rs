//! S1's 100k: "level-triggered it will go on telling, edge-triggered not". One socket, watched by
//! two epoll instances, one in each way; so each question is put to both at the same moment.

use crate::{Batch, Epoll, EpollEvent, EpollFlags};
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

const SENT: usize = 100_000;
const READ: usize = 50_000;

/// The socket that is watched, and who watches it.
struct Watched {
    socket: TcpStream,
    level: Epoll,
    edge: Epoll,
}

/// Shows on standard output what the two report, step by step.
///
/// # Errors
///
/// What the system refuses.
pub fn show_level_and_edge() -> io::Result<()> {
    let (mut sender, socket) = connected()?;
    let (level, edge) = (crate::create()?, crate::create()?);
    level.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
    edge.add(&socket, edge_event())?;
    let mut watched = Watched { socket, level, edge };
    row("", "level", "edge");

    sender.write_all(&[b'x'; SENT])?;
    watched.until_there(SENT)?;
    watched.ask(&format!("{SENT} bytes sent"))?;
    watched.ask("asked again, nothing done")?;

    watched.socket.read_exact(&mut [0; READ])?;
    watched.ask(&format!("{READ} of them read"))?;

    sender.write_all(b"x")?;
    watched.until_there(SENT - READ + 1)?;
    watched.ask("1 byte more sent")?;

    // The notes have only arrivals. MOD makes the kernel look again, which is an edge, too.
    watched.edge.modify(&watched.socket, &mut edge_event())?;
    watched.ask("EPOLL_CTL_MOD, nothing changed")?;

    watched.socket.read_exact(&mut [0; SENT - READ + 1])?;
    watched.ask("everything read")?;

    drop(sender);
    watched.until_there(0)?;
    watched.ask("the other side left")?;
    watched.ask("asked again, nothing done")
}

fn edge_event() -> EpollEvent {
    EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0)
}

/// Both ends of a connection, with room for all that is sent before anything is read. What had to
/// wait with the sender would come later, and be one edge more than is shown here.
fn connected() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    SockRef::from(&listener).set_recv_buffer_size(4 * SENT)?;
    let sender = TcpStream::connect(listener.local_addr()?)?;
    sender.set_nodelay(true)?;
    Ok((sender, listener.accept()?.0))
}

impl Watched {
    /// Waits until `count` bytes are there, so that none arrives between two questions; 0 is the
    /// end of input.
    fn until_there(&self, count: usize) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut buffer = vec![0; SENT + 1];
        while self.socket.peek(&mut buffer)? != count {
            if Instant::now() > deadline {
                let why = "the system's receive buffer is too small (sysctl net.core.rmem_max)";
                return Err(io::Error::other(why));
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    fn ask(&self, when: &str) -> io::Result<()> {
        row(when, &self.report(&self.level)?, &self.report(&self.edge)?);
        Ok(())
    }

    /// What one of the two reports now, without waiting.
    fn report(&self, epoll: &Epoll) -> io::Result<String> {
        let mut batch = [EpollEvent::empty(); 2];
        let count = epoll.wait(&mut batch, crate::timeout(Some(Duration::ZERO)))?;
        Ok(Batch(&batch[..count], |_| Some(self.socket.as_fd().as_raw_fd())).to_string())
    }
}

/// Whether anybody reads it (`| head -1`) is not our concern.
fn row(when: &str, level: &str, edge: &str) {
    let _ = writeln!(io::stdout(), "{when:31} {level:15} {edge}");
}

//! Where a server is, and whether somebody serves there.

use socket2::SockRef;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long a step that must come may take: connecting, one read, one write. A loaded machine is
/// slow; a defect never ends.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// All addresses of HOST:PORT, each once: `localhost` has two, and a server may listen at either.
/// One that listens at every address (0.0.0.0) is also at this machine's own.
pub(crate) fn addresses(addr: &str) -> Vec<SocketAddr> {
    let mut all: Vec<SocketAddr> = Vec::new();
    for mut addr in addr.to_socket_addrs().into_iter().flatten() {
        if addr.ip().is_unspecified() {
            addr.set_ip(match addr.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        if !all.contains(&addr) {
            all.push(addr);
        }
    }
    all
}

/// A connection to a server.
///
/// Nobody has to listen at a port from which the system takes ports for connections: a new socket
/// may be given just that port, and then connects to itself. It would read what it sends itself, a
/// perfect echo.
///
/// # Errors
///
/// As connect(2) has them; ConnectionRefused also for a socket that reached itself.
pub fn dial(addr: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&addr, patience)?;
    if socket.local_addr()? != socket.peer_addr()? {
        return Ok(socket);
    }
    // With RST, or the port would be in TIME_WAIT when the server comes.
    let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
    Err(ErrorKind::ConnectionRefused.into())
}

/// A connection for blocking reads and writes, which fail when one takes longer than [`PATIENCE`].
///
/// # Errors
///
/// As [`dial`].
pub fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let client = dial(addr, PATIENCE)?;
    client.set_nodelay(true)?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    Ok(client)
}

/// Closing resets: a client that comes and goes thousands of times leaves no port in TIME_WAIT.
///
/// # Errors
///
/// As setsockopt(2) has them.
pub fn reset_on_close(client: &TcpStream) -> io::Result<()> {
    SockRef::from(client).set_linger(Some(Duration::ZERO))
}

/// The first of these addresses at which a connection is accepted.
pub(crate) fn serving(addrs: &[SocketAddr]) -> Option<SocketAddr> {
    addrs.iter().copied().find(|&addr| dial(addr, PATIENCE).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn every_address_of_a_name_is_tried() {
        let both: Vec<SocketAddr> =
            ["[::1]:9", "127.0.0.1:9"].iter().flat_map(|addr| addresses(addr)).collect();
        assert_eq!(both.len(), 2);
        assert_eq!(addresses("0.0.0.0:9"), addresses("127.0.0.1:9"));
        assert_eq!(addresses("[::]:9"), addresses("[::1]:9"));
        assert_eq!(addresses("no.such.host.invalid:9"), []);
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let here = listener.local_addr().expect("bound");
        let elsewhere = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), here.port());
        assert_eq!(serving(&[elsewhere, here]), Some(here));
    }

    /// Linux gives connections the even ports of its range in turn: soon the one that is called.
    #[test]
    fn a_socket_that_connects_to_itself_is_no_server() {
        let free = std::iter::repeat_with(|| {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port() & !1;
            TcpListener::bind(("127.0.0.1", port))?.local_addr()
        });
        let here = free.flatten().next().expect("there are more");
        for _ in 0..20_000 {
            let found = dial(here, PATIENCE).map(|socket| socket.local_addr());
            assert!(found.is_err(), "nobody listens at {here}, but {found:?}");
        }
    }
}

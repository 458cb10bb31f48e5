//! From an address to a connection: what every client does first.

use crate::listener::{SCOPE_ADVICE, lacks_scope, resolve};
use crate::{Connection, explained, reason};
use std::io;
use std::net::TcpStream;

/// socket, connect: the first address that `addr` (`HOST:PORT`) stands for and that answers.
///
/// It blocks, as every new socket does; a program that must not block says so itself.
///
/// # Errors
///
/// When the host is unknown or nobody answers (ECONNREFUSED, ETIMEDOUT, ENETUNREACH …), in one
/// sentence that says what to do.
pub fn connect(addr: &str) -> io::Result<Connection> {
    let mut refusal = None;
    let addresses = resolve(addr, "connect to")?;
    for &address in &addresses {
        match TcpStream::connect(address).and_then(|socket| Connection::new(socket, address)) {
            Ok(connection) => return Ok(connection),
            Err(error) => refusal = Some(error),
        }
    }
    let error = refusal.expect("a name stands for at least one address");
    let advice = match error.kind() {
        io::ErrorKind::ConnectionRefused => "is a server running? cargo run -p select starts one",
        _ if addresses.iter().all(|&address| lacks_scope(address)) => SCOPE_ADVICE,
        _ => "is the address right, and its machine on the network?",
    };
    let reason = reason(&error);
    Err(explained(&error, format!("cannot connect to {addr}: {reason} ({advice})")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_address_connected_to_is_kept_as_the_peer() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let connection = connect(&address.to_string()).expect("somebody listens");
        assert_eq!(connection.peer(), address);
    }

    #[test]
    fn a_port_where_nobody_listens_is_explained() {
        // Bound, so nobody else gets it; not listening, so connecting is refused.
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .expect("a socket");
        socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("loopback");
        let address = socket.local_addr().expect("bound").as_socket();
        let address = address.expect("an IPv4 address").to_string();
        let error = connect(&address).expect_err("nobody listens");
        let start =
            format!("cannot connect to {address}: Connection refused (is a server running?");
        assert!(error.to_string().starts_with(&start), "{error}");
    }
}

//! From an address to a connection: what every client does first.

use crate::listener::{SCOPE_ADVICE, lacks_scope, resolve};
use crate::{Connection, explained, reason};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long one address of several may be silent: enough for a SYN that was lost to be sent again,
/// after a second.
const PATIENCE: Duration = Duration::from_secs(2);

/// socket, connect: the first address that `addr` (`HOST:PORT`) stands for and that answers.
///
/// It blocks, as every new socket does; a program that must not block says so itself. An address
/// that is silent is given up after two seconds if there is another: `localhost` may mean `::1`
/// first, and a firewall that drops its packets would cost two minutes. The last one has as long
/// as the system gives it. (`connect_first` does better, and does not block.)
///
/// # Errors
///
/// When the host is unknown or no address answers (ECONNREFUSED, ETIMEDOUT, ENETUNREACH …), in one
/// sentence that says what to do.
pub fn connect(addr: &str) -> io::Result<Connection> {
    let addresses = resolve(addr, "connect to")?;
    first_that_answers(&addresses, PATIENCE).map_err(|error| {
        let (reason, advice) = (reason(&error), connect_advice(error.kind(), &addresses));
        explained(&error, format!("cannot connect to {addr}: {reason} ({advice})"))
    })
}

/// Tries one address after the other; the error is that of the last.
fn first_that_answers(addresses: &[SocketAddr], patience: Duration) -> io::Result<Connection> {
    let (last, others) = addresses.split_last().expect("a name stands for at least one address");
    let connected = |socket, address| Connection::new(socket, address);
    for &address in others {
        let socket = TcpStream::connect_timeout(&address, patience);
        if let Ok(connection) = socket.and_then(|socket| connected(socket, address)) {
            return Ok(connection);
        }
    }
    connected(TcpStream::connect(last)?, *last)
}

/// What to do when none of `addresses` could be connected to, the last one because of `why`.
#[must_use]
pub fn connect_advice(why: io::ErrorKind, addresses: &[SocketAddr]) -> &'static str {
    match why {
        io::ErrorKind::ConnectionRefused => "is a server running? cargo run -p select starts one",
        _ if addresses.iter().all(|&address| lacks_scope(address)) => SCOPE_ADVICE,
        _ => "is the address right, and its machine on the network?",
    }
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
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("loopback");
        let address = socket.local_addr().expect("bound").as_socket();
        let address = address.expect("an IPv4 address").to_string();
        let error = connect(&address).expect_err("nobody listens");
        let start =
            format!("cannot connect to {address}: Connection refused (is a server running?");
        assert!(error.to_string().starts_with(&start), "{error}");
    }

    /// What happens at an address that drops everything. Only Linux can be made to do so on
    /// loopback: it does not answer a SYN while the accept queue is full.
    #[cfg(target_os = "linux")]
    mod silence {
        use super::*;
        use std::sync::mpsc::channel;

        /// A listener with its one place taken, and the client that has it.
        fn full() -> (TcpListener, TcpStream, SocketAddr) {
            let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
            socket2::SockRef::from(&listener).listen(0).expect("a smaller backlog");
            let address = listener.local_addr().expect("bound");
            let client = TcpStream::connect(address).expect("there is one place");
            (listener, client, address)
        }

        #[test]
        fn a_silent_address_is_given_up_if_there_is_another() {
            let (_listener, _client, silent) = full();
            let other = TcpListener::bind("127.0.0.1:0").expect("loopback");
            let addresses = [silent, other.local_addr().expect("bound")];
            let (done, result) = channel();
            std::thread::spawn(move || {
                done.send(first_that_answers(&addresses, Duration::from_millis(50)))
            });
            let connected = result.recv_timeout(Duration::from_secs(10));
            let connection = connected.expect("it takes no minutes").expect("one answers");
            assert_eq!(connection.peer(), addresses[1]);
        }

        /// There is room after a moment, and the SYN is sent again after a second.
        #[test]
        fn the_last_address_has_as_long_as_it_takes() {
            let (listener, _client, silent) = full();
            let accepting = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(200));
                (listener.accept(), listener)
            });
            let connection = first_that_answers(&[silent], Duration::from_millis(50));
            assert_eq!(connection.expect("it answers late").peer(), silent);
            accepting.join().expect("no panic").0.expect("one waits");
        }
    }
}

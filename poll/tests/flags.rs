//! Which flags poll reports, as the narration names them. What has come before the server looks is
//! in one entry, so each test holds the server meanwhile.

use judge::process::soon;
use judge::rig::{Rig, connect, read_text};
#[cfg(target_os = "linux")]
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::SockRef;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
#[cfg(target_os = "linux")]
use std::os::fd::AsFd;
use std::time::Duration;

const POLL: &str = env!("CARGO_BIN_EXE_poll");

/// A server with one client, and the number of that client's descriptor.
fn one_client() -> (Rig, TcpStream, String) {
    let mut server = Rig::start(POLL, &[]);
    let client = server.client();
    let line = server.hear("new connection from");
    let fd = line.rsplit(' ').next().expect("the line ends with it").to_owned();
    server.hear("waiting for the next event");
    (server, client, fd)
}

/// Closing with `SO_LINGER` 0 sends a reset instead of a FIN. Returns when it has arrived: on a
/// busy machine that takes a moment, and the server would find the data alone.
fn reset(client: TcpStream) {
    let [ours, theirs] = [client.local_addr(), client.peer_addr()].map(|addr| addr.expect("open"));
    SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("an open socket");
    drop(client);
    if cfg!(target_os = "linux") {
        // The server's end: its port and ours, and 01 for a connection that is established.
        let end = format!(":{:04X} 0100007F:{:04X} 01 ", theirs.port(), ours.port());
        let gone = || {
            let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux has it");
            (!table.contains(&end)).then_some(())
        };
        soon(Duration::from_secs(10), gone).expect("the reset arrives");
    }
}

#[test]
fn a_client_is_asked_for_pollout_only_while_something_is_queued() {
    let (mut server, mut client, fd) = one_client();
    client.write_all(b"hello").expect("connected");
    server.hear(&format!("ready: [({fd}, POLLIN)]"));
    let line = server.hear("waiting for the next event");
    assert!(line.ends_with(&format!(", POLLIN), ({fd}, POLLIN|POLLOUT)]")), "{line}");
    server.hear(&format!("ready: [({fd}, POLLOUT)]"));
    server.hear("output queue");
    let line = server.hear("waiting for the next event");
    assert!(line.ends_with(&format!(", POLLIN), ({fd}, POLLIN)]")), "{line}");
    assert_eq!(read_text(&mut client, 5), "hello");
}

/// A new client and a message in one turn: the list has one entry for each.
#[test]
fn one_turn_reports_all_who_are_ready() {
    let (mut server, mut client, fd) = one_client();
    let addr = server.addr();
    let _other = server.while_held(|| {
        client.write_all(b"hello").expect("connected");
        connect(addr)
    });
    let line = server.hear("ready: [(");
    assert!(line.ends_with(&format!(", POLLIN), ({fd}, POLLIN)]")), "{line}");
    assert_eq!(read_text(&mut client, 5), "hello");
}

/// The notes wait for POLLHUP when a client leaves. It does not come: an end of input is POLLIN,
/// and recv's 0. (macOS adds POLLHUP.)
#[test]
fn an_end_of_input_is_pollin() {
    let (mut server, client, fd) = one_client();
    server.while_held(|| client.shutdown(Shutdown::Write).expect("connected"));
    let line = server.hear("ready: [(");
    if cfg!(target_os = "linux") {
        assert_eq!(line, format!("ready: [({fd}, POLLIN)]"));
    } else {
        assert!(line.contains("POLLIN"), "{line}");
    }
    server.hear("no more data");
    server.hear("closing");
}

/// POLLERR and POLLHUP, which nobody asked for, come together with POLLIN; recv says what it is.
#[test]
fn a_reset_is_pollin_pollerr_and_pollhup() {
    let (mut server, client, fd) = one_client();
    server.while_held(|| reset(client));
    let line = server.hear("ready: [(");
    if cfg!(target_os = "linux") {
        assert_eq!(line, format!("ready: [({fd}, POLLIN|POLLERR|POLLHUP)]"));
    } else {
        assert!(line.contains("POLLIN"), "{line}");
    }
    server.hear("lost");
    server.hear("closing");
}

/// The data is read first, whatever other flags there are. Then the reset is met.
#[test]
fn data_before_a_reset_is_received() {
    let (mut server, mut client, _) = one_client();
    server.while_held(|| {
        client.write_all(b"last words").expect("connected");
        reset(client);
    });
    if cfg!(target_os = "linux") {
        server.hear("POLLIN|POLLERR|POLLHUP");
        server.hear("received b'last words'");
    }
    server.hear("lost");
    server.hear("closing");
}

/// What poll reports of a socket, asked for `events`; without waiting.
#[cfg(target_os = "linux")]
fn flags(socket: &impl AsFd, events: PollFlags) -> PollFlags {
    let mut entries = [PollFd::new(socket.as_fd(), events)];
    poll(&mut entries, PollTimeout::ZERO).expect("one open descriptor");
    entries[0].revents().expect("flags that nix knows")
}

/// POLLHUP does not mean that the client has gone: our own shutdown of both directions sets it,
/// while the client is still there.
#[cfg(target_os = "linux")]
#[test]
fn our_own_shutdown_is_pollhup() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let _client = connect(listener.local_addr().expect("bound"));
    let (server, _) = listener.accept().expect("it has connected");
    server.shutdown(Shutdown::Both).expect("connected");
    let both = PollFlags::POLLIN | PollFlags::POLLOUT;
    assert_eq!(flags(&server, both), both | PollFlags::POLLHUP);
}

/// There is nothing to read and nobody to end it: the only case in which POLLHUP comes alone though
/// POLLIN was asked for.
#[cfg(target_os = "linux")]
#[test]
fn a_socket_that_was_never_connected_is_pollhup_alone() {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("descriptors are free");
    assert_eq!(flags(&socket, PollFlags::POLLIN), PollFlags::POLLHUP);
    let both = PollFlags::POLLIN | PollFlags::POLLOUT;
    assert_eq!(flags(&socket, both), PollFlags::POLLOUT | PollFlags::POLLHUP);
}

/// recv and send fetch an error. The notice that MSG_ZEROCOPY is done with our bytes is none: it
/// waits in a queue of its own, and poll reports POLLERR until that is read.
#[cfg(target_os = "linux")]
#[test]
fn neither_recv_nor_send_fetches_the_notice_of_a_zero_copy_send() {
    use nix::sys::socket::{MsgFlags, recvmsg, setsockopt};
    use std::io::{ErrorKind, IoSliceMut, Read};
    use std::os::fd::AsRawFd;
    mod options {
        use nix::{libc, setsockopt_impl, sockopt_impl};
        sockopt_impl!(ZeroCopy, SetOnly, libc::SOL_SOCKET, libc::SO_ZEROCOPY, bool);
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let client = connect(listener.local_addr().expect("bound"));
    let (mut server, _) = listener.accept().expect("it has connected");
    server.set_nonblocking(true).expect("an open socket");
    setsockopt(&server, options::ZeroCopy, &true).expect("Linux 4.14 or later");
    let sent = SockRef::from(&server).send_with_flags(&[b'x'; 10_000], nix::libc::MSG_ZEROCOPY);
    assert_eq!(sent.expect("there is room"), 10_000);
    // The client's kernel has them; then ours is done with them.
    let mut entries = [PollFd::new(server.as_fd(), PollFlags::empty())];
    assert_eq!(poll(&mut entries, PollTimeout::from(20_000_u16)).expect("one descriptor"), 1);
    assert_eq!(flags(&server, PollFlags::POLLIN), PollFlags::POLLERR);
    let received = server.read(&mut [0]).expect_err("nothing was sent to us");
    assert_eq!(received.kind(), ErrorKind::WouldBlock);
    server.write_all(b"y").expect("no error is in the way");
    assert_eq!(flags(&server, PollFlags::POLLIN), PollFlags::POLLERR);
    let mut control = nix::cmsg_space!([u8; 256]);
    let mut nothing = [0; 1];
    let mut bytes = [IoSliceMut::new(&mut nothing)];
    let queue = MsgFlags::MSG_ERRQUEUE;
    recvmsg::<()>(server.as_raw_fd(), &mut bytes, Some(&mut control), queue).expect("the notice");
    assert_eq!(flags(&server, PollFlags::POLLIN), PollFlags::empty());
    drop(client);
}

//! Which flags poll reports, as the narration names them. What has come before the server looks is
//! in one entry, so each test holds the server meanwhile.

use lab::rig::{Rig, connect, read_text};
use socket2::SockRef;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
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

/// Closing with `SO_LINGER` 0 sends a reset instead of a FIN.
fn reset(client: TcpStream) {
    SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("an open socket");
    drop(client);
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
/// and recv's 0. (Some systems add POLLHUP; none reports it alone.)
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

//! S2's second question: how does a client leave without disturbing the server and the others?

use judge::rig::{Rig, read_text};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

const SELECT: &str = env!("CARGO_BIN_EXE_select");

/// Three clients; the first leaves in one way or another; the others and a newcomer are served.
fn leaves(how: impl FnOnce(&mut Rig, TcpStream)) {
    let mut server = Rig::start(SELECT, &[]);
    let mut clients: Vec<_> = (0..3).map(|_| server.client()).collect();
    for client in &mut clients {
        client.write_all(b"before").expect("connected");
        assert_eq!(read_text(client, 6), "before");
    }
    let first = clients.remove(0);
    let address = first.local_addr().expect("connected");
    how(&mut server, first);
    server.hear(&format!("closing {address}"));
    clients.push(server.client());
    for client in &mut clients {
        client.write_all(b"after").expect("connected");
        assert_eq!(read_text(client, 5), "after");
    }
}

/// Closing with `SO_LINGER` 0 sends a reset instead of a FIN.
fn reset(client: &TcpStream) {
    socket2::SockRef::from(client).set_linger(Some(Duration::ZERO)).expect("an open socket");
}

#[test]
fn by_closing() {
    leaves(|_, client| drop(client));
}

#[test]
fn by_closing_right_after_a_message() {
    leaves(|server, mut client| {
        server.while_held(|| {
            client.write_all(b"hello").expect("connected");
            drop(client);
        });
    });
}

#[test]
fn by_closing_after_more_than_one_recv_takes() {
    // The first answer meets a closed socket, which answers with a reset; the second send gets
    // EPIPE. The notes' server dies of it.
    leaves(|server, mut client| {
        server.while_held(|| {
            client.write_all(&[b'x'; 5000]).expect("connected");
            drop(client);
        });
    });
}

#[test]
fn by_a_reset() {
    leaves(|_, client| reset(&client));
}

#[test]
fn by_a_reset_right_after_a_message() {
    // recv may still succeed, and getpeername fails: a server that asks for the address while it
    // logs dies of the log line.
    leaves(|server, mut client| {
        server.while_held(|| {
            client.write_all(b"hello").expect("connected");
            reset(&client);
            drop(client);
        });
    });
}

#[test]
fn by_an_urgent_byte_and_closing() {
    leaves(|server, client| {
        server.while_held(|| {
            socket2::SockRef::from(&client).send_out_of_band(b"!").expect("connected");
            drop(client);
        });
    });
}

#[test]
fn by_ending_its_input_and_reading_on() {
    leaves(|_, mut client| {
        client.write_all(b"last words").expect("connected");
        client.shutdown(std::net::Shutdown::Write).expect("connected");
        assert_eq!(read_text(&mut client, 10), "last words");
        assert_eq!(std::io::Read::read(&mut client, &mut [0]).expect("a clean end"), 0);
    });
}

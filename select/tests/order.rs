//! S2's first question: five clients send in the order 5, 4, 3, 2, 1. In which order are they
//! answered?

use judge::rig::{Rig, read_text};
use std::io::Write;
use std::net::TcpStream;

const SELECT: &str = env!("CARGO_BIN_EXE_select");

/// The numbers of the messages, in the order in which the server answered.
fn answered(server: &mut Rig, count: usize) -> Vec<String> {
    let number = |line: String| line.split('\'').nth(1).expect("sending b'N' to …").to_owned();
    (0..count).map(|_| number(server.hear("sending b'"))).collect()
}

/// Connects the clients of these numbers, in this order, each when the one before is accepted.
fn connect(server: &mut Rig, numbers: &[u8]) -> Vec<(u8, TcpStream)> {
    let connect = |&number: &u8| {
        let client = server.client();
        server.hear("new connection from");
        (number, client)
    };
    numbers.iter().map(connect).collect()
}

/// Each client sends its own number, in descending order, while the server looks elsewhere.
fn send_all_at_once(server: &mut Rig, clients: &mut [(u8, TcpStream)]) {
    server.while_held(|| {
        clients.sort_by_key(|&(number, _)| std::cmp::Reverse(number));
        for (number, client) in clients {
            write!(client, "{number}").expect("connected");
        }
    });
}

#[test]
fn one_after_the_other_the_answers_follow_the_order_of_sending() {
    let mut server = Rig::start(SELECT, &[]);
    let mut clients = connect(&mut server, &[1, 2, 3, 4, 5]);
    for (number, client) in clients.iter_mut().rev() {
        write!(client, "{number}").expect("connected");
        assert_eq!(read_text(client, 1), number.to_string());
    }
    assert_eq!(answered(&mut server, 5), ["5", "4", "3", "2", "1"]);
}

#[test]
fn all_at_once_the_answers_follow_the_order_of_connecting() {
    let mut server = Rig::start(SELECT, &[]);
    let mut clients = connect(&mut server, &[1, 2, 3, 4, 5]);
    send_all_at_once(&mut server, &mut clients);
    assert_eq!(answered(&mut server, 5), ["1", "2", "3", "4", "5"]);

    let mut server = Rig::start(SELECT, &[]);
    let mut clients = connect(&mut server, &[3, 1, 5, 2, 4]);
    send_all_at_once(&mut server, &mut clients);
    assert_eq!(answered(&mut server, 5), ["3", "1", "5", "2", "4"]);
}

/// Client 6 gets the descriptor number that client 2 gave back. A loop over the bits of the set
/// would answer it second; the list of clients keeps it last.
#[test]
fn a_reused_descriptor_number_does_not_jump_the_queue() {
    let mut server = Rig::start(SELECT, &[]);
    let mut clients = connect(&mut server, &[1, 2, 3, 4, 5]);
    clients.remove(1);
    server.hear("closing");
    clients.extend(connect(&mut server, &[6]));
    send_all_at_once(&mut server, &mut clients);
    assert_eq!(answered(&mut server, 5), ["1", "3", "4", "5", "6"]);
}

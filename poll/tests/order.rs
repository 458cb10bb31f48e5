//! S2's first question: five clients send in the order 5, 4, 3, 2, 1. In which order are they
//! answered, when the server finds them all at once?

use judge::rig::Rig;
use std::io::Write;
use std::net::TcpStream;

const POLL: &str = env!("CARGO_BIN_EXE_poll");

/// Connects the clients of these numbers, in this order, each when the one before is accepted.
fn connect(server: &mut Rig, numbers: &[u8]) -> Vec<(u8, TcpStream)> {
    let connect = |&number: &u8| {
        let client = server.client();
        server.hear("new connection from");
        (number, client)
    };
    numbers.iter().map(connect).collect()
}

/// Each client sends its own number, in descending order, while the server looks elsewhere. Returns
/// the numbers in the order in which they were answered.
fn answered(server: &mut Rig, mut clients: Vec<(u8, TcpStream)>) -> Vec<String> {
    let count = clients.len();
    server.while_held(|| {
        clients.sort_by_key(|&(number, _)| std::cmp::Reverse(number));
        for (number, client) in &mut clients {
            write!(client, "{number}").expect("connected");
        }
    });
    let number = |line: String| line.split('\'').nth(1).expect("sending b'N' to …").to_owned();
    (0..count).map(|_| number(server.hear("sending b'"))).collect()
}

#[test]
fn answers_follow_the_order_of_connecting() {
    let mut server = Rig::start(POLL, &[]);
    let clients = connect(&mut server, &[3, 1, 5, 2, 4]);
    assert_eq!(answered(&mut server, clients), ["3", "1", "5", "2", "4"]);
}

/// Client 6 gets the descriptor number that client 2 gave back. In poll's list a number has no
/// place of its own: the new client is the last.
#[test]
fn a_reused_descriptor_number_does_not_jump_the_queue() {
    let mut server = Rig::start(POLL, &[]);
    let mut clients = connect(&mut server, &[1, 2, 3, 4, 5]);
    clients.remove(1);
    server.hear("closing");
    clients.extend(connect(&mut server, &[6]));
    assert_eq!(answered(&mut server, clients), ["1", "3", "4", "5", "6"]);
}

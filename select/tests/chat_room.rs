//! The chat room: clients and the operator never wait for each other.

use judge::rig::{Rig, read_text};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

/// A room with the narration off: standard output is then the conversation, and its order.
fn room() -> Rig {
    let mut room = Rig::start(env!("CARGO_BIN_EXE_chat_room"), &["--quiet"]);
    assert!(room.line().starts_with("answer with `N text`"), "it says how to answer");
    room
}

fn say(client: &mut TcpStream, words: &str) {
    client.write_all(words.as_bytes()).expect("connected");
}

#[test]
fn the_operator_answers_the_one_that_spoke_last_or_anyone_by_number() {
    let mut room = room();
    let (mut first, mut second) = (room.client(), room.client());
    say(&mut first, "hello");
    assert_eq!(room.line(), "client 1: hello");
    say(&mut second, "你好");
    assert_eq!(room.line(), "client 2: 你好");
    room.type_line("to the last");
    assert_eq!(read_text(&mut second, 11), "to the last");
    room.type_line("1 回答 one");
    assert_eq!(read_text(&mut first, 10), "回答 one");
}

/// A line that a client makes up for another one is marked as its own.
#[test]
fn no_client_can_speak_for_another() {
    let mut room = room();
    let mut forger = room.client();
    say(&mut forger, "hi\nclient 2: I agree\r\nthe operator has left");
    for line in ["hi", "client 2: I agree", "the operator has left"] {
        assert_eq!(room.line(), format!("client 1: {line}"));
    }
}

/// The notes' room sleeps in input(): B would not be heard, C not accepted, A's leaving not seen.
#[test]
fn an_operator_who_does_not_answer_holds_nobody_up() {
    let mut room = room();
    let mut first = room.client();
    say(&mut first, "anybody?");
    assert_eq!(room.line(), "client 1: anybody?");
    let mut second = room.client();
    say(&mut second, "me too");
    assert_eq!(room.line(), "client 2: me too");
    drop(first);
    assert_eq!(room.line(), "client 1 has left");
    room.type_line("2 at last");
    assert_eq!(read_text(&mut second, 7), "at last");
}

#[test]
fn a_number_is_never_given_twice() {
    let mut room = room();
    let mut first = room.client();
    say(&mut first, "one");
    assert_eq!(room.line(), "client 1: one");
    drop(first);
    assert_eq!(room.line(), "client 1 has left");
    let mut other = room.client();
    say(&mut other, "two");
    assert_eq!(room.line(), "client 2: two");
    room.type_line("1 are you there?");
    assert_eq!(room.line(), "there is no client 1: not sent");
}

#[test]
fn the_end_of_the_operators_input_does_not_end_the_room() {
    let mut room = room();
    room.type_line("too early");
    assert!(room.line().starts_with("nobody has spoken yet"));
    let mut client = room.client();
    say(&mut client, "hello");
    assert_eq!(room.line(), "client 1: hello");
    room.hang_up();
    assert!(room.line().starts_with("the operator has left"));
    say(&mut client, "still there?");
    assert_eq!(room.line(), "client 1: still there?");
}

/// What was said to be forgotten is not sent after all when its end comes.
#[test]
fn a_line_without_end_is_forgotten_to_its_end() {
    let mut room = room();
    let mut client = room.client();
    say(&mut client, "hello");
    assert_eq!(room.line(), "client 1: hello");
    room.type_line(&"x".repeat(200_000));
    assert_eq!(room.line(), "that line is too long, and is forgotten");
    room.type_line("short");
    assert_eq!(read_text(&mut client, 5), "short");
}

#[test]
fn a_character_cut_in_two_is_shown_whole_and_a_terminals_commands_are_not_obeyed() {
    let mut room = Rig::start(env!("CARGO_BIN_EXE_chat_room"), &[]);
    room.line();
    let mut client = room.client();
    let (start, end) = "你".as_bytes().split_at(2);
    client.write_all(start).expect("connected");
    room.hear("received b'\\xe4\\xbd'");
    client.write_all(end).expect("connected");
    assert_eq!(room.line(), "client 1: 你");
    say(&mut client, "\x1b[2J");
    assert_eq!(room.line(), "client 1: \u{fffd}[2J");
}

/// S2's second question, asked of the program that it was asked of: the first of three leaves, in
/// one way or another; the room and the others go on, and the operator is told once.
fn leaves(how: impl FnOnce(&mut Rig, TcpStream)) {
    let mut room = room();
    let mut first = room.client();
    say(&mut first, "one");
    assert_eq!(room.line(), "client 1: one");
    let mut second = room.client();
    how(&mut room, first);
    assert_eq!(room.line(), "client 1 has left");
    say(&mut second, "two");
    assert_eq!(room.line(), "client 2: two");
    room.type_line("and you?");
    assert_eq!(read_text(&mut second, 8), "and you?");
}

#[test]
fn a_client_leaves_by_closing() {
    leaves(|_, client| drop(client));
}

#[test]
fn a_client_leaves_by_a_reset() {
    leaves(|_, client| reset(&client));
}

#[test]
fn a_client_leaves_while_it_is_being_answered() {
    leaves(|room, client| {
        room.type_line("1 never read");
        reset(&client);
    });
}

/// Closing with `SO_LINGER` 0 sends a reset instead of a FIN.
fn reset(client: &TcpStream) {
    socket2::SockRef::from(client).set_linger(Some(Duration::ZERO)).expect("an open socket");
}

/// S2's first question, asked of the program that it was asked of. All five wait when the room
/// looks: they are shown in the order in which they connected.
#[test]
fn five_who_wait_are_shown_in_the_order_in_which_they_connected() {
    let mut room = Rig::start(env!("CARGO_BIN_EXE_chat_room"), &[]);
    room.line();
    let mut clients: Vec<_> = (1..=5)
        .map(|_| {
            let client = room.client();
            room.hear("new connection from");
            client
        })
        .collect();
    room.while_held(|| {
        for (client, number) in clients.iter_mut().rev().zip((1..=5).rev()) {
            say(client, &format!("I am {number}"));
        }
    });
    for number in 1..=5 {
        assert_eq!(room.line(), format!("client {number}: I am {number}"));
    }
}

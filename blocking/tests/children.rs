//! A process for each client, and none left over.

use judge::rig::{PATIENCE, Rig, read_text};
use std::io::{Read, Write};
use std::net::TcpStream;

const PROCESSES: &str = env!("CARGO_BIN_EXE_process_per_connection");

/// A client that was answered, and the number of the process that serves it.
fn served(server: &mut Rig) -> (TcpStream, String) {
    let mut client = server.client();
    let address = client.local_addr().expect("connected");
    let line = server.hear(&format!("serves {address}"));
    // By now the parent has closed its copy of the connection.
    server.hear("waiting in poll");
    client.write_all(b"hello").expect("connected");
    assert_eq!(read_text(&mut client, 5), "HELLO");
    let child = line.split(' ').nth(1).expect("process N serves …").to_owned();
    (client, child)
}

/// How many descriptors a process has open, where `/proc` tells.
fn descriptors(pid: &str) -> Option<usize> {
    let path = cfg!(target_os = "linux").then(|| format!("/proc/{pid}/fd"))?;
    Some(std::fs::read_dir(path).expect("the process is there").count())
}

/// The parent of a process, where `/proc` tells.
fn parent(pid: &str) -> Option<String> {
    let path = cfg!(target_os = "linux").then(|| format!("/proc/{pid}/status"))?;
    let status = std::fs::read_to_string(path).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    Some(line.expect("every process has a parent").trim().to_owned())
}

/// A process that has ended is a zombie until its parent asks after it, and a zombie still has its
/// `/proc` entry. Signals do not queue up: 20 that end together may send one.
#[test]
fn no_child_stays_a_zombie_and_no_descriptor_stays_open() {
    let mut server = Rig::start(PROCESSES, &[]);
    let (last, guide) = served(&mut server);
    let parent = parent(&guide);
    let before = parent.as_deref().and_then(descriptors);
    let (clients, mut children): (Vec<_>, Vec<_>) = (0..20).map(|_| served(&mut server)).unzip();
    assert_eq!(parent.as_deref().and_then(descriptors), before, "each connection is its child's");
    server.while_held(|| drop(clients));
    while !children.is_empty() {
        let line = server.hear("has ended");
        let ended = line.split(' ').nth(1).expect("process N has ended");
        children.retain(|child| child != ended);
        let entry = format!("/proc/{ended}");
        assert!(!std::path::Path::new(&entry).exists(), "{line}, and yet it is there");
    }
    assert_eq!(parent.as_deref().and_then(descriptors), before);
    drop(last);
    server.hear(&format!("process {guide} has ended"));
}

/// The child closes what is the parent's: with a copy of the listener it would keep the port, and
/// with another client's connection that client would never see the end.
#[test]
#[cfg(target_os = "linux")]
fn a_child_holds_its_own_connection_and_nothing_else() {
    let mut server = Rig::start(PROCESSES, &[]);
    let _first = served(&mut server);
    let (_second, child) = served(&mut server);
    let of_parent = parent(&child).as_deref().and_then(descriptors).expect("/proc tells");
    // The parent has its listener with a spare descriptor and both ends of the self-pipe, the child
    // one client; whatever else they were started with, both have.
    assert_eq!(descriptors(&child), Some(of_parent - 4 + 1));
}

/// Which signals are blocked is inherited, and some programs start others with SIGCHLD blocked.
#[test]
fn a_blocked_signal_leaves_no_zombie() {
    let signal = nix::sys::signal::SigSet::from(nix::sys::signal::Signal::SIGCHLD);
    signal.thread_block().expect("a signal of its own");
    let mut server = Rig::start(PROCESSES, &[]);
    signal.thread_unblock().expect("a signal of its own");
    let (client, child) = served(&mut server);
    drop(client);
    server.hear(&format!("process {child} has ended"));
}

/// One process that dies does so alone: its client sees the end, the next one is served.
#[test]
fn a_child_that_is_killed_takes_only_its_client_with_it() {
    let mut server = Rig::start(PROCESSES, &[]);
    let (mut victims_client, victim) = served(&mut server);
    let (mut neighbour, _) = served(&mut server);
    let pid = nix::unistd::Pid::from_raw(victim.parse().expect("a number"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it is running");
    server.hear(&format!("process {victim} has ended: SIGKILL"));
    victims_client.set_read_timeout(Some(PATIENCE)).expect("not zero");
    assert_eq!(victims_client.read(&mut [0]).expect("a clean end"), 0);
    neighbour.write_all(b"still here").expect("connected");
    assert_eq!(read_text(&mut neighbour, 10), "STILL HERE");
    served(&mut server);
}

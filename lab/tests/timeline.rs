//! `lab timeline`, as one types it.

use std::process::{Command, Output};
use tempfile::TempDir;

fn lab(words: &[&str]) -> Command {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    // The report follows the language of the locale.
    lab.env("LC_ALL", "C");
    lab.arg("timeline").args(words);
    lab
}

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}")
}

/// Each line that the script makes a client say is in the trace, in the order of the script; and
/// without a strace that may trace, one line says what is missing.
#[test]
fn a_run_of_select_is_recorded_and_drawn() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().to_str().expect("a plain name");
    let output = lab(&["select", "--output", path, "--lang", "zh"]).output().expect("lab runs");
    if !output.status.success() {
        let words = said(&output);
        assert!(words.contains("strace") && words.lines().count() == 1, "{words}");
        return;
    }
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect(name);
    let trace = read("select.trace");
    let deeds = ["A        connect", "B        connect", "B        send \"hi\""];
    let more = ["A        send \"hello\"", "A        recv \"hello\"", "A        close"];
    let mut rest = trace.as_str();
    for deed in deeds.iter().chain(&more) {
        rest = rest.split_once(deed).unwrap_or_else(|| panic!("no {deed} in\n{trace}")).1;
    }
    assert!(trace.contains("B        recv \"hi\""), "{trace}");
    for call in ["select", "accept", "recv", "send", "{client A}", "{client B}"] {
        assert!(trace.contains(call), "no {call} in\n{trace}");
    }
    // Nothing of this machine: no address, no port, no place in memory, no path.
    let lines: String = trace.lines().filter(|line| !line.starts_with('#')).collect();
    for secret in ["127.0.0.1", "htons", "0x", "/"] {
        assert!(!lines.contains(secret), "{secret} in\n{trace}");
    }
    assert!(read("select.zh.svg").contains("客户端 A"));
}

#[test]
fn without_strace_it_says_what_to_do() {
    let output = lab(&["select"]).env("PATH", "").output().expect("lab runs");
    assert_eq!(output.status.code(), Some(1));
    let words = said(&output);
    assert!(words.contains("strace") && words.lines().count() == 1, "{words}");
}

#[test]
fn a_program_that_the_course_lacks_is_a_mistake_of_the_command_line() {
    let output = lab(&["no_such_program"]).output().expect("lab runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("select_readable"), "the list is given: {}", said(&output));
}

const IN_C: &str = r#"
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void answer(int client) {
    char buffer[1024];
    ssize_t count;
    while ((count = recv(client, buffer, sizeof buffer, 0)) > 0)
        send(client, buffer, count, 0);
    close(client);
}

int main(void) {
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t size = sizeof addr;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener, (struct sockaddr *)&addr, size);
    listen(listener, 10);
    getsockname(listener, (struct sockaddr *)&addr, &size);
    printf("listening on 127.0.0.1:%d\n", ntohs(addr.sin_port));
    fflush(stdout);
    for (;;)
        answer(accept(listener, NULL, NULL));
}
"#;

/// A learner's own server: where each of its calls was made, and in which it sleeps.
#[test]
fn a_server_in_c_is_played_with_its_lines() {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("mine.c"), IN_C).expect("written");
    let mut compiler = Command::new("cc");
    let built = compiler.args(["-g", "-o", "mine", "mine.c"]).current_dir(&folder).status();
    if !built.is_ok_and(|status| status.success()) {
        return println!("not tried: no C compiler");
    }
    // `--play` may also stand at the end.
    let words = ["--", "./mine", "--play"];
    let output = lab(&words).current_dir(&folder).output().expect("lab runs");
    if !output.status.success() {
        let words = said(&output);
        assert!(words.contains("strace") && words.lines().count() == 1, "{words}");
        return;
    }
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect(name);
    let run = read("mine.run");
    let lines = ["answer(accept(listener, NULL, NULL));", "recv(client, buffer", "close(client);"];
    for line in lines {
        let shown =
            run.lines().any(|text| text.contains("at       mine.c:") && text.contains(line));
        assert!(shown, "no `{line}` in\n{run}");
    }
    let page = read("mine.en.html");
    assert!(
        page.contains("static void answer(int client) {") && page.contains("B sends"),
        "{page}"
    );
    assert!(
        !page.contains("disagrees with these rules"),
        "what the rules say is what the system told"
    );
}

#[test]
fn a_server_in_python_is_played_without_lines() {
    let folder = TempDir::new().expect("a folder");
    let server = "import socket\n\
                  listener = socket.create_server(('127.0.0.1', 0))\n\
                  print('listening on 127.0.0.1:%d' % listener.getsockname()[1], flush=True)\n\
                  while True:\n    client, _ = listener.accept()\n    \
                  while data := client.recv(1024):\n        client.sendall(data)\n    client.close()\n";
    std::fs::write(folder.path().join("mine.py"), server).expect("written");
    if Command::new("python3").arg("--version").output().is_err() {
        return println!("not tried: no Python");
    }
    let words = ["--play", "--lang", "zh", "--", "python3", "mine.py"];
    let output = lab(&words).current_dir(&folder).output().expect("lab runs");
    if !output.status.success() {
        let words = said(&output);
        assert!(words.contains("strace") && words.lines().count() == 1, "{words}");
        return;
    }
    let page = std::fs::read_to_string(folder.path().join("mine.zh.html")).expect("a page");
    assert!(page.contains("线程阻塞，只等 A 这一个连接"), "it sleeps in recv: {page}");
    assert!(page.contains("\"code\":[]"), "nothing is guessed");
}

#[test]
fn what_does_not_listen_is_named_as_it_was_typed() {
    let output = lab(&["--play", "--", "/bin/true"]).output().expect("lab runs");
    assert_eq!(output.status.code(), Some(1));
    let words = said(&output);
    assert!(words.contains("strace") || words.starts_with("lab: /bin/true "), "{words}");
}

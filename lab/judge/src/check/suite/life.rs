//! A server as a process among others: stopped, started twice, started wrongly, killed.

use crate::check::client::Client;
use crate::check::ready_line::announced_port;
use crate::check::server::{RESTART, Server, Start, with_server, with_server_started};
use crate::check::subject::{Gives, Seen, Subject, short, unseen};
use crate::language::said;
use crate::process::{Finished, run};
use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

/// How long a program may take to find out that it cannot run.
const GIVE_UP: Duration = Duration::from_secs(10);

pub(super) fn stop_continue(subject: &Subject) -> Seen {
    const TIMES: u32 = 5;
    with_server(subject, |server| {
        let mut client = server.client()?;
        for _ in 0..TIMES {
            // A signal interrupts nothing in a server that is still busy with the last round.
            server.asleep(Duration::from_millis(100));
            server.process.stop()?;
            if subject.gives >= Gives::AnswersOne {
                client.push(100)?;
            }
            server.process.go_on();
            client.exchange(0).map_err(|fault| {
                fault.after(said!("after SIGSTOP and SIGCONT", "SIGSTOP 和 SIGCONT 之后"))
            })?;
        }
        let rest = server.rests(5.0, Duration::from_millis(500));
        let rest =
            rest.map_err(|fault| fault.after(said!("stopped and continued", "暂停再继续之后")))?;
        Ok(said!(
            "stopped and continued {TIMES} times: serves as before, {rest}",
            "暂停再继续 {TIMES} 次：照常服务，{rest}"
        ))
    })
}

pub(super) fn closed_output(subject: &Subject) -> Seen {
    const CLIENTS: usize = 20;
    let start = Start { narrating: true, unread: true, ..Start::default() };
    with_server_started(subject, start, |server| {
        for _ in 0..CLIENTS {
            let mut client = server.client()?;
            if subject.gives >= Gives::AnswersOne {
                client.exchange(100)?;
            }
        }
        Ok(said!(
            "standard output and error closed by their reader: {CLIENTS} clients served",
            "标准输出和标准错误的读端已关闭：{CLIENTS} 个客户端都得到服务"
        ))
    })
}

pub(super) fn port_in_use(subject: &Subject) -> Seen {
    with_server(subject, |server| {
        let addr = server.addr;
        let command = subject.command(false, Some(addr.port()));
        let patience = server.start_again(if subject.ours { GIVE_UP } else { RESTART });
        let second = run(&command, patience)?;
        second_copy(&second, addr, subject.ours)
    })
}

/// What is to be seen takes a command that comes back to its port.
fn another_port() -> Seen {
    unseen(said!(
        "the command takes another port each time: tell it one (see --addr)",
        "命令每次监听的端口都不同：请用 --addr 指定一个"
    ))
}

fn second_copy(second: &Finished, addr: SocketAddr, ours: bool) -> Seen {
    let Finished { status, how, stdout, stderr } = second;
    let here = addr.port().to_string();
    // A program of the course was told which port: to take another one is its fault.
    let other_port = |line| announced_port(line).is_some_and(|port| port != addr.port());
    let elsewhere = status.is_none() && stdout.lines().chain(stderr.lines()).any(other_port);
    if elsewhere && !ours {
        return another_port();
    }
    let lines: Vec<&str> = stderr.lines().collect();
    let last = lines.last().map_or(String::new(), |line| format!(": {line}"));
    // How a server of another kind explains itself, in a traceback perhaps, is its own affair.
    let told = !ours || lines.len() == 1 && lines[0].contains(&here) && stdout.is_empty();
    let refused = if ours { *status == Some(1) } else { status.is_some_and(|status| status != 0) };
    if refused && told {
        return Ok(said!("a second copy: {how}{last}", "第二个实例：{how}{last}"));
    }
    let expected = if ours {
        said!(
            "exit status 1, one line with {addr} on standard error, and nothing else",
            "退出状态 1，标准错误只有一行且含 {addr}，此外没有输出"
        )
    } else {
        said!("a failure", "以失败退出")
    };
    let (errors, lines) = (lines.len(), stdout.lines().count());
    short(said!(
        "a second copy: {how}, lines on standard output: {lines}, on standard error: \
         {errors}{last}; expected {expected}",
        "第二个实例：{how}，标准输出 {lines} 行，标准错误 {errors} 行{last}；应当：{expected}"
    ))
}

fn another_kind() -> Seen {
    unseen(said!("not asked: a command line of another kind", "不检查：它的命令行格式不同"))
}

pub(super) fn bad_command_line(subject: &Subject) -> Seen {
    if !subject.ours {
        return another_kind();
    }
    const BAD: &[&[&str]] = &[
        &["--addr", "nonsense"],
        &["--chunk", "0"],
        &["--reply", "nonsense"],
        &["--no-such-flag"],
        &["extra"],
    ];
    for words in BAD {
        // Only the program itself: clap refuses what is given twice, which is another mistake.
        let mut command = subject.command[..1].to_vec();
        command.extend(words.iter().map(OsString::from));
        let Finished { status, how, stdout, stderr } = run(&command, GIVE_UP)?;
        let lines = stderr.lines().count();
        if status != Some(2) || lines != 1 || !stdout.is_empty() {
            return short(said!(
                "{}: {how}, lines on standard error: {lines}, on standard output: {}; \
                 expected exit status 2, one, and none",
                "{}：{how}，标准错误 {lines} 行，标准输出 {} 行；应当：退出状态 2，一行，没有输出",
                words.join(" "),
                stdout.lines().count()
            ));
        }
    }
    let all: Vec<_> = BAD.iter().map(|words| words.join(" ")).collect();
    Ok(said!(
        "exit status 2 and one line for each of: {}",
        "以下各种都是退出状态 2、报错一行：{}",
        all.join(", ")
    ))
}

pub(super) fn addresses(subject: &Subject) -> Seen {
    if !subject.ours {
        return another_kind();
    }
    let mut served = Vec::new();
    for addr in ["localhost:0", "[::1]:0"] {
        if addr.starts_with('[') && TcpListener::bind(addr).is_err() {
            return unseen(said!(
                "{} served; no IPv6 here",
                "{} 可以服务；这里没有 IPv6",
                served.join(", ")
            ));
        }
        let mut there = subject.clone();
        let word = there.command.iter_mut().find(|word| *word == "127.0.0.1:0");
        *word.ok_or_else(|| "its command has no free port".to_owned())? = addr.into();
        with_server(&there, |server| {
            served.push(server.addr.to_string());
            Ok(String::new())
        })
        .map_err(|fault| fault.after(addr))?;
    }
    Ok(said!(
        "asked for localhost and [::1], it served at {}",
        "要求监听 localhost 和 [::1]，实际在 {} 上服务",
        served.join(&said!(" and ", " 和 "))
    ))
}

pub(super) fn restart(subject: &Subject) -> Seen {
    let mut server = Server::start(subject, Start::default())?;
    let port = server.addr.port();
    let mut clients = server.clients(5)?;
    if subject.gives >= Gives::AnswersOne {
        let served = if subject.gives == Gives::Answers { clients.len() } else { 1 };
        for client in &mut clients[..served] {
            client.exchange(1)?;
        }
        clients[0].push(200_000)?;
    }
    server.process.kill();
    let began = Instant::now();
    // The connections are still half open on the clients' side, and keep the port busy.
    let allowed = server.start_again(RESTART);
    let again = Server::start(subject, Start { port: Some(port), ..Start::default() });
    let killed = said!("killed with 5 clients connected", "有 5 个客户端连接时被杀死");
    let mut again = again.map_err(|fault| fault.after(&killed))?;
    let took = began.elapsed();
    // A reset leaves nothing behind; a FIN would keep the port in TIME_WAIT for whoever comes
    // next and did not ask for SO_REUSEADDR.
    clients.into_iter().for_each(Client::reset);
    if again.addr.port() != port {
        return another_port();
    }
    let seen = said!(
        "{killed}: listening on port {port} again {} ms later",
        "{killed}：{} 毫秒后又在端口 {port} 上监听",
        took.as_millis()
    );
    again.serves().map_err(|fault| {
        fault.after(said!("{seen}; but a new client", "{seen}；但新来的客户端"))
    })?;
    if took > allowed {
        let first = server.took.as_millis();
        return short(said!(
            "{seen}; its first start took {first} ms",
            "{seen}；第一次启动用了 {first} 毫秒"
        ));
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::subject::Fault;

    fn judged(status: Option<i32>, stderr: &str, stdout: &str, ours: bool) -> Seen {
        let finished = Finished {
            status,
            how: "as it did".into(),
            stdout: stdout.into(),
            stderr: stderr.into(),
        };
        second_copy(&finished, "127.0.0.1:8001".parse().expect("an address"), ours)
    }

    #[test]
    fn a_second_copy_ends_with_one_line_that_names_the_address() {
        let line = "server: cannot listen on 127.0.0.1:8001: Address already in use\n";
        assert!(judged(Some(1), line, "", true).is_ok());
        for (status, stderr, stdout) in [
            (Some(0), line, ""),
            (Some(101), line, ""),
            (None, "", "listening on 127.0.0.1:8001\n"),
            (Some(1), "Address already in use\n", ""),
            (Some(1), "a trace\nof many lines 8001\n", ""),
            (Some(1), "", ""),
        ] {
            let seen = judged(status, stderr, stdout, true);
            assert!(matches!(seen, Err(Fault::Short(_))), "{seen:?}");
        }
        assert!(judged(Some(70), line, "", false).is_ok(), "others choose their own failure");
    }

    #[test]
    fn a_second_copy_on_a_port_of_its_own_shows_nothing() {
        let seen = |ours| judged(None, "", "listening on 127.0.0.1:40404\n", ours);
        assert!(matches!(seen(false), Err(Fault::Unseen(_))));
        // S1's server goes on after `bind failed`, at whatever port it gets.
        assert!(matches!(seen(true), Err(Fault::Short(_))));
    }
}

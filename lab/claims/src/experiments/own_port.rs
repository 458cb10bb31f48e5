//! A listener for each loop, on the same port: what becomes of those who wait at one of them.

use super::herd::{CLIENTS, LOOPS, Loops};
use super::sockets::{PATIENCE, outcome};
use crate::{Finding, Unable};
use common::would_block;
use judge::dial;
use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use socket2::{Domain, Socket, Type};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

/// `loops --how own`, and one of its threads stands still, as in a debugger.
pub(super) fn stuck() -> Result<Finding, Unable> {
    let loops = Loops::start("own")?;
    loops.rest(&loops.threads)?;
    let (first, others) = loops.threads.split_first().expect("there are several");
    let stopped = Stopped::thread(*first)?;
    let mut clients = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        let mut client = dial::connect(loops.server.addr)?;
        client.write_all(b"x")?;
        clients.push(client);
    }
    // They have had their clients then, and have answered all that they have.
    loops.rest(others)?;
    let waiting = clients.iter_mut().filter_map(|client| match answered(client) {
        Ok(true) => None,
        Ok(false) => Some(Ok(client)),
        Err(error) => Some(Err(error)),
    });
    let waiting = waiting.collect::<io::Result<Vec<_>>>()?;
    let count = waiting.len();
    stopped.goes_on()?;
    for client in waiting {
        client.read_exact(&mut [0])?;
    }
    let quarter = CLIENTS / LOOPS;
    Ok(Finding::new(
        (quarter / 2..2 * quarter).contains(&count),
        format!(
            "one of {LOOPS} loops stopped (ptrace): all {CLIENTS} clients connect, {} are answered, \
             and {count} wait while {} loops sleep. It goes on, and those {count} are answered",
            CLIENTS - count,
            LOOPS - 1
        ),
        format!(
            "{LOOPS} 个循环停住一个（ptrace）：{CLIENTS} 个客户端都连上了，{} 个得到回复，{count} 个在等，而\
             另外 {} 个循环都在睡眠。让它继续，这 {count} 个才得到回复",
            CLIENTS - count,
            LOOPS - 1
        ),
    ))
}

/// Whether the answer is there.
fn answered(client: &mut TcpStream) -> io::Result<bool> {
    client.set_nonblocking(true)?;
    let received = client.read_exact(&mut [0]);
    client.set_nonblocking(false)?;
    match received {
        Ok(()) => Ok(true),
        Err(error) if would_block(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A thread of a child process that stands still, and goes on at the latest when this is dropped.
struct Stopped(Pid);

impl Stopped {
    fn thread(number: i32) -> Result<Self, Unable> {
        let thread = Pid::from_raw(number);
        let forbidden = |errno| match errno {
            Errno::EPERM | Errno::ENOSYS => {
                Unable::here("to stop a thread is forbidden here", "这里不允许停住一个线程")
            }
            errno => errno.into(),
        };
        // This alone of ptrace's ways sends no signal, which would stop all threads.
        ptrace::seize(thread, ptrace::Options::empty()).map_err(forbidden)?;
        let stopped = Self(thread);
        ptrace::interrupt(thread)?;
        match waitpid(thread, Some(WaitPidFlag::__WALL))? {
            WaitStatus::PtraceEvent(..) => Ok(stopped),
            status => Err(format!("the thread did not stop: {status:?}").into()),
        }
    }

    fn goes_on(self) -> nix::Result<()> {
        ptrace::detach(self.0, None)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // Done already, if all went well.
        let _ = ptrace::detach(self.0, None);
    }
}

/// Two listeners on one port, clients at both, none accepted; and one is closed.
pub(super) fn closed() -> Result<Finding, Unable> {
    const CLIENTS: usize = 40;
    let first = listener(0)?;
    let addr = first.local_addr()?;
    let second = listener(addr.port())?;
    let mut clients = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        clients.push(dial::connect(addr)?);
    }
    drop(first);
    let mut kept = Vec::new();
    loop {
        match second.accept() {
            Ok((mut connection, _)) => {
                connection.write_all(b"x")?;
                kept.push(connection);
            }
            Err(error) if would_block(&error) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let (served, mut reset) = (kept.len(), 0);
    for mut client in clients {
        client.set_read_timeout(Some(PATIENCE))?;
        match outcome(&client.read(&mut [0])).as_str() {
            "1" => {}
            "ECONNRESET" => reset += 1,
            other => return Err(format!("a client got {other}").into()),
        }
    }
    let migrates = fs::read_to_string("/proc/sys/net/ipv4/tcp_migrate_req")
        .is_ok_and(|setting| setting.trim() != "0");
    Ok(Finding::new(
        served + reset == CLIENTS && served > 0 && (reset == 0) == migrates,
        format!(
            "two listeners, {CLIENTS} clients, none accepted yet; one is closed: {reset} connections \
             are reset, {served} are served by the other (net.ipv4.tcp_migrate_req is {})",
            u8::from(migrates)
        ),
        format!(
            "两个监听套接字，{CLIENTS} 个客户端，都还没有 accept；关闭一个：{reset} 个连接被重置，{served} 个由\
             另一个服务（net.ipv4.tcp_migrate_req 为 {}）",
            u8::from(migrates)
        ),
    ))
}

fn listener(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(128)?;
    Ok(socket.into())
}

//! Clients that misbehave: that break off, never read, flood, or send what nobody asked for. None
//! of it may cost the others anything.

use crate::check::client::{Client, drive};
use crate::check::meanwhile::Meanwhile;
use crate::check::server::{Server, with_server};
use crate::check::subject::{Fault, Gives, Seen, Subject, short};
use crate::language::{Language, said};
use crate::process::{LOOK_AGAIN, soon};
use socket2::SockRef;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;
/// Served meanwhile means: answered within this, on a machine that may be busy.
const MEANWHILE: Duration = Duration::from_secs(2);

pub(super) fn resets(subject: &Subject) -> Seen {
    const RESETS: u32 = 50;
    with_server(subject, |server| {
        let mut bystander = server.client()?;
        let mut worst = Duration::ZERO;
        for number in 0..RESETS {
            let moment = MOMENTS[number as usize % MOMENTS.len()];
            let how = moment.words();
            reset_one(server, moment)
                .map_err(|fault| fault.after(said!("reset {how}", "{how}重置连接")))?;
            let took = bystander.exchange(100).map_err(|fault| {
                fault.after(said!("after a reset {how}, others", "{how}重置连接之后，其他客户端"))
            })?;
            worst = worst.max(took);
        }
        Ok(said!(
            "{RESETS} resets, idle, in mid-data and before the accept: \
             another client served after each, in {} at worst",
            "{RESETS} 次重置，有的空闲，有的正在收发，有的尚未 accept：\
             每次之后另一个客户端都得到回复，最慢 {}",
            ms(worst)
        ))
    })
}

/// When a connection is reset.
#[derive(Clone, Copy)]
enum Moment {
    Idle,
    MidData,
    Unread,
    BeforeAccept,
}

const MOMENTS: [Moment; 4] = [Moment::Idle, Moment::MidData, Moment::Unread, Moment::BeforeAccept];

impl Moment {
    fn words(self) -> &'static str {
        Language::spoken().pick(match self {
            Self::Idle => ["idle", "空闲时"],
            Self::MidData => ["in mid-data", "收发途中"],
            Self::Unread => ["answers unread", "回复未读时"],
            Self::BeforeAccept => ["before the accept", "accept 之前"],
        })
    }
}

fn reset_one(server: &mut Server, moment: Moment) -> Result<(), Fault> {
    if matches!(moment, Moment::BeforeAccept) {
        server.process.stop()?;
    }
    let mut client = server.client()?;
    match moment {
        Moment::Idle => drop(client.exchange(1)?),
        Moment::MidData => client.push(200_000)?,
        Moment::Unread => {
            client.push(3000)?;
            // Until the first answer is here: the rest is under way when the reset comes.
            let come = || client.socket().peek(&mut [0]).is_ok().then_some(());
            if soon(MEANWHILE, come).is_none() {
                let meanwhile = Meanwhile::now(server.process.pid());
                let seconds = MEANWHILE.as_secs();
                return short(said!(
                    "no answer within {seconds} s{meanwhile}",
                    "{seconds} 秒内没有回复{meanwhile}"
                ));
            }
        }
        Moment::BeforeAccept => client.push(100)?,
    }
    client.reset();
    server.process.go_on();
    Ok(())
}

pub(super) fn never_reads(subject: &Subject) -> Seen {
    const OFFERED: u64 = 64 * MIB;
    const ALLOWED: u64 = 8 * MIB;
    const NEIGHBOURS: usize = 20;
    with_server(subject, |server| {
        let mut neighbours = server.clients(NEIGHBOURS)?;
        for neighbour in &mut neighbours {
            neighbour.exchange(1)?;
        }
        let before = server.memory();
        let mut most = 0;
        let mut worst = Duration::ZERO;
        let mut sleeper = server.client()?;
        sleeper.asleep = true;
        sleeper.window = u64::MAX;
        sleeper.ask(OFFERED);
        // It offers until nothing is taken any more, and its neighbours talk meanwhile: each once
        // while it still sends, and each once when it is stuck.
        let mut taken_at = Instant::now();
        let mut turn = 0;
        while turn < 2 * NEIGHBOURS || taken_at.elapsed() < Duration::from_millis(300) {
            let offered = sleeper.offer();
            if offered.map_err(|fault| fault.after(said!("reader asleep", "客户端不读时")))? {
                taken_at = Instant::now();
            }
            let took = neighbours[turn % NEIGHBOURS].exchange(100);
            let took = took
                .map_err(|fault| fault.after(said!("a neighbour meanwhile", "其间另一个客户端")))?;
            worst = worst.max(took);
            turn += 1;
            most = most.max(server.memory().unwrap_or(0));
        }
        let taken = sleeper.sent();
        sleeper.asleep = false;
        drive(std::slice::from_mut(&mut sleeper), Client::is_answered).map_err(|fault| {
            fault.after(said!(
                "{} taken, reader awake again",
                "已取走 {}，客户端重新读取",
                mib(taken)
            ))
        })?;
        let grew = most.saturating_sub(before?);
        let seen = said!(
            "{} offered, reader asleep: the system and the server took {}, the server's memory \
             grew by {}, {NEIGHBOURS} neighbours answered in {} at worst; \
             reader awake: all {OFFERED} bytes intact",
            "客户端发送 {} 而不读：系统和服务端取走 {}，服务端内存增加 {}，\
             另外 {NEIGHBOURS} 个客户端最慢 {} 得到回复；重新读取后，{OFFERED} 字节全部无误",
            mib(OFFERED),
            mib(taken),
            mib(grew),
            ms(worst)
        );
        if grew > ALLOWED || worst > MEANWHILE { short(seen) } else { Ok(seen) }
    })
}

pub(super) fn flooder(subject: &Subject) -> Seen {
    const PINGS: u32 = 20;
    // A flood is what comes faster than it is answered. A server that takes a little at a time is
    // slower than our client, whatever else the machine does; one that lets itself be kept busy is
    // then kept busy without a gap.
    let subject = subject.with_chunk("1");
    with_server(&subject, |server| {
        let mut flooder = server.client()?;
        // As much as the system has room for.
        flooder.window = 64 * MIB;
        flooder.ask(u64::MAX / 2);
        let mut pinger = server.client()?;
        let (flood, enough) = (AtomicU64::new(0), AtomicBool::new(false));
        let more_flood = |than: u64| {
            let come = || (flood.load(Ordering::Relaxed) > than + 4096).then_some(());
            soon(MEANWHILE, come).ok_or_else(|| {
                let meanwhile = Meanwhile::now(server.process.pid());
                Fault::Short(said!(
                    "the flood stands still{meanwhile}",
                    "持续发送的客户端得不到回复{meanwhile}"
                ))
            })
        };
        let (worst, flooded) = thread::scope(|scope| {
            let flooding = scope.spawn(|| {
                drive(std::slice::from_mut(&mut flooder), |client| {
                    flood.store(client.answered(), Ordering::Relaxed);
                    enough.load(Ordering::Relaxed)
                })
            });
            let worst = (0..PINGS).try_fold(Duration::ZERO, |worst, _| {
                // Each ping finds the flood going on.
                more_flood(flood.load(Ordering::Relaxed))?;
                pinger.exchange(64).map(|took| took.max(worst))
            });
            enough.store(true, Ordering::Relaxed);
            (worst, flooding.join().expect("it does not panic"))
        });
        flooded.map_err(|fault| fault.after(said!("the flooder", "不停发送的客户端")))?;
        let worst = worst
            .map_err(|fault| fault.after(said!("beside a flooder", "另有一个客户端不停发送时")))?;
        let seen = said!(
            "beside a client that sent {} without a pause, each of {PINGS} pings was answered \
             in {} at worst",
            "另有一个客户端不停地发送了 {}：{PINGS} 次问答最慢 {}",
            mib(flooder.sent()),
            ms(worst)
        );
        if worst > MEANWHILE { short(seen) } else { Ok(seen) }
    })
}

pub(super) fn urgent(subject: &Subject) -> Seen {
    with_server(subject, |server| {
        let mut client = server.client()?;
        client.exchange(100)?;
        let sent = SockRef::from(client.socket()).send_out_of_band(b"!");
        sent.map_err(|error| {
            said!("urgent data cannot be sent: {error}", "无法发送紧急数据：{error}")
        })?;
        let rest = server.rests(5.0, Duration::from_millis(500));
        let rest = rest.map_err(|fault| {
            fault.after(said!("with an urgent byte waiting", "有一个紧急字节未读时"))
        })?;
        client
            .exchange(100)
            .map_err(|fault| fault.after(said!("after an urgent byte", "紧急字节之后")))?;
        Ok(said!(
            "100 bytes, an urgent one, 100 bytes: the 200 came back, {rest} meanwhile",
            "100 字节，一个紧急字节，再 100 字节：200 字节都返回，其间 {rest}"
        ))
    })
}

pub(super) fn comes_and_goes(subject: &Subject) -> Seen {
    const CLIENTS: u32 = 2000;
    with_server(subject, |server| {
        let answers = subject.gives >= Gives::AnswersOne;
        if answers {
            // What the first client ever makes a server open is not a leak.
            server.client()?.exchange(1)?;
        }
        let before = settled_descriptors(server, 0)?;
        for number in 0..CLIENTS {
            let mut client = server.client()?;
            match number % 4 {
                0 if answers => drop(client.exchange(10)?),
                1 => client.push(10)?,
                2 => client.reset(),
                _ => {}
            }
        }
        let after = settled_descriptors(server, before)?;
        let seen = said!(
            "{CLIENTS} connected and left, some having sent, some by a reset: \
             {before} descriptors before, {after} after",
            "{CLIENTS} 个客户端先后连接又断开，有的发过数据，有的以重置断开：\
             描述符之前 {before} 个，之后 {after} 个"
        );
        if after > before { short(seen) } else { Ok(seen) }
    })
}

/// The descriptors of a server, once no more than `expected`, or once no more are given back.
fn settled_descriptors(server: &Server, expected: u64) -> Result<u64, Fault> {
    let mut now = server.descriptors()?;
    let mut since = Instant::now();
    let patience = if expected == 0 { Duration::from_millis(50) } else { 2 * MEANWHILE };
    while now > expected && since.elapsed() < patience {
        thread::sleep(LOOK_AGAIN);
        // One that has died has none to count; what comes next will say so.
        let before = now;
        now = server.descriptors().unwrap_or(before);
        if now != before {
            since = Instant::now();
        }
    }
    Ok(now)
}

fn ms(time: Duration) -> String {
    said!("{:.1} ms", "{:.1} 毫秒", 1000.0 * time.as_secs_f64())
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / MIB as f64)
}

//! What epoll's three calls do, and where a program that uses them sleeps.

use super::watch::{Event, PATIENCE, Trigger, Watch, connection};
use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use crate::measure::Target;
use crate::measure::strace::{Strace, Trace};
use judge::check::server::{Server, Start};
use judge::process::soon;
use std::fs;
use std::io::Write;

pub(super) const EPOLL_MMAP: Experiment = Experiment {
    name: "epoll_mmap",
    does: [
        "look at what epoll_wait writes, and for memory that `epoll` shares with the kernel",
        "看 epoll_wait 写出了什么，再看程序 `epoll` 有没有与内核共享的内存",
    ],
    claims: &[
        Claim {
            note: "S0",
            quote: "你只需要去epoll指定的一个数组中依次取得",
            says: ["descriptors, from an array of epoll's", "从 epoll 的数组里取得描述符"],
            verdict: Verdict::Incomplete,
        },
        Claim {
            note: "S0",
            quote: "这里也使用了内存映射(mmap)技术",
            says: ["epoll uses mmap", "epoll 用了 mmap"],
            verdict: Verdict::Wrong,
        },
        Claim {
            note: "S0",
            quote: "彻底省掉了这些文件描述符在系统调用时复制的开销",
            says: ["nothing is copied any more", "不再有拷贝"],
            verdict: Verdict::Wrong,
        },
    ],
    run: epoll_mmap,
};

/// What nobody has as data: an entry that still has it was not written.
const UNTOUCHED: u64 = u64::MAX;
/// What comes back for each descriptor is what we gave with it.
const OURS: u64 = 1_000_000;
const WATCHED: usize = 100;

fn epoll_mmap() -> Found {
    let watch = Watch::new()?;
    // The same two sockets under many numbers: for epoll each number is an entry of its own.
    let (mut client, server) = connection(None)?;
    let (mut other_client, other_server) = connection(None)?;
    let mut copies = vec![other_server.try_clone()?];
    copies.extend((1..WATCHED).map(|_| server.try_clone()).collect::<Result<Vec<_>, _>>()?);
    for (index, copy) in copies.iter().enumerate() {
        watch.add(copy, Event::Readable, Trigger::Level, OURS + index as u64)?;
    }
    other_client.write_all(b"x")?;
    let (one, first) = written(&watch, 1)?;
    client.write_all(b"x")?;
    let (all, _) = written(&watch, WATCHED)?;
    let mapped = mapped()?;
    let entry = size_of_entry();
    Ok(vec![
        Finding::new(
            one == 1 && first == OURS,
            format!(
                "epoll_wait wrote {one} of the {WATCHED} entries of our array: not a descriptor, \
                 but the number that we registered with it, {first}"
            ),
            format!(
                "我们的数组有 {WATCHED} 项，epoll_wait 写了 {one} 项：不是描述符，而是我们登记时给的数 \
                 {first}"
            ),
        ),
        mapped,
        Finding::new(
            one == 1 && all == WATCHED,
            format!(
                "{WATCHED} watched: 1 ready, {one} entry copied to us ({} bytes); all ready, {all} \
                 ({} bytes). What is not handed over at each wait is the list of the {WATCHED}",
                one * entry,
                all * entry
            ),
            format!(
                "关注 {WATCHED} 个：1 个就绪，拷贝来 {one} 项（{} 字节）；全部就绪，{all} 项（{} \
                 字节）。省掉的是每次递交那 {WATCHED} 个的名单",
                one * entry,
                all * entry
            ),
        ),
    ])
}

/// How many entries of an array of ours epoll_wait overwrites, once that many are ready; and the
/// first of them.
fn written(watch: &Watch, ready: usize) -> Result<(usize, u64), Unable> {
    let look = || {
        let mut array = [UNTOUCHED; WATCHED];
        let told = watch.wait_into(&mut array, 0);
        told.map(|told| (told, array))
    };
    let found = soon(PATIENCE, || match look() {
        Ok((told, _)) if told < ready => None,
        found => Some(found),
    });
    let (_, array) = found.unwrap_or_else(look)?;
    Ok((array.iter().filter(|&&data| data != UNTOUCHED).count(), array[0]))
}

fn size_of_entry() -> usize {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return size_of::<libc::epoll_event>();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    return 0;
}

/// What is mapped has a line in the process's map, and took a call of mmap. `uring` is there to
/// show that such a line would be seen.
fn mapped() -> Result<Finding, Unable> {
    let server = Target::program("epoll")?.start()?;
    let mut client = server.client()?;
    for _ in 0..MESSAGES {
        client.exchange(10)?;
    }
    let eventpolls = lines_of(&server, "eventpoll")?;
    drop(server);
    let rings = rings_of_uring();
    let files = match Strace::find() {
        Ok(strace) => Some(files_mapped(&traced(&strace, &["mmap", "epoll_wait", "epoll_pwait"])?)),
        Err(_) => None,
    };
    let mut en =
        format!("`epoll`, {MESSAGES} messages answered: {eventpolls} mappings are epoll's");
    let mut zh =
        format!("`epoll` 回复 {MESSAGES} 条消息后，属于 epoll 的内存映射：{eventpolls} 处");
    if let Some(rings) = rings {
        en += &format!(" (`uring`: {rings} are io_uring's)");
        zh += &format!("（`uring` 里属于 io_uring 的：{rings} 处）");
    }
    if let Some(files) = files {
        en += &format!("; strace: {files} mmaps of a descriptor while it served");
        zh += &format!("；strace：服务期间对描述符的 mmap：{files} 次");
    }
    Ok(Finding::new(eventpolls == 0 && files.unwrap_or(0) == 0, en, zh))
}

const MESSAGES: usize = 100;

/// A new run of `epoll` that answers so many messages, seen by strace.
fn traced(strace: &Strace, calls: &[&str]) -> Result<Trace, String> {
    let traced = strace.start(&Target::program("epoll")?, calls)?;
    let mut client = traced.server.client()?;
    for _ in 0..MESSAGES {
        client.exchange(10)?;
    }
    traced.finish()
}

/// How many calls of mmap are of a descriptor, from the first wait on: the allocator's are not.
fn files_mapped(trace: &Trace) -> usize {
    let waits = |name: &str| name.starts_with("epoll");
    let serving = trace.calls.iter().skip_while(|call| !waits(&call.name));
    serving.filter(|call| call.name == "mmap" && !call.text.contains("MAP_ANONYMOUS")).count()
}

/// The lines of a running server's memory map that name this.
fn lines_of(server: &Server, name: &str) -> Result<usize, Unable> {
    let maps = fs::read_to_string(format!("/proc/{}/maps", server.process.pid()))?;
    Ok(maps.lines().filter(|line| line.contains(name)).count())
}

/// `None` where io_uring is forbidden, or too old for it.
fn rings_of_uring() -> Option<usize> {
    let uring = Target::program("uring").ok()?;
    let server = Server::try_start(&uring.subject, Start::default()).ok()?;
    lines_of(&server, "io_uring").ok()
}

pub(super) const INTEREST_CHANGES: Experiment = Experiment {
    name: "interest_changes",
    does: [
        "count the calls of epoll_ctl with strace, while `epoll` answers 100 messages",
        "用 strace 数程序 `epoll` 回复 100 条消息时的 epoll_ctl",
    ],
    claims: &[Claim {
        note: "S4",
        quote: "保证了每个在整个过程中只会拷贝1次",
        says: ["each is copied into the kernel once", "每个描述符只拷贝一次"],
        verdict: Verdict::Incomplete,
    }],
    run: interest_changes,
};

fn interest_changes() -> Found {
    let strace = Strace::find().map_err(Unable::Here)?;
    let trace = traced(&strace, &["epoll_ctl"])?;
    let with = |op: &str| trace.calls.iter().filter(|call| call.text.contains(op)).count();
    let (added, modified) = (with("EPOLL_CTL_ADD"), with("EPOLL_CTL_MOD"));
    Ok(vec![Finding::new(
        added == 2 && modified >= MESSAGES,
        format!(
            "the listener and one client: {added} entries handed over; {MESSAGES} messages: \
             {modified} more, one with each EPOLL_CTL_MOD"
        ),
        format!(
            "监听套接字和一个客户端：递交 {added} 项；{MESSAGES} 条消息又递交 {modified} 项，每次 \
             EPOLL_CTL_MOD 一项"
        ),
    )])
}

pub(super) const WHERE_IT_BLOCKS: Experiment = Experiment {
    name: "where_it_blocks",
    does: ["look at `epoll` while nobody connects", "没有人连接时，看程序 `epoll` 在做什么"],
    claims: &[Claim {
        note: "S1",
        quote: "程序阻塞在 epoll_fd = select.epoll( ) 处",
        says: ["it blocks in select.epoll()", ""],
        verdict: Verdict::Wrong,
    }],
    run: where_it_blocks,
};

fn where_it_blocks() -> Found {
    // Where there is no epoll there is nothing to look at.
    Watch::new()?;
    let server = Target::program("epoll")?.start()?;
    let hidden = || {
        Unable::here(
            "in which call a process sleeps is hidden here",
            "这里看不到进程阻塞在哪个系统调用上",
        )
    };
    let waits = |call: &String| call.starts_with("epoll_") && call.contains("wait");
    let mut asleep = None;
    // A page that is still to be loaded is a short sleep, too.
    let at_rest = soon(PATIENCE, || {
        asleep = server.asleep(PATIENCE);
        asleep.as_ref().is_none_or(|calls| calls.iter().all(waits)).then_some(())
    });
    let asleep = asleep.ok_or_else(hidden)?.join(", ");
    let epoll = descriptor_of_epoll(server.process.pid()).ok_or_else(hidden)?;
    // select.epoll() is the call that makes the descriptor: it is long over.
    let made = epoll.is_some();
    let number = epoll.unwrap_or_default();
    Ok(vec![Finding::new(
        at_rest.is_some() && made,
        format!("it sleeps in {asleep}; what epoll_create1 made is there already: {number}"),
        format!("它阻塞在 {asleep} 上；epoll_create1 创建的描述符早已有了：{number}"),
    )])
}

/// The number of a process's epoll descriptor, if it has one. `None`: that is not seen.
fn descriptor_of_epoll(pid: i32) -> Option<Option<String>> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let is_epoll = |entry: &fs::DirEntry| {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        target.to_string_lossy().contains("eventpoll")
    };
    let found = entries.flatten().find(is_epoll);
    Some(found.map(|entry| entry.file_name().to_string_lossy().into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::strace::Call;

    #[cfg(target_os = "linux")]
    #[test]
    fn epoll_copies_what_is_ready_and_maps_nothing() {
        crate::experiments::confirm(&EPOLL_MMAP);
    }

    #[test]
    fn every_change_of_interest_is_handed_over() {
        crate::experiments::confirm_where_seen(&INTEREST_CHANGES);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn it_sleeps_in_the_wait_and_not_in_the_making() {
        crate::experiments::confirm(&WHERE_IT_BLOCKS);
    }

    #[test]
    fn only_mappings_of_a_descriptor_while_it_serves_count() {
        let call = |name: &str, text: &str| Call::sample(name, text);
        let library = call("mmap", "mmap(NULL, 99, PROT_READ, MAP_PRIVATE, 3, 0) = 0x7f");
        let memory = call("mmap", "mmap(NULL, 9, 3, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f");
        let mut calls = vec![library.clone(), call("epoll_wait", "epoll_wait(4, "), memory];
        let mapped =
            |calls: &[Call]| files_mapped(&Trace { calls: calls.to_vec(), ..Trace::default() });
        assert_eq!(mapped(&calls), 0);
        calls.push(library);
        assert_eq!(mapped(&calls), 1);
    }
}

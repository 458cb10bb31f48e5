//! Where a process's memory ends and the kernel's begins.

use super::{Claim, Experiment, Finding, Found, Unable, Verdict};
use std::fs;

pub(super) const ADDRESS_SPACE: Experiment = Experiment {
    name: "address_space",
    does: ["look at the highest address of this process", "看本进程的最高地址"],
    claims: &[Claim {
        note: "S2",
        quote: "将最高的1G字节(从虚拟地址0xC0000000到0xFFFFFFFF),供内核使用",
        says: ["the top 1 GB, from 0xC0000000, is the kernel's", ""],
        verdict: Verdict::Outdated,
    }],
    run,
};

fn run() -> Found {
    if !cfg!(target_pointer_width = "64") {
        return Err(Unable::here(
            "this is a program of 32 bits, of which it may be so",
            "这是 32 位程序，对它来说可能正是如此",
        ));
    }
    let maps = fs::read_to_string("/proc/self/maps").map_err(|_| {
        Unable::here("this system has no /proc/self/maps", "这个系统没有 /proc/self/maps")
    })?;
    let (start, end) = highest(&maps).ok_or("no mapping in /proc/self/maps".to_owned())?;
    let gigabytes = end >> 30;
    Ok(vec![Finding::new(
        start > 0xFFFF_FFFF,
        format!("our highest memory ends at {end:#x}, {gigabytes} GB up: no number of 32 bits"),
        format!("我们自己的内存最高到 {end:#x}，即 {gigabytes} GB 处：32 位装不下"),
    )])
}

/// The highest mapping, but for the one page that the kernel puts into its own half (vsyscall(7)
/// of old programs).
fn highest(maps: &str) -> Option<(u64, u64)> {
    let lines = maps.lines().filter(|line| !line.contains("[vsyscall]"));
    let ranges = lines.filter_map(|line| {
        let (start, end) = line.split_whitespace().next()?.split_once('-')?;
        Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
    });
    ranges.max_by_key(|range| range.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    #[test]
    fn we_live_above_four_gigabytes() {
        crate::experiments::confirm(&ADDRESS_SPACE);
    }

    #[test]
    fn the_kernels_own_page_is_not_ours() {
        let maps = "\
55d0c0000000-55d0c0001000 r-xp 00000000 fe:00 7 /bin/cat
7ffc1c3f1000-7ffc1c412000 rw-p 00000000 00:00 0 [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]
";
        assert_eq!(highest(maps), Some((0x7ffc_1c3f_1000, 0x7ffc_1c41_2000)));
        assert_eq!(highest(""), None);
    }
}

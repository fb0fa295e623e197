//! What /proc tells about the server: CPU time and resident memory.

use std::fs;

/// CPU time of all threads of a process so far, in nanoseconds; `None` when it cannot be read.
///
/// It is the first figure of each thread's schedstat, which counts what utime + stime count, but in
/// nanoseconds instead of ticks of 10 ms. A thread that ends takes its share along.
pub(crate) fn cpu_ns(pid: u32) -> Option<u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let paths = tasks.flatten().map(|task| task.path().join("schedstat"));
    let texts = paths.filter_map(|path| fs::read_to_string(path).ok());
    Some(texts.filter_map(|text| text.split(' ').next()?.parse::<u64>().ok()).sum())
}

/// CPU time of this process so far, in nanoseconds.
pub(crate) fn own_cpu_ns() -> u64 {
    cpu_ns(std::process::id()).unwrap_or_default()
}

/// Resident memory of a process in KiB (`VmRSS`).
pub(crate) fn rss_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().split(' ').next()?.parse().ok()
}

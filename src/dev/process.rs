//! What the system says about a process. Only Linux says it in files; elsewhere there is no figure.

use std::fs;

/// The memory that a process holds (resident set), in bytes.
#[must_use]
pub fn memory_bytes(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1_024.0)
}

/// The memory of WebAssembly in a process that runs V8, in bytes. The inspector does not count it; V8 reserves at least
/// 4 GiB of addresses for each memory, of which the first are readable and writable and the rest nothing yet.
#[must_use]
pub fn wasm_bytes(pid: u32) -> Option<f64> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    Some(wasm_in(&maps) as f64)
}

fn wasm_in(maps: &str) -> u64 {
    let mappings: Vec<(u64, u64, &str)> = maps.lines().filter_map(mapping).collect();
    let memories = mappings.windows(2).filter_map(|pair| {
        let [(start, end, used), (next, last, rest)] = pair.try_into().ok()?;
        let is_memory = end == next && used == "rw-p" && rest == "---p" && last - start >= 1 << 32;
        is_memory.then_some(end - start)
    });
    memories.sum()
}

/// From, to and permissions of a line of `maps` (proc_pid_maps(5)).
fn mapping(line: &str) -> Option<(u64, u64, &str)> {
    let (addresses, rest) = line.split_once(' ')?;
    let (start, end) = addresses.split_once('-')?;
    let address = |text| u64::from_str_radix(text, 16).ok();
    Some((address(start)?, address(end)?, rest.get(..4)?))
}

/// The time on a processor of all threads of a process, in ms.
#[must_use]
pub fn cpu_ms(pid: u32) -> Option<f64> {
    let mut nanoseconds = 0.0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += text.split_whitespace().next()?.parse::<f64>().ok()?;
    }
    Some(nanoseconds / 1e6)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_memory_of_wasm_is_what_is_used_of_a_reservation() {
        let maps = "\
7a0000000000-7a0000180000 rw-p 00000000 00:00 0 \n\
7a0000180000-7a0100020000 ---p 00000000 00:00 0 \n\
7b0000000000-7b0000010000 rw-p 00000000 00:00 0    [heap]\n\
7b0000010000-7b0000020000 ---p 00000000 00:00 0 \n\
7b0000020000-7b0000030000 r--p 00000000 08:01 77 /usr/lib/libc.so.6\n";
        assert_eq!(super::wasm_in(maps), 24 * 65_536);
    }
}

//! Who comes first where processors are short: those that serve, and not those that boot, reload or
//! leave.
//!
//! Since Linux 6.12 the kernel lets a thread ask for a time slice (`sched_runtime` of
//! `sched_setattr`, for the ordinary policies too). One that asks for a long slice gets as much time
//! as ever, but another that wakes up takes its place at once, where it would have waited for up to
//! the length of a slice. Older kernels take the call and do nothing.

use libc::{SCHED_BATCH, SCHED_FLAG_RESET_ON_FORK, SCHED_OTHER, c_int, c_uint, sched_attr};

/// The longest slice that the kernel gives, in nanoseconds.
const LONG: u64 = 100_000_000;

/// The kernel's own choice.
const USUAL: u64 = 0;

/// The calling thread lets others go first. Threads and processes that it starts do not.
pub fn give_way() {
    ask_for_slice(LONG);
}

/// The calling thread lets others go first no longer.
pub fn claim_turn() {
    ask_for_slice(USUAL);
}

/// Asks for a slice for the calling thread. It is a courtesy: where the kernel refuses, requests are
/// served as well, a little less evenly.
fn ask_for_slice(slice: u64) {
    let Some(mut attributes) = attributes() else {
        return;
    };
    let is_fair = [SCHED_OTHER, SCHED_BATCH].contains(&(attributes.sched_policy as c_int));
    // What the flag takes from children besides is a policy of another kind and a negative niceness,
    // and only a privileged process could take the flag back.
    if !is_fair || attributes.sched_nice < 0 {
        return;
    }
    attributes.sched_flags |= SCHED_FLAG_RESET_ON_FORK as u64;
    attributes.sched_runtime = slice;
    // SAFETY: the kernel reads the struct, whose size it finds in it.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}

/// The calling thread's; `None` where the kernel does not tell.
fn attributes() -> Option<sched_attr> {
    // SAFETY: a struct of integers, for which zero is a value.
    let mut attributes: sched_attr = unsafe { std::mem::zeroed() };
    let size = size_of::<sched_attr>() as c_uint;
    // SAFETY: the kernel writes as many bytes as it is told that there are.
    let done = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
    (done == 0).then_some(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slice in nanoseconds; 0 on a kernel that does not tell.
    fn slice() -> u64 {
        attributes().unwrap().sched_runtime
    }

    #[test]
    fn a_thread_gives_way_alone_and_for_a_time() {
        let tell = || std::thread::spawn(slice).join().unwrap();
        let usual = tell();
        give_way();
        let (own, of_another) = (slice(), tell());
        claim_turn();
        // Kernels before 6.12 tell of no slice.
        assert_eq!(own, if usual == 0 { 0 } else { LONG });
        assert_eq!((of_another, slice()), (usual, usual));
    }
}

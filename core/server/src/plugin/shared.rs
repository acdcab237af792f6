//! Memory that the arbiter and all workers share. A child that tries plugins out gets a copy instead:
//! what it does there is no business of those that serve.

use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::mman::{MRemapFlags, MapFlags, ProtFlags, mmap_anonymous, mremap};
use nix::unistd::{SysconfVar, sysconf};

/// A mapping, which stays where it is for ever.
struct Mapped {
    address: usize,
    length: NonZeroUsize,
}

static ALL: Mutex<Vec<Mapped>> = Mutex::new(Vec::new());

fn all() -> MutexGuard<'static, Vec<Mapped>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

fn anonymous(length: NonZeroUsize, flags: MapFlags) -> nix::Result<NonNull<c_void>> {
    // SAFETY: a fresh anonymous mapping aliases nothing.
    unsafe {
        mmap_anonymous(
            None,
            length,
            ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
            flags,
        )
    }
}

/// Maps so many bytes, all of them zero, to be shared with what is forked later.
///
/// # Errors
/// No memory.
pub(super) fn map(length: NonZeroUsize, flags: MapFlags) -> nix::Result<NonNull<c_void>> {
    let memory = anonymous(length, MapFlags::MAP_SHARED | flags)?;
    all().push(Mapped {
        address: memory.as_ptr().expose_provenance(),
        length,
    });
    Ok(memory)
}

/// From now on this process has for itself what is mapped, as it is at this moment.
///
/// # Errors
/// No memory.
pub(super) fn separate() -> nix::Result<()> {
    let page = sysconf(SysconfVar::PAGE_SIZE)?.unwrap_or(4096);
    let page = usize::try_from(page).map_err(|_| Errno::EINVAL)?;
    let mapped = std::mem::take(&mut *all());
    mapped.iter().try_for_each(|mapped| mapped.separate(page))
}

impl Mapped {
    fn separate(&self, page: usize) -> nix::Result<()> {
        let Self { address, length } = *self;
        let shared = std::ptr::with_exposed_provenance_mut::<u8>(address);
        let copy = anonymous(length, MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE)?;
        let mut is_used = vec![0; length.get().div_ceil(page)];
        // SAFETY: the mapping is there for ever, and the vector has a byte for each of its pages.
        let code = unsafe { libc::mincore(shared.cast(), length.get(), is_used.as_mut_ptr()) };
        Errno::result(code)?;
        // What nobody has touched is zero, and to read it would take memory.
        for place in (0..is_used.len()).filter(|&place| is_used[place] & 1 != 0) {
            let at = place * page;
            let count = page.min(length.get() - at);
            // SAFETY: both mappings are that long, and apart.
            unsafe {
                let to = copy.as_ptr().cast::<u8>().add(at);
                std::ptr::copy_nonoverlapping(shared.add(at), to, count);
            }
        }
        // SAFETY: puts the copy in the place of a mapping that only atomics lead into, and that stays
        // readable and writable throughout.
        unsafe {
            mremap(
                copy,
                length.get(),
                length.get(),
                MRemapFlags::MREMAP_MAYMOVE | MRemapFlags::MREMAP_FIXED,
                NonNull::new(shared.cast()),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_copy_has_what_was_there_and_is_written_by_nobody_else() {
        let length = NonZeroUsize::new(3 * 4096 + 8).unwrap();
        let memory = map(length, MapFlags::empty()).unwrap();
        // SAFETY: page-aligned, long enough, and mapped for ever.
        let words: &[AtomicU64] =
            unsafe { std::slice::from_raw_parts(memory.cast().as_ptr(), length.get() / 8) };
        let last = words.len() - 1;
        words[0].store(1, Ordering::Relaxed);
        words[last].store(2, Ordering::Relaxed);
        // SAFETY: the child looks at memory and leaves.
        let child = match unsafe { nix::unistd::fork() }.unwrap() {
            nix::unistd::ForkResult::Parent { child } => child,
            nix::unistd::ForkResult::Child => {
                let has_all = separate().is_ok()
                    && words[0].swap(7, Ordering::Relaxed) == 1
                    && words[600].swap(7, Ordering::Relaxed) == 0
                    && words[last].swap(7, Ordering::Relaxed) == 2;
                // SAFETY: ends the child.
                unsafe { libc::_exit(has_all.into()) }
            }
        };
        let status = nix::sys::wait::waitpid(child, None).unwrap();
        assert_eq!(status, nix::sys::wait::WaitStatus::Exited(child, 1));
        let found = [0, 600, last].map(|place| words[place].load(Ordering::Relaxed));
        assert_eq!(found, [1, 0, 2]);
    }
}

//! What handlers keep with a request, from one of its events to a later one.

use std::ffi::c_void;
use std::fmt::Debug;

/// Whoever knows how to let go of a value.
pub trait Release: Debug + Send + Sync {
    /// Lets go of a value that is kept for a holder.
    ///
    /// # Safety
    /// The value is one that was kept for this holder, and is let go of once.
    unsafe fn release(&self, holder: *mut c_void, value: *mut c_void);
}

/// A value that a compiled handler keeps. Dropping it lets go of the value, once.
#[derive(Debug)]
pub struct Keepsake {
    owner: usize,
    holder: *mut c_void,
    value: *mut c_void,
    release: Option<&'static dyn Release>,
}

// SAFETY: the pointers are never followed here; their owner has promised that a value may be let go
// of on another thread than it was kept on (`request_drop` of the plugin ABI).
unsafe impl Send for Keepsake {}
// SAFETY: as above; nothing is done through a shared reference.
unsafe impl Sync for Keepsake {}

impl Keepsake {
    /// A value that `owner`, a number, keeps.
    ///
    /// # Safety
    /// `release` may be asked once, on any thread, to let go of `value` for `holder`.
    #[must_use]
    pub unsafe fn new(
        owner: usize,
        holder: *mut c_void,
        value: *mut c_void,
        release: Option<&'static dyn Release>,
    ) -> Self {
        Self {
            owner,
            holder,
            value,
            release,
        }
    }
}

impl Drop for Keepsake {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: promised to `new`; a value is dropped once.
            unsafe { release.release(self.holder, self.value) }
        }
    }
}

/// All that is kept with one request.
#[derive(Debug, Default)]
pub struct Kept(Vec<Keepsake>);

impl Kept {
    /// What `owner` keeps, if the holder is still this one.
    #[must_use]
    pub fn find(&self, owner: usize, holder: *mut c_void) -> Option<*mut c_void> {
        self.0
            .iter()
            .find(|keepsake| keepsake.owner == owner && keepsake.holder == holder)
            .map(|keepsake| keepsake.value)
    }

    /// Takes away what `owner` keeps.
    pub fn take(&mut self, owner: usize) -> Option<Keepsake> {
        let place = self.0.iter().position(|keepsake| keepsake.owner == owner)?;
        Some(self.0.swap_remove(place))
    }

    /// Keeps a value.
    pub fn put(&mut self, keepsake: Keepsake) {
        self.0.push(keepsake);
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lets go of everything, and keeps the memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug)]
    struct Count;

    impl Release for Count {
        unsafe fn release(&self, holder: *mut c_void, value: *mut c_void) {
            // SAFETY: the test passes a counter that outlives the keepsakes.
            let counter = unsafe { &*holder.cast::<AtomicUsize>() };
            counter.fetch_add(value as usize, Ordering::Relaxed);
        }
    }

    #[test]
    fn each_value_is_let_go_of_once() {
        let counter = AtomicUsize::new(0);
        let holder = std::ptr::from_ref(&counter).cast_mut().cast::<c_void>();
        // SAFETY: `Count` may be asked with the counter as long as it lives.
        let keep = |owner, value: usize| unsafe {
            Keepsake::new(owner, holder, value as *mut c_void, Some(&Count))
        };
        let mut kept = Kept::default();
        kept.put(keep(1, 3));
        kept.put(keep(2, 10));
        assert_eq!(kept.find(1, holder).map(|value| value as usize), Some(3));
        assert_eq!(kept.find(1, std::ptr::null_mut()), None, "another holder's");
        drop(kept.take(1));
        assert!(kept.take(1).is_none());
        kept.put(keep(1, 100));
        assert_eq!(counter.load(Ordering::Relaxed), 3, "taken away");
        kept.clear();
        drop(kept);
        assert_eq!(counter.load(Ordering::Relaxed), 113);
    }
}

//! What has been proven lately. Passwords are not kept: only their hashes under a random key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tricorn_hooks::Result;

/// The most that are remembered at once.
const MOST: usize = 10_000;

/// The memory, shared by the threads of a worker.
#[derive(Debug, Clone)]
pub(crate) struct Proven {
    key: [u8; 32],
    until: Arc<Mutex<HashMap<[u8; 32], Instant>>>,
    how_long: Duration,
}

impl Proven {
    pub(crate) fn new(how_long: Duration) -> Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self {
            key,
            until: Arc::default(),
            how_long,
        })
    }

    fn hash(&self, name: &str, password: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.key);
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        hash.update(password);
        hash.finalize().into()
    }

    /// Whether this pair has been proven, and not too long ago.
    pub(crate) fn has(&self, name: &str, password: &[u8]) -> bool {
        let hash = self.hash(name, password);
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until
            .get(&hash)
            .is_some_and(|&until| Instant::now() < until)
    }

    /// Remembers that a pair is right.
    pub(crate) fn remember(&self, name: &str, password: &[u8]) {
        let hash = self.hash(name, password);
        let now = Instant::now();
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= MOST {
            until.retain(|_, until| now < *until);
        }
        if until.len() < MOST {
            until.insert(hash, now + self.how_long);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_remembered_as_a_whole_and_for_a_while() {
        let proven = Proven::new(Duration::from_secs(60)).unwrap();
        proven.remember("a", b"bc");
        assert!(proven.has("a", b"bc"));
        assert!(!proven.has("ab", b"c") && !proven.has("a", b"b"));
        let short = Proven::new(Duration::ZERO).unwrap();
        short.remember("a", b"bc");
        assert!(!short.has("a", b"bc"));
    }
}

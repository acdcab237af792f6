//! How many log-ins of each client wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The clients that wait, and how often each of them does.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    most: usize,
    waiting: Arc<Mutex<HashMap<String, usize>>>,
}

/// A client's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    client: String,
    queue: Queue,
}

impl Queue {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            waiting: Arc::default(),
        }
    }

    /// A place for a client, unless it has too many.
    pub(crate) fn join(&self, client: &str) -> Option<Place> {
        let mut waiting = self.waiting();
        let count = waiting.entry(client.to_owned()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place {
            client: client.to_owned(),
            queue: self.clone(),
        })
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting();
        if let Some(count) = waiting.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.client);
            }
        }
    }
}

//! The end of a worker that stops: connections and listeners are left so that no request is lost.

use super::core::Core;

/// How long a worker that stops still waits for a request on an idle connection: one may be on its
/// way, and would be lost. Its answer then tells the client to close.
const FAREWELL: u64 = 1_000_000_000;

/// How long after that a client may take to notice. A request that crosses the end on its way would
/// otherwise be answered by a reset.
const PARTING: u64 = 500_000_000;

impl Core {
    /// Ends the connections on which nothing has come for a while, and nothing stands in the kernel
    /// either. Called when the worker stops. Whether there were any: whoever waits for limits has new
    /// ones to wait for.
    pub(in super::super) fn close_idle(&mut self) -> bool {
        let mut closed_any = false;
        self.begin_turn();
        for cell in self.cells() {
            let mut conn = cell.lock();
            if conn.is_idle() && conn.idle_since + FAREWELL <= self.now {
                conn.readable = true;
                self.pump(&cell, &mut conn);
                if conn.is_idle() {
                    self.part_from_idler(&mut conn, PARTING);
                    self.settle(&cell, &mut conn);
                    closed_any = true;
                }
            }
        }
        closed_any
    }

    /// Leaves the listeners to others for good, but takes what stands in their queues already: woken
    /// by it, this worker is the only one that knows, and the last to leave would have it reset.
    pub(in super::super) fn accept_last(&mut self) {
        self.listeners.disable();
        self.listeners.note_all();
        self.accept(usize::MAX);
        self.listeners.close();
    }
}

//! The sync driver: requests run inline on the worker's one thread, so that a signal lands on the
//! stack of the request that is running.
//!
//! Its relief thread, which will mind the other connections while a request runs long, has its
//! place beside this loop: it needs nothing that `Shared` does not give.

use super::shared::{Events, Next, Shared};
use crate::gateway::{Gateway, Source, Transaction};

/// How often a stopping worker looks whether it may leave.
const DRAIN_TURN: u64 = 50_000_000;

/// Serves until the worker is to leave; the code to leave with.
pub(super) fn serve(shared: &Shared, gateway: &dyn Gateway) -> i32 {
    let mut events = Events::new();
    let source = Inline { shared, gateway };
    let mut signalled = true;
    shared.core().decide_at_once();
    loop {
        if let Next::Leave(code) = shared.oversee(gateway, signalled) {
            return code;
        }
        let longest = if shared.is_draining() {
            DRAIN_TURN
        } else {
            u64::MAX
        };
        let turn = shared.wait(&mut events, longest);
        signalled = turn.woken;
        if turn.ready {
            shared.share_connections();
            gateway.run(&source);
        }
        if shared.accept() {
            gateway.run(&source);
        }
        shared.end_turn(gateway);
    }
}

struct Inline<'s> {
    shared: &'s Shared,
    gateway: &'s dyn Gateway,
}

impl Source for Inline<'_> {
    fn next(&self) -> Option<Transaction> {
        self.shared.catch_up(self.gateway);
        self.shared.next(0)
    }

    fn begun(&self) {}

    fn done(&self, transaction: Transaction) {
        self.shared.done(transaction);
    }
}

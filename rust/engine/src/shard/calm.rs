//! A shard that has calmed down gives back what its busy turns have made.
//!
//! Lists and arenas are kept from turn to turn, so that a steady load allocates nothing. After a
//! storm that would be memory of nobody's: it is let go when turns have been small for a while.

use super::Shard;
use crate::memory::cut;

/// Turns are judged over so many ticks (5 s).
const LOOK: u32 = 100;

/// Pieces of output in one turn from which on a shard counts as busy.
const BUSY: usize = 256;

/// Freed bytes for which the allocator is asked to give pages back to the kernel.
const WORTH: usize = 64 * 1024;

/// What is remembered from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Calm {
    look_from: u32,
    /// Bytes that were freed and not yet given back.
    freed: usize,
}

impl Shard {
    /// To be called between two turns.
    pub(super) fn calm_down(&mut self) {
        if self.tick < self.calm.look_from {
            return;
        }
        self.calm.look_from = self.tick.saturating_add(LOOK);
        if self.output.turn.take_busiest() >= BUSY {
            return;
        }
        let lists = [&mut self.readable, &mut self.dead, &mut self.due, &mut self.output.dirty];
        let lists: usize = lists.into_iter().map(cut).sum();
        self.crowd.cut();
        let (inbox, outlet) = (&self.shared.inbox, &self.shared.outlet);
        let freed = lists + self.output.turn.cut() + inbox.forget_spare() + outlet.forget_spare();
        self.calm.freed += freed;
        if self.calm.freed >= WORTH {
            self.calm.freed = 0;
            crate::sys::trim_memory();
        }
    }
}

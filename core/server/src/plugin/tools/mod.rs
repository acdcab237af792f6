//! What `tricorn plugin` does: looking at a file, putting it to the test, beginning a new one.

mod check;
mod inspect;
mod made_up;
mod scaffold;
mod stage;
mod trials;

pub use check::check;
pub use inspect::inspect;
pub use scaffold::create;

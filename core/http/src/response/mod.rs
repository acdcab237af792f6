//! Answers: from a status, fields and content to framed bytes.

mod body;
mod error_page;
mod head;
mod own;
mod plan;

pub use body::{BodyEncoder, ChunkSize};
pub use error_page::error_page;
pub use head::{InvalidResponse, ResponseHead};
pub use own::OwnFields;
pub use plan::{Asked, Reply};

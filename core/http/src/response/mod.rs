//! Answers: from a status, fields and content to framed bytes.

mod body;
mod error_page;
mod head;
mod plan;

pub use body::{BodyEncoder, ChunkSize};
pub use error_page::error_page;
pub use head::{InvalidResponse, ResponseHead};
pub use plan::{Asked, Reply};

//! What every answer says of the server itself: fixed when a worker begins to serve.

use std::sync::OnceLock;

use tricorn_http::response::OwnFields;

static OWN: OnceLock<OwnFields> = OnceLock::new();

/// The fields that the server itself puts into every answer.
pub fn own_fields() -> &'static OwnFields {
    // The name is one that can be sent; without one the field would only be missing.
    OWN.get_or_init(|| OwnFields::named(b"tricorn").unwrap_or_default())
}

/// Has this process's answers have others. Those that were named first, or sent already, stay.
pub fn set_own_fields(fields: OwnFields) {
    let _ = OWN.set(fields);
}

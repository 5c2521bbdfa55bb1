//! Exceptions on their way to JavaScript.

use longwire::web::DomException;
use napi::{Error, Status};

/// The error that the TypeScript turns into a `DOMException`: its message is that word,
/// the name and what it says, a line each.
pub(crate) fn exception(error: DomException) -> Error {
    Error::new(
        Status::InvalidArg,
        format!("DOMException\n{}\n{}", error.name(), error.message()),
    )
}

//! Exceptions on their way to JavaScript.

use longwire::web::DomException;
use napi::{Error, Status};

/// The error that the TypeScript turns into a `DOMException`: its message is the name, a
/// line feed, and what it says.
pub(crate) fn exception(error: DomException) -> Error {
    Error::new(
        Status::InvalidArg,
        format!("{}\n{}", error.name(), error.message()),
    )
}

//! WebSockets in axum: [`Upgrade`] is an extractor.
//!
//! ```
//! use axum::response::Response;
//! use axum::routing::any;
//! use longwire::Socket;
//! use longwire::axum::Upgrade;
//!
//! async fn chat(upgrade: Upgrade) -> Response<longwire::server::Body> {
//!     upgrade.on_socket(|mut socket: Socket| async move { socket.send("hello").await })
//! }
//! let app: axum::Router = axum::Router::new().route("/chat", any(chat));
//! ```

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

pub use crate::server::{Rejection, Upgrade};

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        Self::from_parts(parts)
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        Rejection::into_response(self).into_response()
    }
}

//! The demo page, embedded in the binary.

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Request, Response, StatusCode};
use longwire::http;
use longwire::server::{Body, RequestBody};

/// A file of the page.
#[derive(Clone, Copy)]
pub(super) struct Asset {
    content_type: &'static str,
    text: &'static str,
}

/// Nothing from elsewhere, but sockets to wherever one likes.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' data:; connect-src * ws: wss:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

macro_rules! asset {
    ($name:literal, $content_type:literal) => {
        Asset {
            content_type: $content_type,
            text: include_str!(concat!("../../assets/", $name)),
        }
    };
}

/// Where each file is.
pub(super) const ASSETS: [(&str, Asset); 1] =
    [("/", asset!("index.html", "text/html; charset=utf-8"))];

/// Answers a request for a file.
pub(super) fn serve(request: &Request<RequestBody>, asset: Asset) -> Response<Body> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = Response::new(Body::from("expected the method GET or HEAD\n"));
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response
            .headers_mut()
            .insert("allow", HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let mut response = Response::new(Body::from(asset.text));
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, asset.content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

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

const PAGE: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

macro_rules! asset {
    ($path:literal, $file:literal, $content_type:ident) => {
        (
            $path,
            Asset {
                content_type: $content_type,
                text: include_str!(concat!("../../assets/", $file)),
            },
        )
    };
}

/// Where each file is.
pub(super) const ASSETS: [(&str, Asset); 16] = [
    asset!("/", "index.html", PAGE),
    asset!("/assets/app.js", "app.js", SCRIPT),
    asset!("/assets/base.css", "base.css", STYLE),
    asset!("/assets/chat.js", "chat.js", SCRIPT),
    asset!("/assets/connect.js", "connect.js", SCRIPT),
    asset!("/assets/flood.js", "flood.js", SCRIPT),
    asset!("/assets/format.js", "format.js", SCRIPT),
    asset!("/assets/hello.js", "hello.js", SCRIPT),
    asset!("/assets/icon.svg", "icon.svg", IMAGE),
    asset!("/assets/latency.js", "latency.js", SCRIPT),
    asset!("/assets/layout.css", "layout.css", STYLE),
    asset!("/assets/log.js", "log.js", SCRIPT),
    asset!("/assets/panels.css", "panels.css", STYLE),
    asset!("/assets/payload.js", "payload.js", SCRIPT),
    asset!("/assets/plot.js", "plot.js", SCRIPT),
    asset!("/assets/wire.js", "wire.js", SCRIPT),
];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = match name.as_str() {
                "index.html" => "/".to_owned(),
                name => format!("/assets/{name}"),
            };
            assert!(ASSETS.iter().any(|(known, _)| *known == path), "{path}");
        }
    }
}

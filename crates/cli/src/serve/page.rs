//! The demo page, embedded in the binary.

use std::borrow::Cow;

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
pub(super) const ASSETS: [(&str, Asset); 18] = [
    asset!("/", "index.html", PAGE),
    asset!("/assets/app.js", "app.js", SCRIPT),
    asset!("/assets/base.css", "base.css", STYLE),
    asset!("/assets/chat.js", "chat.js", SCRIPT),
    asset!("/assets/connect.js", "connect.js", SCRIPT),
    asset!("/assets/connections.css", "connections.css", STYLE),
    asset!("/assets/connections.js", "connections.js", SCRIPT),
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

/// The panels that are for one socket each, where they expect it.
const PANELS: [(&str, &str); 4] = [
    ("latency", "/echo"),
    ("flood", "/echo"),
    ("chat", "/chat"),
    ("routes", super::demo::HELLO),
];

/// Where the page says which of its panels are for nothing here.
const MARK: &str = "<main id=\"main\">";

/// Which sockets there are, for the page in this folder.
pub(super) struct Sockets {
    pub(super) folder: String,
    pub(super) paths: Vec<String>,
}

/// The page without the panels whose sockets are not there, and with one that is.
fn with_panels(page: &'static str, sockets: &Sockets) -> Cow<'static, str> {
    let Sockets { folder, paths } = sockets;
    let has = |path: &str| {
        paths
            .iter()
            .any(|known| *known == format!("{folder}{path}"))
    };
    let without: Vec<_> = PANELS
        .iter()
        .filter(|(_, path)| !has(path))
        .map(|(panel, _)| *panel)
        .collect();
    if without.is_empty() {
        return page.into();
    }
    let first = paths.iter().find(|path| !path.ends_with('*'));
    let first = first.map(|path| format!(" data-socket=\"{}\"", attribute(path)));
    let marked = format!(
        "<main id=\"main\" data-without=\"{}\"{}>",
        without.join(" "),
        first.unwrap_or_default()
    );
    page.replacen(MARK, &marked, 1).into()
}

/// Text as the value of an attribute has it.
fn attribute(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}

/// Answers a request for a file. Panels of sockets that are not there are left out.
pub(super) fn serve(
    request: &Request<RequestBody>,
    asset: Asset,
    sockets: &Sockets,
) -> Response<Body> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = Response::new(Body::from("expected the method GET or HEAD\n"));
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response
            .headers_mut()
            .insert("allow", HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let text = match asset.content_type {
        PAGE => with_panels(asset.text, sockets),
        _ => asset.text.into(),
    };
    let mut response = Response::new(match text {
        Cow::Borrowed(text) => Body::from(text),
        Cow::Owned(text) => Body::from(text),
    });
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
    fn panels_of_sockets_that_are_not_there_are_left_out() {
        let page = include_str!("../../assets/index.html");
        let sockets = |folder: &str, paths: &[&str]| Sockets {
            folder: folder.to_owned(),
            paths: paths.iter().map(ToString::to_string).collect(),
        };
        let all = PANELS.map(|(_, path)| path);
        assert_eq!(with_panels(page, &sockets("", &all)), page);
        let some = with_panels(page, &sockets("", &["/echo"]));
        assert!(
            some.contains("<main id=\"main\" data-without=\"chat routes\" data-socket=\"/echo\">")
        );
        let elsewhere = with_panels(page, &sockets("/status", &["/a\"b", "/echo"]));
        let all = "latency flood chat routes";
        let expected = format!("data-without=\"{all}\" data-socket=\"/a&quot;b\">");
        assert!(elsewhere.contains(&expected));
    }

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

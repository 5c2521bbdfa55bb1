//! What a page would bring along, from JavaScript.

use std::time::Duration;

use longwire::tls::TlsError;
use longwire::web::{self, Settings};
use longwire::{ClientTls, Compression, CookieJar, Heartbeat, Proxy};
use napi::Error;
use napi_derive::napi;

/// Options that browsers do not have, and what a document would say.
#[napi(object)]
#[derive(Default)]
pub struct NativeOptions {
    /// What relative URLs are relative to.
    pub base_url: Option<String>,
    /// The origin that servers are told.
    pub origin: Option<String>,
    /// Headers of the request, in order.
    pub headers: Option<Vec<Vec<String>>>,
    /// Certificates in PEM that are trusted beside the system's.
    pub ca: Option<String>,
    /// Whether any certificate is taken.
    pub insecure: Option<bool>,
    /// The URL of a proxy; empty for none whatever the environment says.
    pub proxy: Option<String>,
    /// Whether messages may be compressed.
    pub per_message_deflate: Option<bool>,
    /// A certificate of the client's own in PEM, and its key.
    pub cert: Option<String>,
    /// The key.
    pub key: Option<String>,
    /// The name that the server's certificate is to have.
    pub server_name: Option<String>,
    /// Milliseconds that each step up to the open connection may take.
    pub handshake_timeout: Option<u32>,
    /// Milliseconds that the closing handshake may take.
    pub close_timeout: Option<u32>,
    /// Largest message received, in bytes.
    pub max_payload: Option<f64>,
    /// Milliseconds from one ping to the next; 0 for none.
    pub heartbeat_interval: Option<u32>,
    /// Milliseconds to answer one.
    pub heartbeat_timeout: Option<u32>,
}

/// Cookies that servers have set and get back.
#[napi]
#[derive(Default)]
pub struct NativeCookieJar {
    pub(crate) jar: CookieJar,
}

#[napi]
impl NativeCookieJar {
    /// An empty jar.
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts in a cookie as if the server at this URL had set it.
    #[napi]
    pub fn set(&self, url: String, cookie: String) -> napi::Result<()> {
        self.jar.set(&url, &cookie).map_err(reason)
    }

    /// The `Cookie` header that the server at this URL would get.
    #[napi]
    pub fn header(&self, url: String) -> napi::Result<Option<String>> {
        self.jar.header(&url).map_err(reason)
    }
}

fn reason(error: impl std::fmt::Display) -> Error {
    Error::from_reason(error.to_string())
}

pub(crate) fn milliseconds(time: u32) -> Duration {
    Duration::from_millis(time.into())
}

/// A number of bytes as JavaScript has it. What is none is 0.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(crate) fn whole(value: f64) -> usize {
    value as usize
}

/// The heartbeat of these milliseconds, or the default's; none where the interval is 0.
pub(crate) fn heartbeat(interval: Option<u32>, timeout: Option<u32>) -> Option<Heartbeat> {
    let mut heartbeat = Heartbeat::default();
    if let Some(interval) = interval {
        heartbeat.interval = milliseconds(interval);
    }
    if let Some(timeout) = timeout {
        heartbeat.timeout = milliseconds(timeout);
    }
    (!heartbeat.interval.is_zero()).then_some(heartbeat)
}

impl NativeOptions {
    fn tls(&self) -> Result<ClientTls, TlsError> {
        let mut tls = ClientTls::new();
        if let Some(ca) = &self.ca {
            tls = tls.ca_pem(ca.as_bytes())?;
        }
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            tls = tls.client_certificate_pem(cert.as_bytes(), key.as_bytes())?;
        }
        if let Some(name) = &self.server_name {
            tls = tls.server_name(name)?;
        }
        Ok(tls.danger_accept_invalid_certs(self.insecure == Some(true)))
    }

    pub(crate) fn settings(self, jar: Option<&NativeCookieJar>) -> napi::Result<Settings> {
        let mut client = web::browser_client();
        for header in self.headers.iter().flatten() {
            if let [name, value] = header.as_slice() {
                client = client.header(name, value);
            }
        }
        client = client.tls(self.tls().map_err(reason)?);
        if let Some(timeout) = self.handshake_timeout.map(milliseconds) {
            client = client
                .resolve_timeout(timeout)
                .connect_timeout(timeout)
                .proxy_timeout(timeout)
                .tls_timeout(timeout)
                .handshake_timeout(timeout);
        }
        if let Some(timeout) = self.close_timeout {
            client = client.close_timeout(milliseconds(timeout));
        }
        if let Some(max) = self.max_payload.map(whole) {
            client = client.limits(web::browser_limits().message_size(max).frame_size(max));
        }
        client = client.heartbeat(heartbeat(self.heartbeat_interval, self.heartbeat_timeout));
        client = match self.proxy.as_deref() {
            None => client,
            Some("") => client.no_proxy(),
            Some(url) => client.proxy(Proxy::parse(url).map_err(reason)?),
        };
        if self.per_message_deflate == Some(false) {
            client = client.compression(Compression::Off);
        }
        if let Some(jar) = jar {
            client = client.cookie_jar(jar.jar.clone());
        }
        let mut settings = Settings::new().client(client);
        if let Some(base) = &self.base_url {
            settings = settings
                .base_url(base)
                .map_err(crate::exception::exception)?;
        }
        if let Some(origin) = self.origin {
            settings = settings.origin(origin);
        }
        Ok(settings)
    }
}

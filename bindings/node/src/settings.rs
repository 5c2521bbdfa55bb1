//! What a page would bring along, from JavaScript.

use longwire::error::UsageError;
use longwire::web::Settings;
use longwire::{ClientBuilder, ClientTls, Compression, CookieJar, Proxy};
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
        self.jar.set(&url, &cookie).map_err(usage)
    }

    /// The `Cookie` header that the server at this URL would get.
    #[napi]
    pub fn header(&self, url: String) -> napi::Result<Option<String>> {
        self.jar.header(&url).map_err(usage)
    }
}

fn usage(error: UsageError) -> Error {
    Error::from_reason(error.to_string())
}

impl NativeOptions {
    pub(crate) fn settings(self, jar: Option<&NativeCookieJar>) -> napi::Result<Settings> {
        let mut client = ClientBuilder::new();
        for header in self.headers.unwrap_or_default() {
            if let [name, value] = header.as_slice() {
                client = client.header(name, value);
            }
        }
        if self.ca.is_some() || self.insecure == Some(true) {
            let mut tls = ClientTls::new();
            if let Some(ca) = &self.ca {
                let trusted = tls.ca_pem(ca.as_bytes());
                tls = trusted.map_err(|error| Error::from_reason(error.to_string()))?;
            }
            client = client.tls(tls.danger_accept_invalid_certs(self.insecure == Some(true)));
        }
        client = match self.proxy.as_deref() {
            None => client,
            Some("") => client.no_proxy(),
            Some(url) => client.proxy(Proxy::parse(url).map_err(usage)?),
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

//! From the options of the way to a server to a client that goes it.

use longwire::{ClientBuilder, ClientTls, Compression, Error, Proxy};

use crate::args::way::{CompressionArg, WayArgs};

/// Redirects followed with `--location`.
const REDIRECTS: usize = 10;

impl WayArgs {
    /// A client that goes this way.
    pub(crate) fn client(&self) -> Result<ClientBuilder, Error> {
        let mut client = ClientBuilder::new()
            .tls(self.tls()?)
            .http2(!self.http1)
            .redirects(if self.location { REDIRECTS } else { 0 })
            .resolve_timeout(self.timeout)
            .connect_timeout(self.timeout)
            .proxy_timeout(self.timeout)
            .tls_timeout(self.timeout)
            .handshake_timeout(self.timeout)
            .compression(self.compression().into());
        for name in &self.subprotocol {
            client = client.subprotocol(name);
        }
        for (name, value) in &self.header {
            client = client.header(name, value);
        }
        if !self.cookie.is_empty() {
            client = client.header("Cookie", self.cookie.join("; "));
        }
        if let Some(origin) = &self.origin {
            client = client.origin(origin);
        }
        if let Some(user) = &self.user {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            client = client.basic_auth(name, password)?;
        }
        if let Some(token) = &self.bearer {
            client = client.bearer_token(token)?;
        }
        if let Some(proxy) = &self.proxy {
            client = client.proxy(Proxy::parse(proxy)?);
        }
        if self.no_proxy {
            client = client.no_proxy();
        }
        if let Some(path) = &self.unix_socket {
            client = client.unix_socket(path);
        }
        Ok(client)
    }

    fn tls(&self) -> Result<ClientTls, Error> {
        let mut tls = ClientTls::new().danger_accept_invalid_certs(self.insecure);
        if let Some(path) = &self.ca_file {
            tls = tls.ca_file(path)?;
        }
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            tls = tls.client_certificate_files(cert, key)?;
        }
        Ok(tls)
    }
}

impl From<CompressionArg> for Compression {
    fn from(argument: CompressionArg) -> Self {
        match argument {
            CompressionArg::Off => Self::Off,
            CompressionArg::Shared => Self::Shared,
            CompressionArg::Dedicated => Self::DEDICATED,
        }
    }
}

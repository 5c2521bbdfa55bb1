//! Options of the way to a server: TLS, proxies, credentials.

use std::path::PathBuf;

use longwire::{ClientBuilder, ClientTls, Compression, Error, Proxy};

/// How to get to the server.
#[derive(clap::Args)]
// Each is a switch of the command line.
#[allow(clippy::struct_excessive_bools)]
pub(super) struct WayArgs {
    /// Send a user name and a password
    #[arg(short, long, value_name = "NAME:PASSWORD", conflicts_with = "bearer")]
    user: Option<String>,
    /// Send a bearer token
    #[arg(long, value_name = "TOKEN")]
    bearer: Option<String>,
    /// Follow redirects, up to 10
    #[arg(short = 'L', long)]
    location: bool,
    /// Go through this proxy, such as <http://host:3128> or <socks5://host:1080>
    #[arg(short = 'x', long, value_name = "URL", conflicts_with = "no_proxy")]
    proxy: Option<String>,
    /// Go through no proxy, whatever `HTTPS_PROXY` and `ALL_PROXY` say
    #[arg(long)]
    no_proxy: bool,
    /// Connect to this Unix socket
    #[arg(long, value_name = "PATH")]
    unix_socket: Option<PathBuf>,
    /// Trust the CA in this PEM file too
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Show the server the certificate in this PEM file
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of the certificate
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Take any certificate of the server's
    #[arg(short = 'k', long)]
    insecure: bool,
    /// Do not offer HTTP/2
    #[arg(long = "http1.1")]
    http1: bool,
    /// Do not offer compression
    #[arg(long)]
    no_compression: bool,
}

/// Redirects followed with `--location`.
const REDIRECTS: usize = 10;

impl WayArgs {
    /// A client that goes this way.
    pub(super) fn client(&self) -> Result<ClientBuilder, Error> {
        let mut client = ClientBuilder::new()
            .tls(self.tls()?)
            .http2(!self.http1)
            .redirects(if self.location { REDIRECTS } else { 0 });
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
        if self.no_compression {
            client = client.compression(Compression::Off);
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

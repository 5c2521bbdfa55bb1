//! The two ends of a proxy: where clients come in, and what is behind it.

use std::io;
#[cfg(unix)]
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use longwire::{ClientBuilder, Transport};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;
use url::{Position, Url};

use crate::args::way::WayArgs;
use crate::exit;

/// A byte stream of any kind.
pub(super) type Stream = Box<dyn Transport>;

/// What is behind the proxy.
#[derive(Clone, Debug)]
pub(super) enum Upstream {
    /// A WebSocket server.
    WebSocket {
        /// Its URL, `ws` or `wss`.
        url: Url,
        client: Box<ClientBuilder>,
    },
    /// A service that speaks no WebSocket, at `host:port`.
    Tcp(String),
    /// The same on a Unix socket.
    Unix(PathBuf),
}

impl Upstream {
    /// What the argument names.
    pub(super) fn parse(text: &str, way: &WayArgs) -> Result<Self, String> {
        let expected = || {
            format!(
                "expected ws://, wss://, http://, https://, tcp://HOST:PORT or unix:PATH, got {text:?}"
            )
        };
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(expected());
            }
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        if let Some(address) = text.strip_prefix("tcp:") {
            let address = address.trim_start_matches("//").trim_end_matches('/');
            let port = address.rsplit_once(':').map(|(_, port)| port.parse());
            let Some(Ok::<u16, _>(_)) = port else {
                return Err(expected());
            };
            return Ok(Self::Tcp(address.to_owned()));
        }
        let mut url = Url::parse(text).map_err(|_| expected())?;
        let scheme = match url.scheme() {
            "ws" | "http" => "ws",
            "wss" | "https" => "wss",
            _ => return Err(expected()),
        };
        if url.set_scheme(scheme).is_err() || !url.has_host() {
            return Err(expected());
        }
        url.set_fragment(None);
        if way.location {
            return Err(
                "--location has no use here: redirects are the client's to follow".to_owned(),
            );
        }
        let client = way.client().map_err(|error| exit::explain(&error))?;
        Ok(Self::WebSocket {
            url,
            client: Box::new(client),
        })
    }

    /// Whether it speaks WebSocket itself.
    pub(super) fn is_websocket(&self) -> bool {
        matches!(self, Self::WebSocket { .. })
    }

    /// The URL of what a request asks for.
    pub(super) fn url_of(&self, target: &str) -> String {
        match self {
            Self::WebSocket { url, .. } => {
                let host = &url[Position::BeforeHost..Position::AfterPort];
                format!("{}://{host}{target}", url.scheme())
            }
            Self::Tcp(_) | Self::Unix(_) => self.name(),
        }
    }

    /// Its name, without credentials.
    pub(super) fn name(&self) -> String {
        match self {
            Self::WebSocket { url, .. } => {
                let mut url = url.clone();
                let _ = (url.set_username(""), url.set_password(None));
                super::redact::target(url.as_str())
            }
            Self::Tcp(address) => format!("tcp://{address}"),
            Self::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    /// A new stream to it, where it takes no longer than this.
    pub(super) async fn open(&self, within: Duration) -> Result<Stream, String> {
        let connecting = self.connect();
        match self {
            // The client has a time for each of its steps.
            Self::WebSocket { .. } => connecting.await,
            Self::Tcp(_) | Self::Unix(_) => match timeout(within, connecting).await {
                Ok(result) => result,
                Err(_) => Err(format!(
                    "could not connect to {} in {} s (--timeout)",
                    self.name(),
                    within.as_secs_f64()
                )),
            },
        }
    }

    async fn connect(&self) -> Result<Stream, String> {
        match self {
            Self::WebSocket { url, client } => client
                .dial(url)
                .await
                .map_err(|error| exit::explain(&error)),
            Self::Tcp(address) => match TcpStream::connect(address).await {
                Ok(stream) => {
                    let _ = stream.set_nodelay(true);
                    Ok(Box::new(stream))
                }
                Err(error) => Err(format!("could not connect to {address}: {error}")),
            },
            Self::Unix(path) => {
                #[cfg(unix)]
                let result = UnixStream::connect(path).await;
                #[cfg(not(unix))]
                let result = Err::<TcpStream, _>(io::Error::from(io::ErrorKind::Unsupported));
                match result {
                    Ok(stream) => Ok(Box::new(stream)),
                    Err(error) => Err(format!("could not connect to {}: {error}", path.display())),
                }
            }
        }
    }
}

/// Where clients come in.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        listener: UnixListener,
        path: PathBuf,
        /// The socket's device and inode.
        file: Option<(u64, u64)>,
    },
}

/// Whether it is the socket of an earlier run, which answers nobody. Any other
/// file is somebody's.
#[cfg(unix)]
async fn is_left_behind(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    let is_socket =
        std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    let connected = UnixStream::connect(path).await;
    is_socket && connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

impl Listener {
    /// Listens on `HOST:PORT` or `unix:PATH`.
    pub(super) async fn bind(address: &str) -> io::Result<Self> {
        #[cfg(unix)]
        if let Some(path) = address.strip_prefix("unix:") {
            let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
            let listener = match UnixListener::bind(&path) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    if !is_left_behind(&path).await {
                        return Err(error);
                    }
                    std::fs::remove_file(&path)?;
                    UnixListener::bind(&path)?
                }
                result => result?,
            };
            let file = identity(&path);
            return Ok(Self::Unix {
                listener,
                path,
                file,
            });
        }
        TcpListener::bind(address).await.map(Self::Tcp)
    }

    /// The address as clients write it, with this scheme where it is one of TCP.
    pub(super) fn name(&self, scheme: &str) -> String {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => format!("{scheme}://{address}"),
                Err(_) => scheme.to_owned(),
            },
            #[cfg(unix)]
            Self::Unix { path, .. } => format!("unix:{}", path.display()),
        }
    }

    /// The next client, and its address.
    pub(super) async fn accept(&self) -> io::Result<(Stream, String)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                let _ = stream.set_nodelay(true);
                Ok((Box::new(stream), peer.to_string()))
            }
            #[cfg(unix)]
            Self::Unix { listener, path, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), format!("unix:{}", path.display())))
            }
        }
    }
}

#[cfg(unix)]
impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix { path, file, .. } = self
            && file.is_some()
            && identity(path) == *file
        {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Result<String, String> {
        Upstream::parse(text, &WayArgs::default()).map(|upstream| upstream.name())
    }

    #[test]
    fn what_is_behind_is_named_by_a_url_or_a_path() {
        for (text, expected) in [
            ("ws://127.0.0.1:8000", "ws://127.0.0.1:8000/"),
            (
                "https://ann:pw@example.com/chat#top",
                "wss://example.com/chat",
            ),
            ("tcp://127.0.0.1:6379", "tcp://127.0.0.1:6379"),
            ("tcp:[::1]:80", "tcp://[::1]:80"),
            ("unix:/run/x.sock", "unix:/run/x.sock"),
        ] {
            assert_eq!(name(text).unwrap(), expected);
        }
        for bad in [
            "",
            "localhost:8000",
            "ftp://x",
            "tcp://x",
            "tcp://x:y",
            "ws:",
            "unix:",
            "unix://",
        ] {
            assert!(name(bad).unwrap_err().contains("expected ws://"), "{bad}");
        }
    }
}

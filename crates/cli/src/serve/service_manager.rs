//! What systemd and its like hand over and want to know: a socket that is open already
//! (`LISTEN_FDS`), and how things go (`NOTIFY_SOCKET`).

use std::net::TcpListener;

/// The socket that the service manager has opened, if it has.
#[cfg(unix)]
pub(super) fn listener() -> Result<Option<TcpListener>, String> {
    let mut handed = listenfd::ListenFd::from_env();
    if handed.len() > 1 {
        return Err(format!(
            "expected one socket of the service manager, got {}: give each server its own",
            handed.len()
        ));
    }
    let told =
        |error| format!("expected a TCP socket of the service manager, got another: {error}");
    if handed.len() == 0 {
        return Ok(None);
    }
    handed.take_tcp_listener(0).map_err(told)
}

/// Tells the service manager, where it wants to know.
#[cfg(unix)]
pub(super) fn notify(state: &str) {
    use std::os::unix::net::UnixDatagram;
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let sent = UnixDatagram::unbound().and_then(|socket| {
        match path.to_str().and_then(|path| path.strip_prefix('@')) {
            Some(name) => send_to_abstract(&socket, name, state),
            None => socket.send_to(state.as_bytes(), &path),
        }
    });
    if let Err(error) = sent {
        tracing::warn!(%error, "could not tell the service manager");
    }
}

#[cfg(target_os = "linux")]
fn send_to_abstract(
    socket: &std::os::unix::net::UnixDatagram,
    name: &str,
    state: &str,
) -> std::io::Result<usize> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::SocketAddr;
    socket.send_to_addr(state.as_bytes(), &SocketAddr::from_abstract_name(name)?)
}

/// Only Linux has such names.
#[cfg(all(unix, not(target_os = "linux")))]
fn send_to_abstract(
    _: &std::os::unix::net::UnixDatagram,
    _: &str,
    _: &str,
) -> std::io::Result<usize> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// There is none.
#[cfg(not(unix))]
pub(super) fn listener() -> Result<Option<TcpListener>, String> {
    Ok(None)
}

/// There is none.
#[cfg(not(unix))]
pub(super) fn notify(_: &str) {}

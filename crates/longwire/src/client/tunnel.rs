//! Through a proxy: CONNECT and SOCKS5.

use std::net::SocketAddr;

use http::header::{HOST, HeaderName};
use http::{HeaderValue, Method, Request, Uri};
use longwire_proto::Limits;
use tokio_socks::tcp::Socks5Stream;
use tokio_socks::{IntoTargetAddr as _, TargetAddr};

use super::handshake::exchange;
use super::proxy::{Kind, Proxy};
use super::target::Target;
use crate::error::{Error, HttpError, ProxyError, Result};
use crate::transport::Io;

/// Has the proxy at the other end of `io` connect to the target, at this address
/// where it has been looked up.
pub(super) async fn tunnel(
    io: Io,
    proxy: &Proxy,
    target: &Target,
    address: Option<SocketAddr>,
    limits: &Limits,
) -> Result<Io> {
    match proxy.kind {
        Kind::Http { .. } => connect(io, proxy, target, limits).await,
        Kind::Socks5 { .. } => socks5(io, proxy, target, address).await,
    }
}

async fn connect(io: Io, proxy: &Proxy, target: &Target, limits: &Limits) -> Result<Io> {
    let authority = target.to_string();
    let mut request = Request::new(());
    *request.method_mut() = Method::CONNECT;
    if let Ok(uri) = authority.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    if let Ok(host) = HeaderValue::from_str(&authority) {
        request.headers_mut().insert(HOST, host);
    }
    if let Some(authorization) = proxy.authorization() {
        let name = HeaderName::from_static("proxy-authorization");
        request.headers_mut().insert(name, authorization);
    }
    let http = |source: hyper::Error| {
        Error::Proxy(ProxyError::Http {
            proxy: proxy.to_string(),
            source: HttpError(source),
        })
    };
    let judge = |response: http::Response<hyper::body::Incoming>| async {
        if !response.status().is_success() {
            return Err(Error::Proxy(ProxyError::Refused {
                proxy: proxy.to_string(),
                host: authority.clone(),
                status: response.status(),
            }));
        }
        hyper::upgrade::on(response)
            .await
            .map(|io| (io, ()))
            .map_err(http)
    };
    let (io, unhandled, ()) = exchange(io, request, limits, http, judge).await?;
    // Neither TLS nor HTTP lets a server speak first.
    if unhandled.is_empty() {
        Ok(io)
    } else {
        Err(Error::Proxy(ProxyError::Unexpected {
            proxy: proxy.to_string(),
            count: unhandled.len(),
        }))
    }
}

async fn socks5(io: Io, proxy: &Proxy, target: &Target, address: Option<SocketAddr>) -> Result<Io> {
    let failed = |source| {
        Error::Proxy(ProxyError::Socks {
            proxy: proxy.to_string(),
            host: target.to_string(),
            source,
        })
    };
    let host: TargetAddr<'_> = match address {
        Some(address) => TargetAddr::Ip(address),
        None => (target.host.as_str(), target.port)
            .into_target_addr()
            .map_err(failed)?,
    };
    let stream = match &proxy.credentials {
        None => Socks5Stream::connect_with_socket(io, host).await,
        Some((user, password)) => {
            Socks5Stream::connect_with_password_and_socket(io, host, user, password).await
        }
    };
    Ok(stream.map_err(failed)?.into_inner())
}

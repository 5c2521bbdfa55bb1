//! The opening handshake over a transport, its HTTP spoken by hyper.

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use longwire_proto::Limits;
use longwire_proto::handshake::client::{Agreed, Handshake};

use crate::error::{Error, HttpError, Refusal, Result};
use crate::transport::{Io, Transport};

/// hyper's own least buffer.
const LEAST_BUFFER: usize = 8 << 10;

/// hyper makes room for all fields at once.
const MOST_FIELDS: usize = 1 << 16;

/// An agreed handshake.
pub(super) struct Shaken {
    pub(super) io: Io,
    /// What the server sent right behind its response.
    pub(super) unhandled: Vec<u8>,
    pub(super) agreed: Agreed,
    pub(super) headers: HeaderMap,
}

//= rfc6455#4.1-9, rfc6455#4.1-24
/// Sends the request and judges the response. `into_io` gives back the
/// transport as it is best used without HTTP.
pub(super) async fn shake_hands<T: Transport>(
    transport: T,
    into_io: fn(T) -> Io,
    handshake: &Handshake,
    request: Request<()>,
    limits: &Limits,
) -> Result<Shaken> {
    let mut builder = http1::Builder::new();
    builder
        .max_buf_size(limits.header_bytes.max(LEAST_BUFFER))
        .max_headers(limits.header_fields.min(MOST_FIELDS));
    let (mut sender, connection) = builder
        .handshake::<_, Empty<Bytes>>(TokioIo::new(transport))
        .await
        .map_err(http)?;
    let mut connection = std::pin::pin!(connection.with_upgrades());
    let exchange = async {
        let response = sender
            .send_request(request.map(|()| Empty::new()))
            .await
            .map_err(http)?;
        judge(response, handshake, limits).await
    };
    let exchange = std::pin::pin!(exchange);
    // Both in this task: the connection moves the bytes of the exchange.
    let (upgraded, agreed, headers) = match select(exchange, connection.as_mut()).await {
        Either::Left((done, _)) => done?,
        // The connection is done once it is upgraded, or has failed: the
        // exchange knows which.
        Either::Right((_, exchange)) => exchange.await?,
    };
    let parts = upgraded
        .downcast::<TokioIo<T>>()
        .map_err(|_| std::io::Error::other("the upgraded transport is not the one given"))?;
    Ok(Shaken {
        io: into_io(parts.io.into_inner()),
        unhandled: parts.read_buf.to_vec(),
        agreed,
        headers,
    })
}

async fn judge(
    response: Response<Incoming>,
    handshake: &Handshake,
    limits: &Limits,
) -> Result<(Upgraded, Agreed, HeaderMap)> {
    use longwire_proto::handshake::client::ResponseError;
    match handshake.verify(&response) {
        Ok(agreed) => {
            let headers = response.headers().clone();
            let upgraded = hyper::upgrade::on(response).await.map_err(http)?;
            Ok((upgraded, agreed, headers))
        }
        Err(ResponseError::Status(_)) => Err(refusal(response, limits).await),
        Err(error) => Err(error.into()),
    }
}

//= rfc6455#4.1-25, rfc6455#4.1-26
async fn refusal(response: Response<Incoming>, limits: &Limits) -> Error {
    let (parts, mut body) = response.into_parts();
    let mut kept = Vec::new();
    // A body that breaks off is kept as far as it came.
    while kept.len() < limits.refusal_body
        && let Some(Ok(frame)) = body.frame().await
    {
        if let Some(data) = frame.data_ref() {
            let room = limits.refusal_body - kept.len();
            kept.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    Error::Refused(Box::new(Refusal {
        status: parts.status,
        headers: parts.headers,
        body: kept,
    }))
}

fn http(error: hyper::Error) -> Error {
    Error::Http(HttpError(error))
}

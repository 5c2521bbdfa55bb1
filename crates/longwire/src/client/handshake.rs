//! The opening handshake over HTTP/1.1, which hyper speaks.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use longwire_proto::Limits;
use longwire_proto::handshake::client::{Agreed, Handshake, ResponseError};
use tokio::time::timeout;

use super::observer::Observed;
use crate::error::{Error, HttpError, Refusal, Result};
use crate::transport::Io;

/// hyper's own least buffer.
const LEAST_BUFFER: usize = 8 << 10;

/// hyper makes room for all fields at once.
const MOST_FIELDS: usize = 1 << 16;

/// How long the body of a refusal may take.
pub(super) const BODY_WITHIN: Duration = Duration::from_secs(2);

/// An agreed handshake.
pub(super) struct Shaken {
    pub(super) io: Io,
    /// What the server sent right behind its response.
    pub(super) unhandled: Vec<u8>,
    pub(super) agreed: Agreed,
    pub(super) headers: HeaderMap,
}

//= rfc6455#4.1-9, rfc6455#4.1-24
/// Sends the request and judges the response.
pub(super) async fn shake_hands(
    io: Io,
    handshake: &Handshake,
    request: Request<()>,
    limits: &Limits,
    observed: &Observed,
) -> Result<Shaken> {
    if let Some(observer) = observed.get() {
        observer.request(&request);
    }
    let judge = |response: Response<Incoming>| {
        if let Some(observer) = observed.get() {
            observer.response(response.version(), response.status(), response.headers());
        }
        judge(response, handshake, limits)
    };
    let (io, unhandled, (agreed, headers)) = exchange(io, request, limits, http, judge).await?;
    Ok(Shaken {
        io,
        unhandled,
        agreed,
        headers,
    })
}

/// Sends a request that asks for another protocol; gives back the transport and
/// what came behind the response, once `judge` has found it good.
pub(super) async fn exchange<R, F>(
    io: Io,
    request: Request<()>,
    limits: &Limits,
    failed: impl Fn(hyper::Error) -> Error,
    judge: impl FnOnce(Response<Incoming>) -> F,
) -> Result<(Io, Vec<u8>, R)>
where
    F: Future<Output = Result<(Upgraded, R)>>,
{
    let mut builder = http1::Builder::new();
    builder
        .max_buf_size(limits.header_bytes.max(LEAST_BUFFER))
        .max_headers(limits.header_fields.min(MOST_FIELDS));
    let (mut sender, connection) = builder
        .handshake::<_, Empty<Bytes>>(TokioIo::new(io))
        .await
        .map_err(&failed)?;
    let mut connection = std::pin::pin!(connection.with_upgrades());
    let exchange = async {
        let response = sender
            .send_request(request.map(|()| Empty::new()))
            .await
            .map_err(&failed)?;
        judge(response).await
    };
    let exchange = std::pin::pin!(exchange);
    // Both in this task: the connection moves the bytes of the exchange.
    let (upgraded, result) = match select(exchange, connection.as_mut()).await {
        Either::Left((done, _)) => done?,
        // The connection is done once it is upgraded, or has failed: the
        // exchange knows which.
        Either::Right((_, exchange)) => exchange.await?,
    };
    let parts = upgraded
        .downcast::<TokioIo<Io>>()
        .map_err(|_| std::io::Error::other("the upgraded transport is not the one given"))?;
    Ok((parts.io.into_inner(), parts.read_buf.to_vec(), result))
}

async fn judge(
    response: Response<Incoming>,
    handshake: &Handshake,
    limits: &Limits,
) -> Result<(Upgraded, (Agreed, HeaderMap))> {
    match handshake.verify(&response) {
        Ok(agreed) => {
            let headers = response.headers().clone();
            let upgraded = hyper::upgrade::on(response).await.map_err(http)?;
            Ok((upgraded, (agreed, headers)))
        }
        Err(ResponseError::Status(_)) => Err(refusal(response, limits).await),
        Err(error) => Err(error.into()),
    }
}

//= rfc6455#4.1-25, rfc6455#4.1-26
/// The answer of a server that refuses, with its body as far as it comes.
pub(super) async fn refusal<B>(response: Response<B>, limits: &Limits) -> Error
where
    B: Body<Data = Bytes> + Unpin,
{
    let (parts, mut body) = response.into_parts();
    let mut kept = Vec::new();
    // A body that breaks off, or takes its time, is kept as far as it came: the
    // status is what counts.
    let reading = async {
        while kept.len() < limits.refusal_body
            && let Some(Ok(frame)) = body.frame().await
        {
            if let Some(data) = frame.data_ref() {
                let room = limits.refusal_body - kept.len();
                kept.extend_from_slice(&data[..data.len().min(room)]);
            }
        }
    };
    let _ = timeout(BODY_WITHIN, reading).await;
    Error::Refused(Box::new(Refusal {
        status: parts.status,
        headers: parts.headers,
        body: kept,
    }))
}

fn http(error: hyper::Error) -> Error {
    Error::Http(HttpError(error))
}

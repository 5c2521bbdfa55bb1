//! A WebSocket on a bare hyper server: one function turns the request into a
//! response, and the socket is the handler's.

use std::convert::Infallible;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use longwire::server::{Body, Upgrade};
use longwire::{Result, Socket};
use tokio::net::TcpListener;

async fn answer(mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    if request.uri().path() == "/" {
        return Ok(Response::new("a page beside it".into()));
    }
    Ok(match Upgrade::from_request(&mut request) {
        Ok(upgrade) => upgrade.on_socket(echo),
        Err(rejection) => rejection.into_response(),
    })
}

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.next().await {
        socket.send(message?).await?;
    }
    Ok(())
}

/// Serves connections for ever.
pub(crate) async fn serve(listener: TcpListener) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .with_upgrades();
            if let Err(error) = connection.await {
                eprintln!("{error}");
            }
        });
    }
}

#[tokio::main]
#[allow(dead_code)]
async fn main() -> std::io::Result<()> {
    println!("ws://127.0.0.1:8000/chat");
    serve(TcpListener::bind("127.0.0.1:8000").await?).await
}

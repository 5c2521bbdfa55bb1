//! A WebSocket as a `tower` service, behind a layer and on a server that speaks
//! HTTP/1.1 and HTTP/2.

use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use longwire::server::{Route, UpgradeService};
use longwire::{Result, Socket};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.next().await {
        socket.send(message?).await?;
    }
    Ok(())
}

/// Serves connections for ever.
pub(crate) async fn serve(listener: TcpListener) -> Result<()> {
    let chat = UpgradeService::new(Route::new(echo).subprotocols(["chat"]))?;
    let service = ServiceBuilder::new()
        .concurrency_limit(1000)
        .service(chat.idle_timeout(Duration::from_mins(5)));
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let mut server = auto::Builder::new(TokioExecutor::new());
            server.http2().enable_connect_protocol();
            let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                eprintln!("{error}");
            }
        });
    }
}

#[tokio::main]
#[allow(dead_code)]
async fn main() -> Result<()> {
    println!("ws://127.0.0.1:8000/");
    serve(TcpListener::bind("127.0.0.1:8000").await?).await
}

//! A WebSocket in an axum application: the upgrade is an extractor.

use axum::Router;
use axum::response::Response;
use axum::routing::any;
use longwire::axum::Upgrade;
use longwire::server::Body;
use longwire::{Result, Socket};
use tokio::net::TcpListener;

async fn chat(upgrade: Upgrade) -> Response<Body> {
    upgrade.subprotocols(["chat"]).on_socket(echo)
}

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.next().await {
        socket.send(message?).await?;
    }
    Ok(())
}

/// Serves the application for ever.
pub(crate) async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let app = Router::new()
        .route("/", any(|| async { "a page beside it" }))
        .route("/chat", any(chat));
    axum::serve(listener, app).await
}

#[tokio::main]
#[allow(dead_code)]
async fn main() -> std::io::Result<()> {
    println!("ws://127.0.0.1:8000/chat");
    serve(TcpListener::bind("127.0.0.1:8000").await?).await
}

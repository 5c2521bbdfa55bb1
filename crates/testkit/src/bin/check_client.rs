//! The library's client under test: goes through the cases of a `longwire check
//! client`, whose address is the first argument.

use longwire::{ClientBuilder, Compression, Result};
use serde::Deserialize;

/// What the control channel tells.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Next {
    done: bool,
    url: String,
    subprotocols: Vec<String>,
    compression: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let address = std::env::args().nth(1).unwrap_or_default();
    let control = format!("ws://{address}/next?client=longwire");
    loop {
        let mut asking = longwire::connect(&control).await?;
        let told = asking.next().await.transpose()?;
        asking.close(1000, "").await?;
        let told = told.as_ref().and_then(|message| message.as_text());
        let Some(next) = told.and_then(|told| serde_json::from_str::<Next>(told).ok()) else {
            continue;
        };
        if next.done {
            return Ok(());
        }
        // What a case asks for may be an error: the tester knows which.
        let _ = play(&next).await;
    }
}

async fn play(next: &Next) -> Result<()> {
    let mut client = ClientBuilder::new().compression(if next.compression {
        Compression::DEDICATED
    } else {
        Compression::Off
    });
    for name in &next.subprotocols {
        client = client.subprotocol(name);
    }
    let mut socket = client.connect(&next.url).await?;
    while let Some(message) = socket.next().await {
        socket.send(message?).await?;
    }
    Ok(())
}

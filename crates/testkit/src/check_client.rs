//! The library's client under test: it goes through the cases of a `longwire
//! check client`.

use longwire::{ClientBuilder, Compression, Result};
use serde::Deserialize;

/// What the control channel tells.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Next {
    done: bool,
    url: String,
    subprotocols: Vec<String>,
    compression: bool,
}

/// Asks the tester at `address`, such as `127.0.0.1:9001`, for cases until there
/// are no more. Fails where the tester cannot be talked to.
pub async fn go_through_all(address: &str) -> Result<()> {
    let control = format!("ws://{address}/next?client=longwire");
    loop {
        let mut asking = longwire::connect(&control).await?;
        let told = asking.next().await.transpose()?;
        asking.close(1000, "").await?;
        let told = told.as_ref().and_then(|message| message.as_text());
        let next: Next = told
            .and_then(|told| serde_json::from_str(told).ok())
            .unwrap_or_default();
        if next.done {
            return Ok(());
        }
        // What a case ends in is the tester's to judge.
        let _ = echo(&next.url, &next.subprotocols, next.compression).await;
    }
}

/// Echoes each message until the connection ends.
pub async fn echo(url: &str, subprotocols: &[String], compression: bool) -> Result<()> {
    let mut client = ClientBuilder::new().compression(if compression {
        Compression::DEDICATED
    } else {
        Compression::Off
    });
    for name in subprotocols {
        client = client.subprotocol(name);
    }
    let mut socket = client.connect(url).await?;
    while let Some(message) = socket.next().await {
        socket.send(message?).await?;
    }
    Ok(())
}

//! A page and its socket on one port: open <http://127.0.0.1:8000/>.

use longwire::http::{Request, Response};
use longwire::server::RequestBody;
use longwire::{Result, Server, Socket};

const PAGE: &str = r#"<!doctype html>
<title>The time</title>
<p>The server says: <output id="time">nothing yet</output></p>
<script>
  const socket = new WebSocket("/time");
  socket.onmessage = (event) => {
    document.getElementById("time").value = event.data;
  };
</script>
"#;

async fn page(_request: Request<RequestBody>) -> Response<&'static str> {
    let mut response = Response::new(PAGE);
    let html = longwire::http::HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert("content-type", html);
    response
}

/// Tells how long the socket has been open, each second, until it closes.
async fn time(mut socket: Socket) -> Result<()> {
    let mut seconds = tokio::time::interval(std::time::Duration::from_secs(1));
    for second in 0_u64.. {
        tokio::select! {
            _ = seconds.tick() => socket.send(format!("{second} s")).await?,
            message = socket.next() => match message {
                Some(message) => drop(message?),
                None => break,
            },
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    println!("http://127.0.0.1:8000/");
    Server::new()
        .page("/", page)
        .route("/time", time)
        .serve("127.0.0.1:8000")
        .await
}

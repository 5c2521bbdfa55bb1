//! Who may come: the upgrade hook sees the request, refuses it with any status,
//! or accepts it with cookies and data for the handler.
//!
//! Try it with
//! `longwire connect ws://127.0.0.1:8000/ --header "Authorization: Bearer sesame"`.

use longwire::http::header::AUTHORIZATION;
use longwire::server::{Accept, Decision, Refuse, Route, UpgradeRequest};
use longwire::{Result, Server, Socket};

/// Who is at the other end.
#[derive(Clone)]
struct User(&'static str);

async fn authenticate(request: UpgradeRequest) -> Decision {
    let token = request.headers().get(AUTHORIZATION);
    match token.map(longwire::http::HeaderValue::as_bytes) {
        Some(b"Bearer sesame") => Ok(Accept::new()
            .attach(User("Ali"))
            .header("set-cookie", "session=1; HttpOnly; SameSite=Strict")),
        Some(_) => Err(Refuse::status(403)),
        None => Err(Refuse::status(401)),
    }
}

async fn greet(mut socket: Socket) -> Result<()> {
    let name = socket
        .extensions()
        .get::<User>()
        .map_or("nobody", |user| user.0);
    socket.send(format!("Welcome, {name}!")).await
}

#[tokio::main]
async fn main() -> Result<()> {
    println!("ws://127.0.0.1:8000/");
    Server::new()
        .route("/", Route::new(greet).on_upgrade(authenticate))
        .serve("127.0.0.1:8000")
        .await
}

//! From the options to a server: what is at which path, and who may come there.

use std::sync::Arc;

use http::{Request, Response};
use longwire::http;
use longwire::server::{
    Accept, Body, Decision, Files, OriginPolicy, Refuse, RequestBody, Route, UpgradeRequest,
};
use longwire::{Drive, Result as Handled, Server, Socket};

use super::auth::{Auth, User};
use super::exec::{Asked, Environment, Exec};
use super::kept::Kept;
use super::{demo, page, settings, view};
use crate::args::serve::Args;
use crate::args::serve::services::at_path;

/// What is served at a path, for people.
pub(super) struct Place {
    pub(super) path: String,
    pub(super) what: String,
    pub(super) is_page: bool,
}

/// A server, and what is where.
pub(super) struct Site {
    pub(super) server: Server,
    pub(super) places: Vec<Place>,
}

/// The server that these options ask for.
pub(super) fn build(args: &Args, kept: &Kept) -> Result<Site, String> {
    let mut building = Building {
        args,
        kept,
        server: settings::apply(Server::new(), args, kept)?,
        places: Vec::new(),
        sockets: Vec::new(),
    };
    let services = &args.services;
    let is_demo = services.echo.is_empty()
        && services.broadcast.is_empty()
        && services.exec.is_empty()
        && services.files.is_none();
    if is_demo {
        building.demo();
    }
    building.services()?;
    match (&services.page, &services.files) {
        (Some(path), Some(_)) if path == "/" => {
            return Err(
                "expected another path for --page, as / has the files of --static: --page /status/"
                    .to_owned(),
            );
        }
        (Some(path), _) => building.page(path),
        (None, _) if is_demo => building.page("/"),
        (None, _) => {}
    }
    building.files()?;
    Ok(Site {
        server: building.server,
        places: building.places,
    })
}

struct Building<'a> {
    args: &'a Args,
    kept: &'a Kept,
    server: Server,
    places: Vec<Place>,
    sockets: Vec<String>,
}

impl Building<'_> {
    /// Has a server's part made of what it was.
    fn add(&mut self, add: impl FnOnce(Server) -> Server) {
        self.server = add(std::mem::take(&mut self.server));
    }

    fn tell(&mut self, path: &str, what: impl Into<String>, is_page: bool) {
        self.places.push(Place {
            path: path.to_owned(),
            what: what.into(),
            is_page,
        });
    }

    /// Takes sockets at this path: all of them are listed, and let in as `let_in` says.
    fn socket<F, Fut, L, LFut>(&mut self, path: &str, drive: Drive, handler: F, let_in: L)
    where
        F: Fn(Socket) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Handled<()>> + Send + 'static,
        L: Fn(UpgradeRequest, Option<User>, Option<Arc<Auth>>) -> LFut
            + Clone
            + Send
            + Sync
            + 'static,
        LFut: Future<Output = Decision> + Send + 'static,
    {
        let (live, name): (_, Arc<str>) = (self.kept.live.clone(), path.into());
        let route = Route::new(move |socket| {
            let (live, name, handler) = (live.clone(), name.clone(), handler.clone());
            async move { live.serve(name, socket, handler).await }
        });
        let kept = self.kept.clone();
        let route = route
            .drive(drive)
            .origin(policy(&self.args.access.allow_origin))
            .on_upgrade(move |request| {
                let (auth, let_in) = (kept.auth(), let_in.clone());
                async move {
                    let Some(auth) = auth else {
                        return let_in(request, None, None).await;
                    };
                    match auth.user(request.headers(), request.uri()).await {
                        Some(user) => {
                            let accept = let_in(request, Some(user.clone()), Some(auth)).await?;
                            Ok(accept.attach(user))
                        }
                        None => Err(Refuse::response(auth.refusal())),
                    }
                }
            });
        self.sockets.push(path.to_owned());
        self.add(|server| server.route(path, route));
    }

    /// The same, letting in all.
    fn open_socket<F, Fut>(&mut self, path: &str, drive: Drive, handler: F)
    where
        F: Fn(Socket) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Handled<()>> + Send + 'static,
    {
        self.socket(path, drive, handler, |_, _, _| async { Ok(Accept::new()) });
    }

    fn echo(&mut self, path: &str) {
        self.socket(
            path,
            Drive::Caller,
            demo::echo,
            |request, _, _| async move {
                Ok(match request.subprotocols().first() {
                    Some(favourite) => Accept::new().subprotocol(favourite),
                    None => Accept::new(),
                })
            },
        );
    }

    fn demo(&mut self) {
        for path in ["/", "/socket", "/echo"] {
            self.echo(path);
        }
        let room = self.kept.room.clone();
        self.open_socket("/chat", Drive::Caller, move |socket| {
            room.clone().join(socket)
        });
        self.open_socket(demo::HELLO, Drive::Task, demo::hello);
        for (path, what) in [
            ("/echo", "returns each message as it came"),
            (
                "/chat",
                "a chat room of JSON messages {type, text, id, date}",
            ),
            (
                demo::HELLO,
                "answers \"My name is John\" and closes after 5 s",
            ),
        ] {
            self.tell(path, what, false);
        }
    }

    fn services(&mut self) -> Result<(), String> {
        let services = &self.args.services;
        let mut taken: Vec<String> = Vec::new();
        let mut take = |path: &str| {
            if taken.iter().any(|known| known == path) {
                return Err(format!(
                    "expected one service at each path, got two at {path}: give them paths, as in --echo /echo --broadcast /news --exec '/run=COMMAND'"
                ));
            }
            taken.push(path.to_owned());
            Ok(())
        };
        for path in &services.echo {
            take(path)?;
            self.echo(path);
            self.tell(path, "returns each message as it came", false);
        }
        for path in &services.broadcast {
            take(path)?;
            let broadcast = self.kept.broadcast(path);
            self.open_socket(path, Drive::Caller, move |socket| {
                broadcast.clone().join(socket)
            });
            self.tell(path, "sends each message to all", false);
        }
        for text in &services.exec {
            let (path, command) = at_path(text);
            take(path)?;
            self.exec(path, command);
            self.tell(path, format!("runs {command}"), false);
        }
        Ok(())
    }

    /// A process at this path and below.
    fn exec(&mut self, path: &str, command: &str) {
        let services = &self.args.services;
        let exec = Exec {
            command: command.into(),
            is_binary: services.exec_binary,
            grace: services.exec_grace,
            processes: self.kept.processes.clone(),
        };
        let inherit: Arc<[String]> = services.exec_env.clone().into();
        let route: Arc<str> = path.into();
        let is_secure = self.args.tls.is_asked_for();
        let let_in = {
            let processes = exec.processes.clone();
            move |request: UpgradeRequest, user: Option<User>, auth: Option<Arc<Auth>>| {
                let place = processes.place();
                let environment = Environment::new(&Asked {
                    uri: request.uri(),
                    headers: request.headers(),
                    peer: request.peer_addr(),
                    user: user.as_ref(),
                    route: &route,
                    is_secure,
                    auth: auth.as_deref(),
                    inherit: &inherit,
                });
                async move {
                    let Some(place) = place else {
                        tracing::warn!(
                            "refused a socket: as many commands run as may (--max-processes)"
                        );
                        return Err(Refuse::status(503));
                    };
                    Ok(Accept::new().attach(environment).attach(place))
                }
            }
        };
        let below = format!("{}/*", path.trim_end_matches('/'));
        for path in [path, below.as_str()] {
            let exec = exec.clone();
            // A process may be busy for long.
            self.socket(
                path,
                Drive::Task,
                move |socket| exec.clone().serve(socket),
                let_in.clone(),
            );
        }
    }

    /// The page, and the view of connections on it.
    fn page(&mut self, path: &str) {
        let folder = path.trim_end_matches('/').to_owned();
        let sockets = Arc::new(page::Sockets {
            folder: folder.clone(),
            paths: self.sockets.clone(),
        });
        for (file, asset) in page::ASSETS {
            let kept = self.kept.clone();
            let sockets = sockets.clone();
            let answer = move |request: Request<RequestBody>| {
                let (kept, sockets) = (kept.clone(), sockets.clone());
                async move {
                    match refused(&kept, &request).await {
                        Some(refusal) => refusal,
                        None => page::serve(&request, asset, &sockets),
                    }
                }
            };
            self.add(|server| server.page(format!("{folder}{file}"), answer));
        }
        let viewers = self.args.services.view;
        let may_close = self.args.services.view_close;
        let live = self.kept.live.clone();
        let kept = self.kept.clone();
        let view = Route::new(move |socket| view::serve(socket, live.clone(), may_close))
            .on_upgrade(
                // Whatever --allow-origin says, only this server's own page may ask.
                move |request| {
                    let auth = kept.auth();
                    async move {
                        let user = match &auth {
                            Some(auth) => auth.user(request.headers(), request.uri()).await,
                            None => None,
                        };
                        if let Some(auth) = auth.filter(|_| user.is_none()) {
                            return Err(Refuse::response(auth.refusal()));
                        }
                        let (peer, headers) = (request.peer_addr(), request.headers());
                        if view::may_see(viewers, peer, headers, request.uri(), user.is_some()) {
                            Ok(Accept::new())
                        } else {
                            Err(Refuse::status(403))
                        }
                    }
                },
            );
        self.add(|server| server.route(format!("{folder}/connections"), view));
        let path = format!("{folder}/");
        self.places.insert(
            0,
            Place {
                path,
                what: "a page to try it all in a browser".to_owned(),
                is_page: true,
            },
        );
    }

    fn files(&mut self) -> Result<(), String> {
        let Some(folder) = &self.args.services.files else {
            return Ok(());
        };
        if !folder.is_dir() {
            return Err(format!(
                "expected a folder for --static, got {}",
                folder.display()
            ));
        }
        let files = Arc::new(Files::new("/", folder));
        let kept = self.kept.clone();
        let answer = move |request: Request<RequestBody>| {
            let (kept, files) = (kept.clone(), files.clone());
            async move {
                match refused(&kept, &request).await {
                    Some(refusal) => refusal,
                    None => files.answer(request).await,
                }
            }
        };
        self.add(|server| server.fallback(answer));
        self.tell("/", format!("the files of {}", folder.display()), true);
        Ok(())
    }
}

/// The answer to a plain request that may not have what it asks for.
async fn refused(kept: &Kept, request: &Request<RequestBody>) -> Option<Response<Body>> {
    let auth = kept.auth()?;
    let user = auth.user(request.headers(), request.uri()).await;
    user.is_none().then(|| auth.refusal())
}

/// Whose pages may open sockets.
fn policy(origins: &[String]) -> OriginPolicy {
    if origins.is_empty() {
        OriginPolicy::SameOrigin
    } else if origins.iter().any(|origin| origin == "*") {
        OriginPolicy::Any
    } else {
        OriginPolicy::SameOriginOr(origins.to_vec())
    }
}

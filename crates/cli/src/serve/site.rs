//! From the options to a server: what is at which path, and who may come there.

use std::sync::Arc;

use http::{HeaderMap, Request, Response, Uri};
use longwire::http;
use longwire::server::{
    Accept, Body, Decision, Files, OriginPolicy, Refuse, RequestBody, Route, UpgradeRequest,
};
use longwire::{Drive, Result as Handled, Server, Socket};

use super::auth::{Auth, User};
use super::exec::{Asked, Environment, Exec};
use super::hosts::Hosts;
use super::kept::Kept;
use super::{demo, page, settings, view};
use crate::args::serve::Args;
use crate::args::serve::services::{Viewers, at_path};

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
        hosts: Arc::new(Hosts::new(args, &args.listen)),
        server: settings::apply(Server::new(), args, kept)?,
        places: Vec::new(),
        sockets: Vec::new(),
    };
    let services = &args.services;
    let is_demo = services.echo.is_empty()
        && services.broadcast.is_empty()
        && services.exec.is_empty()
        && services.files.is_none();
    in_vain(args, is_demo || services.page.is_some())?;
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

/// What would do nothing, though whoever says it relies on it.
fn in_vain(args: &Args, has_page: bool) -> Result<(), String> {
    let services = &args.services;
    let told = |needed: &str, name: &str| {
        Err(format!("expected {needed} where there is {name}, got none"))
    };
    if services.view == Some(Viewers::Users) && args.access.auth.is_empty() {
        return told("--auth", "--view users");
    }
    if !has_page && (services.view.is_some() || services.view_close) {
        return told("--page", "--view or --view-close");
    }
    if services
        .exec
        .iter()
        .any(|text| at_path(text).1.trim().is_empty())
    {
        return told("a command", "--exec");
    }
    Ok(())
}

struct Building<'a> {
    args: &'a Args,
    kept: &'a Kept,
    hosts: Arc<Hosts>,
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
        let (kept, hosts) = (self.kept.clone(), self.hosts.clone());
        let route = route
            .drive(drive)
            .origin(policy(&self.args.access.allow_origin))
            .on_upgrade(move |request| {
                let (door, let_in) = (Door::new(&kept, &hosts), let_in.clone());
                async move {
                    let entered = door.enter(request.headers(), request.uri()).await;
                    match entered.map_err(|refusal| Refuse::response(*refusal))? {
                        None => let_in(request, None, None).await,
                        Some((user, auth)) => {
                            let accept = let_in(request, Some(user.clone()), Some(auth)).await?;
                            Ok(accept.attach(user))
                        }
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
            heartbeat: self.args.limits.heartbeat.0,
            processes: self.kept.processes.clone(),
        };
        let inherit: Arc<[String]> = services.exec_env.clone().into();
        let route: Arc<str> = path.into();
        let is_secure = self.args.tls.is_asked_for();
        let let_in = {
            let (processes, metrics) = (exec.processes.clone(), self.kept.metrics.clone());
            move |request: UpgradeRequest, user: Option<User>, auth: Option<Arc<Auth>>| {
                let place = processes.place();
                if place.is_none() {
                    metrics.refuse("max_processes");
                }
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
            let (kept, hosts) = (self.kept.clone(), self.hosts.clone());
            let sockets = sockets.clone();
            let answer = move |request: Request<RequestBody>| {
                let (door, sockets) = (Door::new(&kept, &hosts), sockets.clone());
                async move {
                    match door.enter(request.headers(), request.uri()).await {
                        Err(refusal) => *refusal,
                        Ok(_) => page::serve(&request, asset, &sockets),
                    }
                }
            };
            self.add(|server| server.page(format!("{folder}{file}"), answer));
        }
        let services = &self.args.services;
        // What is served on purpose may be behind a proxy that hides where all come from.
        let viewers = services.view.unwrap_or(if services.page.is_some() {
            Viewers::Off
        } else {
            Viewers::Local
        });
        let may_close = self.args.services.view_close;
        let live = self.kept.live.clone();
        let (kept, hosts) = (self.kept.clone(), self.hosts.clone());
        let view = Route::new(move |socket| view::serve(socket, live.clone(), may_close))
            .on_upgrade(
                // Whatever --allow-origin says, only this server's own page may ask.
                move |request| {
                    let door = Door::new(&kept, &hosts);
                    async move {
                        let (headers, uri) = (request.headers(), request.uri());
                        let entered = door.enter(headers, uri).await;
                        let user = entered
                            .map_err(|refusal| Refuse::response(*refusal))?
                            .map(|(user, _)| user);
                        let peer = request.peer_addr();
                        if !view::may_see(viewers, peer, headers, uri, user.is_some()) {
                            return Err(Refuse::status(403));
                        }
                        Ok(match user {
                            Some(user) => Accept::new().attach(user),
                            None => Accept::new(),
                        })
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
        let (kept, hosts) = (self.kept.clone(), self.hosts.clone());
        let answer = move |request: Request<RequestBody>| {
            let (door, files) = (Door::new(&kept, &hosts), files.clone());
            async move {
                match door.enter(request.headers(), request.uri()).await {
                    Err(refusal) => *refusal,
                    Ok(_) => files.answer(request).await,
                }
            }
        };
        self.add(|server| server.fallback(answer));
        self.tell("/", format!("the files of {}", folder.display()), true);
        Ok(())
    }
}

/// What a request has to pass, whatever it is for.
struct Door {
    auth: Option<Arc<Auth>>,
    hosts: Option<Arc<Hosts>>,
}

impl Door {
    fn new(kept: &Kept, hosts: &Arc<Hosts>) -> Self {
        let auth = kept.auth();
        let is_guarded = auth.is_none() && kept.reach.is_local();
        Self {
            auth,
            hosts: is_guarded.then(|| hosts.clone()),
        }
    }

    /// Who comes in, where that is asked for; or the answer to who may not.
    async fn enter(
        self,
        headers: &HeaderMap,
        uri: &Uri,
    ) -> Result<Option<(User, Arc<Auth>)>, Box<Response<Body>>> {
        if let Some(refusal) = self.hosts.and_then(|hosts| hosts.refusal(headers, uri)) {
            return Err(Box::new(refusal));
        }
        let Some(auth) = self.auth else {
            return Ok(None);
        };
        match auth.user(headers, uri).await {
            Some(user) => Ok(Some((user, auth))),
            None => Err(Box::new(auth.refusal())),
        }
    }
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

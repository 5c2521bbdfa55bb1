//! The files of a folder, as answers to requests.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use http::header::LOCATION;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use tower_http::services::ServeDir;
use tower_service::Service as _;

use super::body::Body;
use super::route::plain;

/// Files whose names begin with a dot that are for all to see (RFC 8615).
const WELL_KNOWN: &str = ".well-known";

/// The file that is sent for a folder.
const INDEX: &str = "index.html";

/// Answers requests with the files of a folder; `index.html` is that of a folder in it.
///
/// Nothing outside is served, also where a link in the folder leads there, and nothing
/// whose name, or whose folder's, begins with a dot, but `.well-known`.
#[derive(Clone, Debug)]
pub struct Files {
    folder: PathBuf,
    prefix: String,
    dir: ServeDir,
}

impl Files {
    /// The files of this folder, for requests below `path`.
    pub fn new(path: &str, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self {
            prefix: path.trim_end_matches('/').to_owned(),
            dir: ServeDir::new(&folder),
            folder,
        }
    }

    /// What all their paths begin with, without a slash at its end.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Answers a request: with 404 where there is no such file.
    pub async fn answer(&self, mut request: Request<Incoming>) -> Response<Body> {
        let below = request
            .uri()
            .path_and_query()
            .and_then(|whole| whole.as_str().strip_prefix(&self.prefix))
            .and_then(|below| below.parse().ok());
        if let Some(below) = below {
            *request.uri_mut() = below;
        }
        if !self.has(request.uri().path()).await {
            return plain(StatusCode::NOT_FOUND, "404 Not Found\n");
        }
        let mut response = match self.dir.clone().call(request).await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        };
        // A redirect is of a path below the folder's, and to nowhere else.
        let location = response.headers().get(LOCATION);
        if let Some(below) = location.and_then(|location| location.to_str().ok()) {
            let whole = format!("{}/{}", self.prefix, below.trim_start_matches('/'));
            if let Ok(location) = HeaderValue::from_str(&whole) {
                response.headers_mut().insert(LOCATION, location);
            }
        }
        response
    }

    /// Whether there is such a file, in the folder and not hidden, or a folder with an
    /// index of that kind.
    async fn has(&self, path: &str) -> bool {
        let Ok(decoded) = percent_decode_str(path).decode_utf8() else {
            return false;
        };
        let below = Path::new(decoded.trim_start_matches('/'));
        let plain = |part| matches!(part, Component::Normal(name) if is_shown(name));
        if !below.components().all(plain) {
            return false;
        }
        let (folder, file) = (self.folder.clone(), self.folder.join(below));
        let inside = tokio::task::spawn_blocking(move || {
            let folder = folder.canonicalize()?;
            let mut file = file.canonicalize()?;
            if file.is_dir() && file.starts_with(&folder) {
                // What is sent for it is a file of its own, and may be a link too.
                file = file.join(INDEX).canonicalize()?;
            }
            // Opening what is no file, such as a pipe, may take forever.
            Ok::<_, std::io::Error>(file.starts_with(folder) && file.is_file())
        });
        matches!(inside.await, Ok(Ok(true)))
    }
}

fn is_shown(name: &OsStr) -> bool {
    name == WELL_KNOWN || !name.as_encoded_bytes().starts_with(b".")
}

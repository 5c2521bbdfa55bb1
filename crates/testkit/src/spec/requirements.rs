//! The lists: one TOML file for each standard.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// How much a requirement binds (RFC 2119).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
pub enum Level {
    /// An absolute requirement.
    #[serde(rename = "MUST")]
    Must,
    /// An absolute prohibition.
    #[serde(rename = "MUST NOT")]
    MustNot,
    /// Done unless there is a good reason.
    #[serde(rename = "SHOULD")]
    Should,
    /// Not done unless there is a good reason.
    #[serde(rename = "SHOULD NOT")]
    ShouldNot,
    /// A choice.
    #[serde(rename = "MAY")]
    May,
}

impl Level {
    /// Whether it needs code and test, or a reason.
    pub fn binds(self) -> bool {
        self != Self::May
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Must => "MUST",
            Self::MustNot => "MUST NOT",
            Self::Should => "SHOULD",
            Self::ShouldNot => "SHOULD NOT",
            Self::May => "MAY",
        })
    }
}

/// Who has to obey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Obliged {
    /// The client.
    Client,
    /// The server.
    Server,
    /// Both.
    Both,
}

/// One requirement of a standard.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Such as `rfc6455#5.1-3`.
    pub id: String,
    /// How much it binds.
    pub level: Level,
    /// Who has to obey.
    pub role: Obliged,
    /// What is required, in our own words.
    pub text: String,
    /// Why we do otherwise, or it does not apply.
    pub exception: Option<String>,
}

impl Requirement {
    /// The standard, the section and the number in it.
    pub fn parts(&self) -> Option<(&str, &str, u32)> {
        let (standard, rest) = self.id.split_once('#')?;
        let (section, number) = rest.rsplit_once('-')?;
        Some((standard, section, number.parse().ok()?))
    }
}

/// A list that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// The file.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What is in it.
    #[error("{}: {source}", path.display())]
    Toml {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Box<toml::de::Error>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    requirement: Vec<Requirement>,
}

/// All requirements of the lists in a folder, the files in the order of their
/// names.
pub fn load(folder: &Path) -> Result<Vec<Requirement>, SpecError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| SpecError::Io { path, source }
    };
    let entries = std::fs::read_dir(folder).map_err(io(folder))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    let mut requirements = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).map_err(io(&path))?;
        let list: List = toml::from_str(&text).map_err(|source| SpecError::Toml {
            path: path.clone(),
            source: Box::new(source),
        })?;
        requirements.extend(list.requirement);
    }
    Ok(requirements)
}

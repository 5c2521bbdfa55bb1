//! `--output`: binary messages in a file, or in files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Where binary messages go.
#[derive(Debug)]
pub(super) enum Files {
    /// One behind the other, and whether what was there before is gone.
    File(PathBuf, File, bool),
    /// Each in a new file, whose number is this or more.
    Folder(PathBuf, u32),
}

impl Files {
    /// A folder that is there, or named with a slash at its end, or a file, which
    /// the first message empties.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let is_named_so = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        if is_named_so {
            fs::create_dir_all(path)?;
        }
        if path.is_dir() {
            return Ok(Self::Folder(path.to_owned(), 1));
        }
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        Ok(Self::File(path.to_owned(), file, false))
    }

    /// Writes a message, and tells where.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<PathBuf> {
        match self {
            Self::File(path, file, is_ours) => {
                // Pipes and devices have nothing to empty.
                if !std::mem::replace(is_ours, true) && file.metadata()?.is_file() {
                    file.set_len(0)?;
                }
                file.write_all(bytes)?;
                Ok(path.clone())
            }
            Self::Folder(folder, number) => loop {
                let path = folder.join(format!("{number:06}.bin"));
                *number += 1;
                // What is there already stays.
                match OpenOptions::new().write(true).create_new(true).open(&path) {
                    Ok(mut file) => {
                        file.write_all(bytes)?;
                        return Ok(path);
                    }
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(error),
                }
            },
        }
    }
}

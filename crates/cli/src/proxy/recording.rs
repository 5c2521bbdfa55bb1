//! The file of a recording: written a whole line at a time, read line by line.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::event::{Event, Header, VERSION};

/// Bytes of a line that are read at most: what `--keep` allows, in base64, with
/// the escapes of JSON.
const MOST_LINE: u64 = 512 << 20;

/// A recording that is being written. Each line reaches the file at once, so
/// that a recording is whole however the program ends.
#[derive(Debug)]
pub(super) struct Recorder(Mutex<File>);

impl Recorder {
    pub(super) fn create(path: &Path, header: &Header) -> io::Result<Self> {
        Self::over(File::create(path)?, header)
    }

    pub(super) fn over(file: File, header: &Header) -> io::Result<Self> {
        let recorder = Self(Mutex::new(file));
        recorder.write(header)?;
        Ok(recorder)
    }

    pub(super) fn write(&self, line: &impl Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&bytes)
    }
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("could not read {path:?}: {error}")]
    Io { path: String, error: io::Error },
    #[error(
        "expected a recording of `longwire record` or a HAR file in {path:?}, got {start:?} (see docs/recording.md)"
    )]
    Header { path: String, start: String },
    #[error(
        "{path:?} is a recording of version {version}, expected {VERSION} (is there a newer longwire?)"
    )]
    Version { path: String, version: u32 },
    #[error("line {line} of {path:?} is no event: {error}")]
    Line {
        path: String,
        line: u64,
        error: serde_json::Error,
    },
}

/// A recording that is being read.
#[derive(Debug)]
pub(super) struct Reader {
    path: String,
    file: BufReader<File>,
    /// Where the next line begins.
    offset: u64,
    line: u64,
    pub(super) header: Header,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, ReadError> {
        let shown = path.display().to_string();
        let failed = |error| ReadError::Io {
            path: shown.clone(),
            error,
        };
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        let mut bytes = Vec::new();
        let offset = line(&mut file, &mut bytes).map_err(failed)?;
        let header: Header = serde_json::from_slice(&bytes).map_err(|_| ReadError::Header {
            path: shown.clone(),
            start: String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned(),
        })?;
        if header.longwire_recording != VERSION {
            return Err(ReadError::Version {
                path: shown,
                version: header.longwire_recording,
            });
        }
        Ok(Self {
            path: shown,
            file,
            offset,
            line: 1,
            header,
        })
    }

    /// The next event and the offset of its line; `None` at the end. A last line
    /// that is not whole is left out: the recorder may still write it.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Event)>, ReadError> {
        let failed = |error| ReadError::Io {
            path: self.path.clone(),
            error,
        };
        let mut bytes = Vec::new();
        let taken = line(&mut self.file, &mut bytes).map_err(failed)?;
        if !bytes.ends_with(b"\n") {
            return Ok(None);
        }
        let start = self.offset;
        self.offset += taken;
        self.line += 1;
        match serde_json::from_slice(&bytes) {
            Ok(event) => Ok(Some((start, event))),
            Err(error) => Err(ReadError::Line {
                path: self.path.clone(),
                line: self.line,
                error,
            }),
        }
    }

    /// Goes on at the line that begins here.
    pub(super) fn seek(&mut self, offset: u64) -> Result<(), ReadError> {
        let sought = io::Seek::seek(&mut self.file, io::SeekFrom::Start(offset));
        sought.map_err(|error| ReadError::Io {
            path: self.path.clone(),
            error,
        })?;
        self.offset = offset;
        Ok(())
    }
}

fn line(file: &mut BufReader<File>, bytes: &mut Vec<u8>) -> io::Result<u64> {
    let taken = file.take(MOST_LINE).read_until(b'\n', bytes)?;
    Ok(taken as u64)
}

//! A file to upload: what it is, and its bytes a chunk at a time.

use crate::cli::Context;
use crate::cli::error::{CliError, CliResult, file_reason};
use crate::domain::hash::hex;
use crate::domain::limits::{CHUNK_BYTES, MEDIUM_BYTES_MAX};
use crate::domain::media::sniff::{Sniffer, Step};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// A file that looks like a medium.
pub struct Source {
    name: String,
    file: File,
    /// How many bytes it has.
    pub bytes: u64,
}

/// Bytes as people read them.
pub fn megabytes(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{}.{} GB", bytes / 1_000_000_000, bytes % 1_000_000_000 / 100_000_000),
        1_000_000.. => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
        _ => format!("{} KB", bytes.div_ceil(1_000)),
    }
}

impl Source {
    /// Opens a file and looks at what it is.
    ///
    /// # Errors
    /// When it cannot be read, or is no medium that any platform takes.
    pub fn open(name: &str) -> CliResult<Self> {
        let refuse = |reason: &str| CliError::input(format!("`{name}` cannot be added: {reason}"));
        let unreadable = |error: io::Error| refuse(&file_reason(&error)).hint("name a file that you may read");
        let facts = std::fs::metadata(name).map_err(unreadable)?;
        if facts.is_dir() {
            return Err(refuse("it is a folder").hint("name the files in it: `psn media add FOLDER/*`"));
        }
        if !facts.is_file() {
            return Err(refuse("it is no file with bytes of its own").hint("save it as a file first"));
        }
        let bytes = facts.len();
        if bytes == 0 {
            return Err(refuse("it is empty").hint("check whether it was saved to its end"));
        }
        if bytes > MEDIUM_BYTES_MAX {
            let (has, most) = (megabytes(bytes), megabytes(MEDIUM_BYTES_MAX));
            return Err(refuse(&format!("it has {has}, and no platform takes more than {most}"))
                .hint("export it smaller, or shorter"));
        }
        let name = name.to_owned();
        let file = File::open(&name).map_err(unreadable)?;
        let mut source = Self { name, file, bytes };
        let mut sniffer = Sniffer::new(bytes);
        loop {
            match sniffer.step() {
                Step::Known(_) => return Ok(source),
                Step::Refused(refusal) => {
                    return Err(CliError::input(format!("`{}` cannot be added: {refusal}", source.name)));
                }
                Step::Read { first, length } => sniffer.feed(first, &source.read(first, length)?),
            }
        }
    }

    /// How many chunks it has.
    pub const fn chunks(&self) -> u64 {
        self.bytes.div_ceil(CHUNK_BYTES)
    }

    /// The chunk of that number, from 1.
    ///
    /// # Errors
    /// When the file became shorter, or cannot be read any more.
    pub fn chunk(&mut self, number: u64) -> CliResult<Bytes> {
        let first = (number - 1) * CHUNK_BYTES;
        self.read(first, CHUNK_BYTES.min(self.bytes - first)).map(Bytes::from)
    }

    fn read(&mut self, first: u64, length: u64) -> CliResult<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        let read = self.file.seek(SeekFrom::Start(first));
        let read = read.and_then(|_| self.file.read_exact(&mut bytes));
        match read {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.changed()),
            Err(error) => {
                let reason = file_reason(&error);
                Err(CliError::outcome(format!("`{}` cannot be read: {reason}", self.name)))
            }
        }
    }

    /// The file is not what it was a moment ago.
    pub fn changed(&self) -> CliError {
        CliError::outcome(format!("`{}` changed while it was read", self.name))
            .hint("run the command again once nothing writes to it")
    }

    /// The hash of its bytes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn hash(&mut self, context: &Context) -> CliResult<String> {
        let mut hasher = Sha256::new();
        for number in 1..=self.chunks() {
            self.progress(context, "reading", number - 1);
            hasher.update(self.chunk(number)?);
        }
        Ok(hex(&hasher.finalize()))
    }

    /// Shows how far it has come, where a terminal reads.
    pub fn progress(&self, context: &Context, verb: &str, chunks_done: u64) {
        const WIDTH: u64 = 24;
        let done = (chunks_done * CHUNK_BYTES).min(self.bytes);
        let filled = done * WIDTH / self.bytes;
        let bar: String = (0..WIDTH).map(|at| if at < filled { '█' } else { '░' }).collect();
        let percent = done * 100 / self.bytes;
        let (done, all) = (megabytes(done), megabytes(self.bytes));
        let name: String = self
            .name
            .chars()
            .rev()
            .take(24)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        context
            .printer
            .fleeting(&format!("{verb} {name} {bar} {percent:>3} %  {done} of {all}"));
    }
}

//! Files of the user: read with their name in every error, written whole and for their owner only.

use crate::cli::error::{CliError, CliResult, Lack, file_reason, not_written};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A bad file, named with the reason.
pub fn bad_file(path: &Path, reason: &str, todo: &str) -> CliError {
    CliError::input(format!("`{}` cannot be used: {reason}", path.display())).hint(todo)
}

/// The text of a file; `None` when it is not there.
///
/// # Errors
/// Names the file and the reason.
pub fn read_file(path: &Path) -> CliResult<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(error) => {
                let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
                    .iter()
                    .filter(|b| **b == b'\n')
                    .count();
                Err(bad_file(
                    path,
                    &format!("line {}: not UTF-8", line + 1),
                    "save the file as UTF-8",
                ))
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(bad_file(path, &file_reason(&error), "make it a file that you may read")),
    }
}

/// Writes a file that only its owner may read, whole or not at all, and on the disk once this returns.
///
/// # Errors
/// Names the file and the reason.
pub fn write_private(path: &Path, text: &str) -> CliResult {
    replace(path, text.as_bytes()).map_err(|error| not_written(path, &error))
}

/// As [`write_private`], for a file that is not there yet; `false` when there is one, which then stays as it is.
///
/// # Errors
/// Names the file and the reason.
pub fn write_new(path: &Path, text: &str) -> CliResult<bool> {
    make(path, text.as_bytes()).map_err(|error| not_written(path, &error))
}

fn make(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let folder = folder_of(path);
    make_folder(folder)?;
    let staged = stage(path, bytes)?;
    // A link is refused where there is something already, also by somebody who was quicker.
    let linked = fs::hard_link(&staged, path);
    let _ = fs::remove_file(&staged);
    match linked {
        Ok(()) => sync_folder(folder).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Writes a file beside the one that is meant.
fn stage(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let mut staged = OsString::from(path.as_os_str());
    staged.push(".new");
    let staged = PathBuf::from(staged);
    // Made anew: the mode counts only for a file that is not there yet.
    let _ = fs::remove_file(&staged);
    let mut file = private().write(true).create_new(true).open(&staged)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(staged)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    make_folder(folder)?;
    let staged = stage(path, bytes)?;
    fs::rename(&staged, path)?;
    sync_folder(folder)
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// Without this a power cut may undo the rename.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn private() -> OpenOptions {
    #[allow(unused_mut, reason = "only Unix has modes")]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Takes a lock that ends with the process, however that ends; `None` when another process holds it.
///
/// # Errors
/// Names the file and the reason.
pub fn lock(path: &Path) -> CliResult<Option<File>> {
    let opened = path
        .parent()
        .map_or(Ok(()), make_folder)
        .and_then(|()| private().write(true).create(true).truncate(false).open(path));
    let file = opened.map_err(|error| not_written(path, &error))?;
    Ok(file.try_lock().is_ok().then_some(file))
}

/// A file with secrets that others may read.
#[must_use]
pub fn too_open(path: &Path) -> Option<Lack> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
        (mode & 0o077 != 0).then(|| {
            let path = path.display();
            Lack::new(
                format!("`{path}` holds secrets and may be read by others (mode {mode:o})"),
                format!("run `chmod 600 {path}`"),
            )
        })
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

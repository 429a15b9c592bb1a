//! Where the server's programs and data lie, and as whom it runs.
//!
//! PostgreSQL refuses to run as root, so as root it runs as `nobody`; that user must be able to reach the programs
//! and the data, which is not so when the project lies below a closed home folder.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::PostgresError;
use crate::dev::scratch::Scratch;

/// How folders of data are called that lie elsewhere; chance follows.
const ELSEWHERE: &str = "psn-postgres-data-";
/// Ends the name of the file beside such a folder that says which note names it.
const OWNER: &str = "owner";

/// A folder in memory, on systems that have one: databases are made and removed there in no time, where a disk takes a
/// minute to remove a hundred of them.
const IN_MEMORY: &str = "/dev/shm";
/// Only with so many bytes free: a hundred databases take one of its gigabytes, and several servers run beside each other.
const IN_MEMORY_BYTES_MIN: u64 = 6 << 30;

/// User and group number that the server runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The unprivileged identity to run as; `None` when this process is unprivileged itself.
pub(super) fn unprivileged() -> Option<Identity> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let nobody = nix::unistd::User::from_name("nobody").ok().flatten();
    Some(nobody.map_or(Identity { uid: 65534, gid: 65534 }, |u| Identity {
        uid: u.uid.as_raw(),
        gid: u.gid.as_raw(),
    }))
}

/// Whether `identity` may pass through every folder down to and including `path`.
fn reachable(path: &Path, identity: Identity) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    path.ancestors().all(|folder| {
        fs::metadata(folder).is_ok_and(|meta| {
            let mode = meta.mode();
            let bits = if meta.uid() == identity.uid {
                mode >> 6
            } else if meta.gid() == identity.gid {
                mode >> 3
            } else {
                mode
            };
            !meta.is_dir() || bits & 1 == 1
        })
    })
}

fn io_error(what: &'static str) -> impl FnOnce(io::Error) -> PostgresError {
    move |source| PostgresError::Files { what, source }
}

/// The folder whose `bin`, `lib` and `share` hold the server, made usable for `identity`.
pub(super) fn programs(package: &Path, identity: Option<Identity>) -> Result<PathBuf, PostgresError> {
    let native = package.join("native");
    if !native.join("bin/postgres").is_file() {
        return Err(PostgresError::PackageMissing {
            package: package.display().to_string(),
        });
    }
    link_libraries(package)?;
    match identity {
        Some(identity) if !reachable(&native.join("bin/postgres"), identity) => copy_programs(package, &native),
        _ => Ok(native),
    }
}

/// Makes the library links that the package's install script makes, for clients that do not run such scripts.
fn link_libraries(package: &Path) -> Result<(), PostgresError> {
    let Ok(list) = fs::read(package.join("native/pg-symlinks.json")) else {
        return Ok(());
    };
    let links: Vec<serde_json::Value> = serde_json::from_slice(&list).unwrap_or_default();
    for link in &links {
        let (Some(source), Some(target)) = (link["source"].as_str(), link["target"].as_str()) else {
            continue;
        };
        let (source, target) = (Path::new(source), package.join(target));
        let Some(name) = source.file_name() else { continue };
        if fs::symlink_metadata(&target).is_ok() {
            continue;
        }
        match std::os::unix::fs::symlink(name, &target) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                return Err(io_error("link the libraries of the PostgreSQL package")(e));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Copies the programs once to a folder that everybody may read; the package's version names it.
fn copy_programs(package: &Path, native: &Path) -> Result<PathBuf, PostgresError> {
    let manifest = fs::read(package.join("package.json")).map_err(io_error("read the PostgreSQL package"))?;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap_or_default();
    let version: String = manifest["version"]
        .as_str()
        .unwrap_or("unknown")
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect();
    let target = shared_folder().join(format!("psn-postgres-{version}"));
    // The name can be guessed, so a folder that someone else put there must not be run.
    if let Ok(meta) = fs::symlink_metadata(&target) {
        if meta.is_dir() && meta.uid() == nix::unistd::geteuid().as_raw() && meta.mode() & 0o022 == 0 {
            return Ok(target);
        }
        return Err(PostgresError::ForeignFolder {
            folder: target.display().to_string(),
        });
    }
    let fresh = target.with_extension(format!("{}.new", super::random_hex(4)?));
    let copied = Command::new("cp").arg("-R").arg(native).arg(&fresh).status();
    match copied {
        Ok(status) if status.success() => {}
        Ok(_) => {
            return Err(io_error("copy the PostgreSQL programs")(io::Error::other(
                "`cp` failed",
            )));
        }
        Err(e) => return Err(io_error("copy the PostgreSQL programs")(e)),
    }
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).map_err(io_error("open the copied programs"))?;
    if let Err(e) = fs::rename(&fresh, &target) {
        let _ = fs::remove_dir_all(&fresh);
        if !target.is_dir() {
            return Err(io_error("put the copied PostgreSQL programs in place")(e));
        }
    }
    Ok(target)
}

/// A folder for files that outlive a reboot and that every user can reach.
fn shared_folder() -> PathBuf {
    let lasting = PathBuf::from("/var/tmp");
    if lasting.is_dir() {
        lasting
    } else {
        PathBuf::from("/tmp")
    }
}

/// The folder that really holds the data for `wanted`.
///
/// It is `wanted` itself when `identity` can reach it. Otherwise `wanted` gets a file `location` that names a folder
/// elsewhere, so that deleting `wanted` still means a fresh start.
pub(super) fn data_folder(wanted: &Path, identity: Option<Identity>) -> Result<PathBuf, PostgresError> {
    let parent = wanted.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(parent).map_err(io_error("make the folder for the database"))?;
    let parent = parent
        .canonicalize()
        .map_err(io_error("find the folder for the database"))?;
    let name = wanted.file_name().unwrap_or_else(|| "postgres".as_ref());
    let here = parent.join(name);
    match identity {
        Some(identity) if !reachable(&parent, identity) => {
            let note = here.join("location");
            if let Ok(text) = fs::read_to_string(&note) {
                return Ok(PathBuf::from(text.trim()));
            }
            is_initialised(&here)?;
            remove_orphans();
            let elsewhere = shared_folder().join(format!("{ELSEWHERE}{}", super::random_hex(8)?));
            fs::create_dir_all(&here).map_err(io_error("make the folder for the database"))?;
            fs::write(&note, format!("{}\n", elsewhere.display())).map_err(io_error("note where the data lies"))?;
            // Written second: who finds it without the first note finds data of a folder that is no more.
            write_private(&elsewhere.with_extension(OWNER), &format!("{}\n", note.display()))?;
            Ok(elsewhere)
        }
        _ => Ok(here),
    }
}

/// Removes data that lies elsewhere and whose own folder was deleted, unless a server runs on it.
fn remove_orphans() {
    for entry in fs::read_dir(shared_folder()).into_iter().flatten().flatten() {
        let owner = entry.path();
        let is_ours = entry.file_name().to_string_lossy().starts_with(ELSEWHERE)
            && owner.extension().is_some_and(|extension| extension == OWNER)
            && entry
                .metadata()
                .is_ok_and(|meta| meta.is_file() && meta.uid() == nix::unistd::geteuid().as_raw());
        if !is_ours {
            continue;
        }
        let data = owner.with_extension("");
        let names_it =
            |note: String| fs::read_to_string(note.trim_end()).is_ok_and(|text| Path::new(text.trim()) == data);
        let is_owned = fs::read_to_string(&owner).is_ok_and(names_it);
        let is_running = super::lock_file_pid(&data).is_some_and(|pid| super::runs_on(pid, &data));
        if !is_owned && !is_running && (!data.exists() || fs::remove_dir_all(&data).is_ok()) {
            let _ = fs::remove_file(&owner);
        }
    }
}

/// A folder around data that ends with the server, in memory where there is room. The server's user may read it.
pub(super) fn temporary_folder(identity: Option<Identity>) -> Result<Scratch, PostgresError> {
    let is_usable = |folder: &Path| identity.is_none_or(|identity| reachable(folder, identity));
    let in_memory = PathBuf::from(IN_MEMORY);
    if is_usable(&in_memory)
        && bytes_free(&in_memory) >= IN_MEMORY_BYTES_MIN
        && let Ok(scratch) = Scratch::make(&in_memory, 0o755)
    {
        return Ok(scratch);
    }
    let preferred = std::env::temp_dir();
    let base = if is_usable(&preferred) {
        preferred
    } else {
        PathBuf::from("/tmp")
    };
    Scratch::make(&base, 0o755).map_err(io_error("make a temporary folder for the database"))
}

/// Free bytes of the file system that holds `folder`; none where there is no such folder.
fn bytes_free(folder: &Path) -> u64 {
    nix::sys::statvfs::statvfs(folder).map_or(0, |of| {
        #[allow(clippy::useless_conversion, reason = "these types differ between systems")]
        u64::from(of.blocks_available()).saturating_mul(u64::from(of.fragment_size()))
    })
}

/// Whether `data` holds a database cluster already; an error when it holds something else.
pub(super) fn is_initialised(data: &Path) -> Result<bool, PostgresError> {
    if data.join("PG_VERSION").is_file() {
        return Ok(true);
    }
    match fs::read_dir(data) {
        Ok(mut entries) => match entries.next() {
            Some(_) => Err(PostgresError::NotACluster {
                folder: data.display().to_string(),
            }),
            None => Ok(false),
        },
        Err(_) => Ok(false),
    }
}

/// Makes an empty folder that only `identity` may enter.
pub(super) fn make_private(folder: &Path, identity: Option<Identity>) -> Result<(), PostgresError> {
    let what = "make the folder for the database";
    fs::create_dir_all(folder).map_err(io_error(what))?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(io_error(what))?;
    give_to(folder, identity)
}

/// Hands a file or folder to `identity`.
pub(super) fn give_to(path: &Path, identity: Option<Identity>) -> Result<(), PostgresError> {
    match identity {
        Some(identity) => {
            chown(path, Some(identity.uid), Some(identity.gid)).map_err(io_error("hand the data to the server's user"))
        }
        None => Ok(()),
    }
}

/// Writes a file that only its owner may read.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), PostgresError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let what = "write the database's passwords";
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(io_error(what))?;
    file.write_all(text.as_bytes()).map_err(io_error(what))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn data_elsewhere_ends_with_the_folder_it_belongs_to() {
        let nobody = Some(Identity { uid: 65534, gid: 65534 });
        let state = || {
            let folder = tempfile::tempdir().unwrap();
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
            folder
        };
        let data_of = |state: &tempfile::TempDir| data_folder(&state.path().join("postgres"), nobody).unwrap();
        let (kept, deleted) = (state(), state());
        let (live, dead) = (data_of(&kept), data_of(&deleted));
        for data in [&live, &dead] {
            fs::create_dir_all(data.join("base")).unwrap();
        }
        assert_eq!(data_of(&kept), live);
        drop(deleted);
        let third = state();
        let data = data_of(&third);
        assert!(live.is_dir() && !dead.exists() && !dead.with_extension(OWNER).exists());
        drop((kept, third));
        remove_orphans();
        assert!(!live.exists() && !data.with_extension(OWNER).exists());
    }
}

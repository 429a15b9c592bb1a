//! Folders that end with whoever made them. Of a process that was killed they stay: the next one removes them.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How the folders are called; process and number follow.
const PREFIX: &str = "psn-scratch-";

/// The file that the owner of a folder holds locked; the system lets go of it however the owner ends.
const ALIVE: &str = "alive";

/// What that file is called until it is locked: found unlocked, it would be taken for one of the dead.
const AWAKENING: &str = "awakening";

/// A folder without that file may be one whose owner is about to make it, until it is this old.
const UNLOCKED_MAX: Duration = Duration::from_secs(60);

/// The number of this process's next folder. None is called like one before it: whoever looked at that one and found it
/// ended would remove its successor.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A folder that ends with this value.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _alive: File,
}

impl Scratch {
    /// Makes a folder with that mode below `base`, and removes those of processes that are no more.
    ///
    /// # Errors
    /// What the system says about the new folder.
    pub fn make(base: &Path, mode: u32) -> io::Result<Self> {
        remove_leftovers(base);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = base.join(format!("{PREFIX}{}-{number}", std::process::id()));
            match DirBuilder::new().mode(mode).create(&path) {
                Ok(()) => {
                    let alive = File::create_new(path.join(AWAKENING))?;
                    alive.try_lock()?;
                    fs::rename(path.join(AWAKENING), path.join(ALIVE))?;
                    return Ok(Self { path, _alive: alive });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// What was killed this moment may still write: then the second try finds it ended.
fn remove(folder: &Path) {
    if fs::remove_dir_all(folder).is_err() && folder.exists() {
        std::thread::sleep(Duration::from_millis(200));
        let _ = fs::remove_dir_all(folder);
    }
}

/// Removes this user's folders that no process holds. One that cannot be removed harms nobody.
fn remove_leftovers(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry
                .metadata()
                .is_ok_and(|meta| meta.is_dir() && meta.uid() == nix::unistd::geteuid().as_raw());
        if is_ours && is_left(&entry.path()) {
            remove(&entry.path());
        }
    }
}

fn is_left(folder: &Path) -> bool {
    match File::open(folder.join(ALIVE)) {
        Ok(file) => file.try_lock().is_ok(),
        Err(_) => {
            let made = fs::metadata(folder).and_then(|meta| meta.modified()).ok();
            let age = made.and_then(|made| made.elapsed().ok());
            age.is_some_and(|age| age > UNLOCKED_MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_the_dead_left_is_removed_and_nothing_else() {
        let base = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let path = base.path().join(name);
            fs::create_dir_all(path.join("state")).unwrap();
            path
        };
        let dead = folder("psn-scratch-1-1");
        File::create(dead.join(ALIVE)).unwrap();
        let beginning = folder("psn-scratch-2-1");
        let foreign = folder("something-else");
        let alive = Scratch::make(base.path(), 0o700).unwrap();
        assert!(!dead.exists());
        let second = Scratch::make(base.path(), 0o700).unwrap();
        assert!(alive.path().is_dir() && second.path().is_dir());
        assert!(beginning.is_dir() && foreign.is_dir());
        let paths = [alive.path().to_owned(), second.path().to_owned()];
        drop((alive, second));
        assert!(paths.iter().all(|path| !path.exists()));
    }

    #[test]
    fn folders_made_in_the_same_moment_leave_each_other_alone() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let made = Scratch::make(base, 0o700).unwrap();
                        assert!(made.path().join(ALIVE).is_file(), "another took it for one of the dead");
                    }
                });
            }
        });
    }
}

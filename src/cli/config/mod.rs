//! What a command knows: the environment, the local stack last started from this clone, and the files a user keeps.

pub mod chosen;
pub mod env_file;
pub mod files;
pub mod hubs;
pub mod names;
pub mod settings;

pub use chosen::Chosen;
pub use env_file::{parse_env, read_env_file};
pub use hubs::{Hub, HubEntry, HubFiles, JoinedHub, Role, is_encryption_key};
pub use settings::{Settings, project_root};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Variables by name.
pub type Variables = BTreeMap<String, String>;

/// The file below the project's root that names the state folder of the stack last started there.
pub const LAST_STACK: &str = ".psn/last-stack";

/// The file of a state folder with the variables of its stack.
pub const STACK_ENV: &str = "env";

/// A text that must not be shown; `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests;

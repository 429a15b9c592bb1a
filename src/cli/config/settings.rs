//! The environment, and behind it the stack last started from this clone.

use super::files::read_file;
use super::{LAST_STACK, STACK_ENV, Variables, read_env_file};
use crate::cli::error::{CliError, CliResult};
use std::path::{Path, PathBuf};

/// What the commands work with.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    variables: Variables,
    /// The environment names another address than the last stack: it is not asked.
    foreign: bool,
    stack: Option<PathBuf>,
}

impl Settings {
    /// The environment, and behind it the stack last started from the clone at `root`. The stack is left out altogether
    /// when the environment names another worker or another database: a local key must never seal a token for a real
    /// database, and a local token must never travel to a real worker.
    ///
    /// # Errors
    /// A stack's file that cannot be read.
    pub fn load(environment: &Variables, root: Option<&Path>) -> CliResult<Self> {
        let mut variables: Variables = Variables::new();
        let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
        let stack = match root {
            Some(root) => last_stack(root)?,
            None => None,
        };
        let mut foreign = false;
        if let Some((_, stack_variables)) = &stack {
            foreign = ["PSN_URL", "DATABASE_URL"].iter().any(|name| {
                set(name).is_some_and(|value| {
                    stack_variables
                        .get(*name)
                        .is_none_or(|own| own.trim_end_matches('/') != value.trim_end_matches('/'))
                })
            });
            if !foreign {
                variables.clone_from(stack_variables);
            }
        }
        variables.extend(
            environment
                .iter()
                .filter(|(_, v)| !v.is_empty())
                .map(|(k, v)| (k.clone(), v.clone())),
        );
        Ok(Self {
            variables,
            foreign,
            stack: stack.map(|(folder, _)| folder),
        })
    }

    /// A variable, if it is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The state folder of the last stack, where its variables are these.
    #[must_use]
    pub fn own_stack(&self) -> Option<&Path> {
        self.stack.as_deref().filter(|_| !self.foreign)
    }

    /// The values of all names.
    ///
    /// # Errors
    /// Names all that are missing at once, and what to do.
    pub fn need<const N: usize>(&self, names: [&str; N]) -> CliResult<[String; N]> {
        let missing: Vec<String> = names
            .iter()
            .filter(|name| self.get(name).is_none())
            .map(|name| format!("`{name}`"))
            .collect();
        if missing.is_empty() {
            return Ok(names.map(|name| self.get(name).unwrap_or_default().to_owned()));
        }
        let verb = if missing.len() == 1 { "is" } else { "are" };
        let hint = if self.foreign {
            "the environment names another worker or database than the local stack: set the rest there too, or unset it"
        } else {
            "start the local stack with `scripts/dev`, or set the variables of your own worker"
        };
        Err(CliError::input(format!("{} {verb} not set", missing.join(" and "))).hint(hint))
    }
}

fn last_stack(root: &Path) -> CliResult<Option<(PathBuf, Variables)>> {
    let Some(text) = read_file(&root.join(LAST_STACK))? else {
        return Ok(None);
    };
    let folder = root.join(text.trim_end_matches(['\n', '\r']));
    Ok(read_env_file(&folder.join(STACK_ENV))?.map(|variables| (folder, variables)))
}

/// The clone this program belongs to: `PSN_ROOT`, else the nearest folder with a `wrangler.toml` above the program,
/// else above the current folder.
#[must_use]
pub fn project_root(environment: &Variables) -> Option<PathBuf> {
    if let Some(root) = environment.get("PSN_ROOT").filter(|root| !root.is_empty()) {
        return Some(PathBuf::from(root));
    }
    let above = |path: PathBuf| {
        path.ancestors()
            .find(|folder| folder.join("wrangler.toml").is_file())
            .map(Path::to_owned)
    };
    let program = std::env::current_exe().ok().and_then(|path| path.canonicalize().ok());
    program
        .and_then(above)
        .or_else(|| std::env::current_dir().ok().and_then(above))
}

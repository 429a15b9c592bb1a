//! The environment, and behind it the stack last started from this clone, or else the files that a user keeps there.

use super::files::read_file;
use super::{HubEntry, HubFiles, JoinedHub, LAST_STACK, STACK_ENV, Variables, read_env_file};
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::excerpt;
use std::path::{Path, PathBuf};

/// Names the hub to work with.
pub const HUB: &str = "PSN_HUB";

/// What the commands work with.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    variables: Variables,
    /// The environment names another address than the last stack: it is not asked.
    foreign: bool,
    stack: Option<PathBuf>,
    /// The hub whose variables are among these.
    hub: Option<String>,
    /// Why no hub is used, although there are files of hubs.
    no_hub: Option<CliError>,
    /// Whether this is a clone.
    in_clone: bool,
}

impl Settings {
    /// The environment, and behind it the stack last started from the clone at `root`. The stack is left out altogether
    /// when the environment names another worker or another database: a local key must never seal a token for a real
    /// database, and a local token must never travel to a real worker. Without a stack there are `config/keys.env` and the
    /// only hub, or the one whose database or worker the environment names, for the same reasons. `PSN_HUB` names a hub
    /// outright, one that the user has joined too; then no stack counts.
    ///
    /// # Errors
    /// A stack's file or a `config/keys.env` that cannot be read.
    pub fn load(environment: &Variables, root: Option<&Path>) -> CliResult<Self> {
        let mut variables: Variables = Variables::new();
        let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
        let stack = match root {
            Some(root) => last_stack(root)?,
            None => None,
        };
        let mut foreign = false;
        if let Some((_, stack_variables)) = &stack {
            let differs = |name: &&str| {
                set(name).is_some_and(|value| {
                    stack_variables
                        .get(*name)
                        .is_none_or(|own| own.trim_end_matches('/') != value.trim_end_matches('/'))
                })
            };
            foreign = set(HUB).is_some() || ["PSN_URL", "DATABASE_URL"].iter().any(differs);
            if !foreign {
                variables.clone_from(stack_variables);
            }
        }
        let (mut hub, mut no_hub) = (None, None);
        if let Some(root) = root
            && (foreign || stack.is_none())
        {
            let files = HubFiles::load(root);
            variables.clone_from(files.keys()?);
            match hub_of(&files, environment) {
                Ok(Some((slug, own))) => {
                    variables.extend(own);
                    hub = Some(slug);
                }
                Ok(None) => {}
                Err(why) => no_hub = Some(why),
            }
            variables.retain(|_, value| !value.is_empty());
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
            hub,
            no_hub,
            in_clone: root.is_some(),
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
        Err(self.lacks(&names, &missing.join(" and "), missing.len()))
    }

    /// Why names are not set, and what to do.
    fn lacks(&self, names: &[&str], missing: &str, count: usize) -> CliError {
        if let Some(why) = &self.no_hub {
            return why.clone();
        }
        let verb = if count == 1 { "is" } else { "are" };
        let not_set = format!("{missing} {verb} not set");
        if self.foreign {
            return CliError::input(not_set).hint(
                "the environment names another worker or database than the local stack: set the rest there too, or unset it",
            );
        }
        match &self.hub {
            Some(slug) if names.contains(&"PSN_URL") && self.get("PSN_URL").is_none() => {
                CliError::input(format!("hub `{slug}` has no worker yet ({not_set})"))
                    .hint(format!("`psn deploy --hub {slug}` makes it"))
            }
            // A hub of one's own has a database.
            Some(slug) if names.contains(&"DATABASE_URL") && self.get("DATABASE_URL").is_none() => CliError::input(
                format!("hub `{slug}` is run by somebody else, who alone has its database"),
            )
            .hint("name a hub of yours with `PSN_HUB`, or ask an admin of that hub to do it"),
            Some(slug) => CliError::input(not_set).hint(format!("`psn init --hub {slug}` makes what is missing")),
            None if self.in_clone => {
                CliError::input(format!("{not_set}: there is neither a hub nor a local stack here"))
                    .hint("`psn init` begins a hub, `scripts/dev` starts the local stack; or set it in your shell")
            }
            None => CliError::input(format!("{not_set}, and this folder is no clone of psn"))
                .hint("change into the clone, or set it in your shell"),
        }
    }
}

/// The variables of the hub that the environment names, or else does not contradict; none where there is no hub.
///
/// # Errors
/// Why it is none: there are several, or their files are bad.
fn hub_of(files: &HubFiles, environment: &Variables) -> CliResult<Option<(String, Variables)>> {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let agrees = |name: &str, own: Option<&str>| match (set(name), own) {
        (Some(outside), Some(own)) => outside.trim_end_matches('/') == own.trim_end_matches('/'),
        _ => true,
    };
    let named = |slug: &str, id: Option<&str>| set(HUB).is_none_or(|name| name == slug || Some(name.as_str()) == id);
    let fits = |entry: &&HubEntry| {
        named(&entry.hub.slug, Some(&entry.hub.hub_id))
            && agrees("DATABASE_URL", Some(&entry.hub.database_url.0))
            && agrees("PSN_URL", entry.own("PSN_URL"))
    };
    // Whoever has joined a hub has no database of it.
    let fits_joined = |joined: &&JoinedHub| {
        named(&joined.slug, None) && set("DATABASE_URL").is_none() && agrees("PSN_URL", joined.own("PSN_URL"))
    };
    let own = files.hubs().iter().filter(fits);
    let mut fitting: Vec<(&str, Variables)> = own.map(|entry| (entry.hub.slug.as_str(), entry.variables())).collect();
    let joined = files.joined().iter().filter(fits_joined);
    fitting.extend(joined.map(|joined| (joined.slug.as_str(), joined.variables())));
    match (fitting.as_slice(), files.errors().next()) {
        // Two files may claim to be it.
        ([(slug, variables)], _) => files.hub(slug).map(|_| Some(((*slug).to_owned(), variables.clone()))),
        ([], Some(error)) => Err(error.clone()),
        ([], None) => match set(HUB) {
            Some(name) => Err(CliError::input(format!(
                "`PSN_HUB` names the hub `{}`, and there are no files of it in `.hubs/`",
                excerpt(name, 64)
            ))
            .hint("`psn hub list` shows those that there are")),
            None => Ok(None),
        },
        (several, _) => {
            let slugs: Vec<String> = several.iter().map(|(slug, _)| format!("`{slug}`")).collect();
            let first = several.first().map_or("SLUG", |(slug, _)| slug);
            Err(CliError::input(format!(
                "there are several hubs, {}, and none is named",
                slugs.join(" and ")
            ))
            .hint(format!("name one in front of the command: `PSN_HUB={first} psn …`")))
        }
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

//! One hub with everything that its files say, for what goes to the worker. Files win: a variable of the shell that says
//! something else is refused by name, so that one hub's key never reaches another's worker.

use super::names::{self, Goes, Place};
use super::{HubEntry, HubFiles, Variables};
use crate::cli::error::{CliError, CliResult, Lack};

/// A hub and its values.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Its files.
    pub entry: HubEntry,
    /// What they say, by name; of `config/keys.env` too. Nothing empty.
    pub values: Variables,
    /// What should be put right although everything works.
    pub warnings: Vec<Lack>,
}

impl Chosen {
    /// The hub of that slug or id; without one, the only hub, or `personal` among several. `None` when there is none.
    ///
    /// # Errors
    /// A bad file, a name that no hub has, several hubs without a name.
    pub fn find(files: &HubFiles, name: Option<&str>) -> CliResult<Option<Self>> {
        let slugs = || {
            let slugs: Vec<String> = files.hubs().iter().map(|one| format!("`{}`", one.hub.slug)).collect();
            slugs.join(" and ")
        };
        let entry = match (name, files.hubs()) {
            (Some(name), _) => match files.hub(name)? {
                Some(entry) => entry,
                None if files.hubs().is_empty() => return Ok(None),
                None => {
                    return Err(CliError::input(format!("there is no hub `{name}`")).hint(format!(
                        "hubs in `.hubs/`: {}; `psn init --hub {name}` begins another",
                        slugs()
                    )));
                }
            },
            (None, []) => match files.errors().next() {
                Some(error) => return Err(error.clone()),
                None => return Ok(None),
            },
            (None, [one]) => one,
            (None, _) => match files.hub("personal")? {
                Some(entry) => entry,
                None => {
                    return Err(
                        CliError::input(format!("there are several hubs: {}", slugs())).hint("name one with `--hub`")
                    );
                }
            },
        };
        // Two files may claim to be it.
        files.hub(&entry.hub.slug)?;
        let mut values = files.keys()?.clone();
        values.extend(entry.variables());
        values.retain(|_, value| !value.is_empty());
        let mut chosen = Self {
            entry: entry.clone(),
            values,
            warnings: files.warnings.clone(),
        };
        let unknown = |name: &&String| names::find(name).is_none() && name.as_str() != "HUB_ID";
        let unknown: Vec<String> = chosen
            .values
            .keys()
            .filter(unknown)
            .map(|name| format!("`{name}`"))
            .collect();
        if !unknown.is_empty() {
            let goes = if unknown.len() == 1 { "it is" } else { "they are" };
            chosen.warnings.push(Lack::new(
                format!(
                    "psn knows no {} in your files, and {goes} sent nowhere",
                    unknown.join(", ")
                ),
                "correct the name, or take the line out",
            ));
        }
        Ok(Some(chosen))
    }

    /// Its slug.
    #[must_use]
    pub fn slug(&self) -> &str {
        &self.entry.hub.slug
    }

    /// What the files say of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// What the files say of a name that stays on this machine, or else the shell.
    #[must_use]
    pub fn local<'a>(&'a self, environment: &'a Variables, name: &str) -> Option<&'a str> {
        let outside = || {
            environment
                .get(name)
                .map(String::as_str)
                .filter(|value| !value.is_empty())
        };
        self.get(name).or_else(outside)
    }

    /// What the worker gets of one kind.
    #[must_use]
    pub fn of_kind(&self, goes: Goes) -> Variables {
        let is = |name: &str| names::find(name).is_some_and(|one| one.goes == goes);
        let all = self.values.iter().filter(|(name, _)| is(name));
        all.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// What stands in the way: names that have to be there, and variables of the shell that say something else than the
    /// files. No value is in it.
    #[must_use]
    pub fn problems(&self, environment: &Variables) -> Vec<Lack> {
        let slug = self.slug();
        let missing = names::all()
            .filter(|one| one.required && self.get(one.name).is_none())
            .map(|one| {
                let what = format!(
                    "`{}` is missing in {} ({})",
                    one.name,
                    file_of(one.place, slug),
                    one.what
                );
                Lack::new(what, one.whence)
            });
        let differing = names::all().filter(|one| match (self.get(one.name), environment.get(one.name)) {
            (Some(own), Some(outside)) => {
                !outside.is_empty() && outside.trim_end_matches('/') != own.trim_end_matches('/')
            }
            _ => false,
        });
        let differing = differing.map(|one| {
            Lack::new(
                format!("`{}` in your shell is not what the files of hub `{slug}` say", one.name),
                format!("`unset {}`, or correct {}", one.name, file_of(one.place, slug)),
            )
        });
        missing.chain(differing).collect()
    }

    /// Names that only the shell knows and that the worker therefore does not get.
    #[must_use]
    pub fn only_in_shell(&self, environment: &Variables) -> Option<Lack> {
        let only = names::all().filter(|one| {
            let outside = environment.get(one.name).is_some_and(|value| !value.is_empty());
            outside && one.goes != Goes::Stays && self.get(one.name).is_none()
        });
        let only: Vec<String> = only.map(|one| format!("`{}`", one.name)).collect();
        (!only.is_empty()).then(|| {
            let are = if let [one] = only.as_slice() {
                format!("{one} is")
            } else {
                format!("{} are", only.join(", "))
            };
            Lack::new(
                format!("{are} set in your shell only, and not sent"),
                format!(
                    "write it into `config/keys.env`, or into {} for this hub alone",
                    file_of(Place::Own, self.slug())
                ),
            )
        })
    }
}

/// A file as people find it.
#[must_use]
pub fn file_of(place: Place, slug: &str) -> String {
    match place {
        Place::Hub => format!("`.hubs/{slug}.json`"),
        Place::Own => format!("`.hubs/{slug}.env`"),
        Place::Keys => "`config/keys.env`".to_owned(),
    }
}

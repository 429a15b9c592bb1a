//! `psn team`: who belongs to a hub. Everything goes through its Worker; nobody but whoever runs it has its database or its
//! key.

mod invite;
mod join;
mod members;

use crate::cli::Context;
use crate::cli::client::{Worker, segment};
use crate::cli::config::settings::HUB;
use crate::cli::config::{HubFiles, Settings};
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::excerpt;
use clap::{Args, Subcommand};
use serde_json::Value;

/// The commands about teams.
#[derive(Debug, Subcommand)]
pub enum TeamCommand {
    /// Invite somebody: prints one line for them, good for one person and two days
    #[command(after_help = invite::EXAMPLES)]
    Invite(invite::InviteArgs),
    /// List the invites that were made
    Invites(HubArgs),
    /// Withdraw an invite that nobody has used
    Withdraw(invite::WithdrawArgs),
    /// Join a hub with an invite: you get a token of your own
    #[command(after_help = join::EXAMPLES)]
    Join(join::JoinArgs),
    /// List who belongs to a hub
    #[command(after_help = "Examples:\n  psn team list\n  psn team list --hub my-team --former --json")]
    List(members::ListArgs),
    /// Make somebody an admin, who decides who belongs and what is published
    #[command(after_help = "Example:\n  psn team promote bob")]
    Promote(members::WhoArgs),
    /// Make an admin a member again
    #[command(after_help = "Example:\n  psn team demote bob")]
    Demote(members::WhoArgs),
    /// Send somebody away: their tokens end at once
    #[command(after_help = "Examples:\n  psn team remove bob\n  psn team remove bob --yes")]
    Remove(members::RemoveArgs),
    /// Leave a hub: your token ends at once
    #[command(after_help = "Examples:\n  psn team leave\n  psn team leave --hub my-team --yes")]
    Leave(members::LeaveArgs),
}

/// Which hub.
#[derive(Debug, Args)]
pub struct HubArgs {
    /// The hub, by its slug or id; left out, the only one
    #[arg(long, value_name = "HUB")]
    hub: Option<String>,
}

impl TeamCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        match self {
            Self::Invite(args) => invite::run(context, args).await,
            Self::Invites(args) => invite::list(context, args).await,
            Self::Withdraw(args) => invite::withdraw(context, args).await,
            Self::Join(args) => join::run(context, args).await,
            Self::List(args) => members::list(context, args).await,
            Self::Promote(args) => members::role(context, args, "admin").await,
            Self::Demote(args) => members::role(context, args, "member").await,
            Self::Remove(args) => members::remove(context, args).await,
            Self::Leave(args) => members::leave(context, args).await,
        }
    }
}

/// A hub as its Worker knows it.
pub(super) struct Team {
    pub worker: Worker,
    pub hub: Value,
}

impl Team {
    /// The hub of that slug or id, or the only one that the user belongs to. A hub whose files are here is asked at its own
    /// Worker.
    pub async fn find(context: &Context, name: Option<&str>) -> CliResult<Self> {
        let worker = Worker::from_settings(&settings(context, name)?)?;
        let hubs = worker.list("/v1/hubs").await?;
        let hubs = hubs["items"].as_array().cloned().unwrap_or_default();
        let is_it = |hub: &&Value| name.is_none_or(|name| hub["id"] == name || hub["slug"] == name);
        let found: Vec<&Value> = hubs.iter().filter(is_it).collect();
        let titles = |hubs: &[&Value]| hubs.iter().map(|hub| title(hub)).collect();
        match (found.as_slice(), name) {
            ([one], _) => Ok(Self {
                hub: (*one).clone(),
                worker,
            }),
            ([], None) => Err(CliError::outcome("you belong to no hub at this worker")
                .hint("`psn hub create SLUG` founds one, `psn team join INVITE` joins one")),
            // The Worker of a hub's own files may call it otherwise than they do.
            ([], Some(name)) if hubs.len() == 1 && is_here(context, name) => Ok(Self {
                hub: hubs[0].clone(),
                worker,
            }),
            ([], Some(name)) => {
                let mut error = CliError::input(format!("you belong to no hub `{}` at this worker", excerpt(name, 64)))
                    .hint("name one of yours");
                error.details = titles(&hubs.iter().collect::<Vec<_>>());
                Err(error)
            }
            (several, _) => {
                let mut error =
                    CliError::input(format!("you belong to {} hubs", several.len())).hint("name one with `--hub`");
                error.details = titles(several);
                Err(error)
            }
        }
    }

    /// A path below it.
    pub fn path(&self, below: &str) -> String {
        format!(
            "/v1/hubs/{}{below}",
            segment(self.hub["id"].as_str().unwrap_or_default())
        )
    }

    /// What people call it.
    pub fn title(&self) -> String {
        title(&self.hub)
    }
}

fn title(hub: &Value) -> String {
    let text = |name: &str| hub[name].as_str().map(|text| excerpt(text, 60));
    let name = text("name")
        .or_else(|| text("slug"))
        .unwrap_or_else(|| "a hub".to_owned());
    format!("{name} ({})", text("slug").or_else(|| text("id")).unwrap_or_default())
}

fn files(context: &Context) -> HubFiles {
    HubFiles::load(context.root.as_deref().unwrap_or_else(|| std::path::Path::new(".")))
}

/// Whether the files of a hub of that name are here.
fn is_here(context: &Context, name: &str) -> bool {
    let files = files(context);
    let own = files
        .hubs()
        .iter()
        .any(|entry| entry.hub.slug == name || entry.hub.hub_id == name);
    own || files.joined().iter().any(|joined| joined.slug == name)
}

/// The settings of the hub of that name, where its files are here.
fn settings(context: &Context, name: Option<&str>) -> CliResult<Settings> {
    let mut environment = context.environment.clone();
    if let Some(name) = name.filter(|name| is_here(context, name)) {
        environment.insert(HUB.to_owned(), name.to_owned());
    }
    Settings::load(&environment, context.root.as_deref())
}
